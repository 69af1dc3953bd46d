"""Train a counter."""

from mmengine.device import get_device

from mmcount.engine.launch import (
    build_runner,
    common_parser,
    enable_mixed_precision,
    finish_distributed,
    load_config,
)


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
    cfg = load_config(args)
    if args.amp:
        enable_mixed_precision(cfg, has_accelerator=get_device() != 'cpu')
    if args.resume is not None:
        cfg.resume = True
        cfg.load_from = None if args.resume == 'auto' else args.resume
    build_runner(cfg).train()
    finish_distributed()


if __name__ == '__main__':
    main()
