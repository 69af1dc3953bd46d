"""Train a counter."""

from mmcount.engine.launch import common_parser, finish_distributed, load_config, run_training, told_in_one_line


def main() -> None:
    """Parse arguments and train."""
    parser = common_parser('Train a counter')
    parser.add_argument('--amp', action='store_true', help='train in mixed precision; bfloat16 on a CPU')
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='resume from a checkpoint; without a value from the latest of the work dir',
    )
    args = parser.parse_args()
    with told_in_one_line((OSError, TypeError, ValueError)):
        cfg = load_config(args)
    with told_in_one_line():
        run_training(cfg, args.amp, args.resume, args.trust_checkpoint)
    finish_distributed()


if __name__ == '__main__':
    main()
