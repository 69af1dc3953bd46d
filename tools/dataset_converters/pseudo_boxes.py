"""Make boxes for a data set that has points only, with a trained scale network.

Usage: ``python tools/dataset_converters/pseudo_boxes.py CONFIG CHECKPOINT OUT.csv --data DATA_CONFIG [--phase train]``
or, for a folder of images with a table of points, ``... OUT.csv --points points.csv --image-root DIR``.

OUT.csv (image,x,y,class,x1,y1,x2,y2) is what the crowd data sets take as ``boxes_file`` and what ``PointsCSVDataset``
reads. ``--resume`` goes on after an interruption. The published settings are ``--scale 2 --round-log`` for
ShanghaiTech, ``--window 249 --round-log`` for UCF-QNRF.

Exit status: 0 where every image got its boxes, 1 where some could not, 2 where the data or an argument is wrong.
"""

import argparse
import sys
from pathlib import Path

from mmcount.apis.pseudo_boxes import PseudoBoxer, point_datasets, report_text, write_pseudo_boxes
from mmcount.datasets import CountDataset, PointsCSVDataset
from mmcount.engine.config import read_config
from mmcount.engine.option_action import OptionAction


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('config', help='config of the scale network')
    parser.add_argument('checkpoint', help='its weights')
    parser.add_argument('out', type=Path, help='table to write')
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument('--data', help='config with the data set; may be one of configs/_base_/datasets')
    source.add_argument('--points', type=Path, help='table image,x,y[,class]')
    parser.add_argument('--phase', nargs='+', choices=('train', 'val', 'test'), default=['train', 'val', 'test'])
    parser.add_argument('--image-root', type=Path, help='folder that image names are relative to')
    parser.add_argument('--images', type=Path, help='with --points: a list of the images, else all in the folder')
    parser.add_argument('--scale', type=float, default=1.0, help='factor on the images')
    parser.add_argument('--window', type=int, help='window of the largest value in px, odd')
    parser.add_argument('--step', type=int, help='px between two windows')
    parser.add_argument('--round-log', action='store_const', const=True, help='round the map to whole numbers')
    parser.add_argument('--device', help='cuda where there is one, else cpu')
    parser.add_argument('--resume', action='store_true', help='go on with an interrupted table')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, help='settings over --data, key=value')
    return parser.parse_args()


def read_datasets(args: argparse.Namespace) -> list[CountDataset]:
    """The data sets of the command line.

    Raises:
        FileNotFoundError: Files are missing.
        ValueError: The data are malformed.
    """
    if args.points is not None:
        root = args.image_root or args.points.parent
        images = None if args.images is None else str(args.images.absolute())
        return [PointsCSVDataset(ann_file=str(args.points.absolute()), data_root=str(root), images=images)]
    cfg = read_config(args.data, args.cfg_options)
    return point_datasets(cfg, args.phase)


def main() -> int:
    """Make the boxes and say what became of the images; the exit status."""
    args = parse_args()
    try:
        datasets = read_datasets(args)
        codec = dict(window=args.window, step=args.step, round_log=args.round_log)
        boxer = PseudoBoxer(args.config, args.checkpoint, args.device, args.scale, **codec)
        report = write_pseudo_boxes(boxer, datasets, args.out, args.image_root, args.resume)
    except (FileNotFoundError, ImportError, ValueError) as error:
        print(f'ERROR: {error}', file=sys.stderr)
        return 2
    print(report_text(report))
    return 1 if report.failed else 0


if __name__ == '__main__':
    sys.exit(main())
