"""Test a counter, or any detector that the metrics can count."""

from mmcount.engine.launch import common_parser, finish_distributed, load_config, run_test, told_in_one_line


def main() -> None:
    """Parse arguments and test."""
    parser = common_parser('Test a counter')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument('--out', help='pickle file of all predictions')
    parser.add_argument('--csv', help='CSV file with a row for every image and class')
    parser.add_argument('--show-dir', help='folder that gets a picture of every image with its prediction')
    parser.add_argument(
        '--precision',
        choices=('fp32', 'bf16'),
        help='prepare the model for fast inference; bf16 changes the counts a little',
    )
    args = parser.parse_args()
    with told_in_one_line((OSError, TypeError, ValueError)):
        cfg = load_config(args)
    with told_in_one_line():
        run_test(cfg, args.checkpoint, args.out, args.csv, args.show_dir, args.precision, args.trust_checkpoint)
    finish_distributed()


if __name__ == '__main__':
    main()
