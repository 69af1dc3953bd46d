"""Write a data set of a config as a table of points, which ``PointsCSVDataset`` and any spreadsheet read.

Usage: ``python tools/dataset_converters/points_to_csv.py CONFIG OUT_DIR [--phase test] [--image-root DIR]``

``OUT_DIR`` gets ``points.csv`` (image,x,y,class) and ``images.txt`` (every image, those without objects too). CONFIG
may be one of ``configs/_base_/datasets``. The config that reads the files back is printed, with what they cannot hold.

Exit status: 0 where both files were written, 2 where the data or an argument is wrong; then nothing is written.
"""

import argparse
import sys
from pathlib import Path

from mmcount.apis.dataset_converters.points_export import export_points
from mmcount.datasets import CountDataset
from mmcount.engine.config import read_config
from mmcount.engine.option_action import OptionAction
from mmcount.registry import DATASETS
from mmcount.utils import register_all_modules


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config')
    parser.add_argument('out_dir', type=Path)
    parser.add_argument('--phase', choices=('train', 'val', 'test'), default='train')
    parser.add_argument(
        '--image-root', type=Path, help='folder that image names are relative to; by default data_root of the data set'
    )
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, help='settings over the config, key=value')
    return parser.parse_args()


def build_dataset(args: argparse.Namespace) -> CountDataset:
    """The data set of the phase, without its pipeline.

    Raises:
        ValueError: The config has no such phase, or its data set is of another kind.
    """
    cfg = read_config(args.config, args.cfg_options)
    loader = cfg.get(f'{args.phase}_dataloader')
    if loader is None:
        raise ValueError(f'{args.config} has no {args.phase}_dataloader')
    register_all_modules()
    config = dict(loader['dataset'])
    if 'dataset' not in config:
        config['pipeline'] = []
    if 'boxes_file' in config:  # boxes are not written, and need not be there
        config['boxes_file'] = None
    dataset = DATASETS.build(config)
    if not isinstance(dataset, CountDataset):
        raise ValueError(f'the {args.phase} data set of {args.config} is a {type(dataset).__name__}, no CountDataset')
    return dataset


def convert(args: argparse.Namespace) -> str:
    """Write the files, and say what was written.

    Raises:
        FileNotFoundError: The config or the data are not there.
        ValueError: The data are malformed, or cannot be written as points.
    """
    export = export_points(build_dataset(args), args.image_root)
    config = export.write(args.out_dir)
    lines = [f'{export.num_points} points of {export.num_images} images in {args.out_dir}; to read them:']
    lines.append(f'dict({", ".join(f"{key}={value!r}" for key, value in config.items())})')
    lines += [f'not in these files: {name} ({number} images)' for name, number in export.not_held.items()]
    return '\n'.join(lines)


def main() -> int:
    """Convert and print; the exit status."""
    try:
        print(convert(parse_args()))
    except (FileNotFoundError, ImportError, ValueError) as error:
        print(f'ERROR: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
