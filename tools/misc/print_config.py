"""Print a config as it runs: with its bases and overrides.

Usage: python tools/misc/print_config.py configs/countception/count-ception_cpu-30min_points-csv.py \
           --cfg-options max_iters=300 classes=live,dead
"""

import argparse

from mmcount.engine.config import config_files, read_config
from mmcount.engine.option_action import OptionAction


def main() -> None:
    """Parse arguments and print."""
    parser = argparse.ArgumentParser(description='Print a config as it runs')
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--cfg-options', nargs='+', action=OptionAction, help='override values and variables as key=value'
    )
    parser.add_argument('--key', help='print only what stands under this dotted key, such as train_dataloader.dataset')
    parser.add_argument('--files', action='store_true', help='print the files that make up the config instead')
    args = parser.parse_args()
    if args.files:
        print('\n'.join(config_files(args.config)))
        return
    cfg = read_config(args.config, args.cfg_options)
    node = cfg
    for name in args.key.split('.') if args.key else ():
        try:
            node = node[int(name) if isinstance(node, list | tuple) else name]
        except (KeyError, IndexError, ValueError, TypeError):
            parser.error(f'{args.config} has nothing under --key {args.key}')
    print(cfg.pretty_text.rstrip() if node is cfg else node)


if __name__ == '__main__':
    main()
