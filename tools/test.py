"""Test a counter, or any detector that the metrics can count."""

from mmcount.engine.launch import build_runner, common_parser, finish_distributed, load_config


def main() -> None:
    """Parse arguments and test."""
    parser = common_parser('Test a counter')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='pickle file of all predictions')
    parser.add_argument('--csv', help='CSV file with a row for every image and class')
    parser.add_argument('--show-dir', help='folder that gets a picture of every image with its prediction')
    args = parser.parse_args()
    cfg = load_config(args)
    cfg.load_from = args.checkpoint
    if args.show_dir is not None:
        cfg.default_hooks.visualization.update(draw=True, test_out_dir=args.show_dir)
    evaluators = cfg.test_evaluator if isinstance(cfg.test_evaluator, list) else [cfg.test_evaluator]
    if args.csv is not None:
        evaluators.append(dict(type='mmcount.DumpCounts', out_file=args.csv))
    if args.out is not None:
        if not args.out.endswith(('.pkl', '.pickle')):
            parser.error(f'--out must end in .pkl or .pickle, got {args.out}')
        evaluators.append(dict(type='DumpResults', out_file_path=args.out))
    cfg.test_evaluator = evaluators
    build_runner(cfg).test()
    finish_distributed()


if __name__ == '__main__':
    main()
