"""Convert a checkpoint of CountSeg, or a ResNet of torchvision, to one of mmcount.

Usage: ``python tools/model_converters/countseg_to_mmcount.py pascal07.pt ilc_voc07.pth --config CONFIG``

Exit status: 0 where the checkpoint was written, 2 where the file or an argument is wrong; then nothing is written.
"""

import argparse
import sys
from typing import Any

from mmdet.datasets import CocoDataset, VOCDataset

from mmcount.apis.model_converters import (
    convert_countseg_state_dict,
    convert_torchvision_resnet_state_dict,
    fitting_config,
    read_state_dict,
    write_checkpoint,
)

#: Class names of the released checkpoints, by their number. Both are in the order of the data sets' own lists.
RELEASED = {20: VOCDataset.METAINFO, 80: CocoDataset.METAINFO}


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', help='checkpoint of CountSeg, or ResNet of torchvision')
    parser.add_argument('out', help='checkpoint to write')
    parser.add_argument('--config', help='config that the weights must fit; it is kept in the checkpoint')
    parser.add_argument(
        '--classes', nargs='+', metavar='NAME', help='class names; by default those of VOC for 20, of COCO for 80'
    )
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='read a file that holds pickled objects, which runs code of the file: only for a source that you trust',
    )
    return parser.parse_args()


def class_names(number: int, given: list[str] | None) -> dict[str, Any] | None:
    """``dataset_meta`` of a checkpoint.

    Raises:
        ValueError: The number of names is another.
    """
    if given is not None:
        if len(given) != number:
            raise ValueError(f'--classes names {len(given)} classes, the checkpoint has {number}')
        return dict(classes=tuple(given))
    meta = RELEASED.get(number)
    return None if meta is None else dict(classes=tuple(meta['classes']), palette=meta['palette'])


def convert(args: argparse.Namespace) -> str:
    """Convert, and say what was written.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file, the config or the class names do not fit.
    """
    state = read_state_dict(args.source, args.allow_pickle)
    if 'layer1.0.conv1.weight' in state:
        if args.config or args.classes:
            raise ValueError('a ResNet of torchvision is a backbone only: drop --classes and --config')
        weights = convert_torchvision_resnet_state_dict(state)
        write_checkpoint(args.out, weights, args.source, 'torchvision', {})
        return f'{args.out}: a backbone of {len(weights)} tensors'
    weights = convert_countseg_state_dict(state)
    number = len(weights['head.class_branch.2.bias'])
    names = class_names(number, args.classes)
    meta: dict[str, Any] = {} if names is None else dict(dataset_meta=names)
    if args.config:
        meta['cfg'] = fitting_config(args.config, weights)
    write_checkpoint(args.out, weights, args.source, 'GuoleiSun/CountSeg', meta)
    named = 'without names' if names is None else f'{names["classes"][0]} to {names["classes"][-1]}'
    return f'{args.out}: a counter of {number} classes, {named}, {len(weights)} tensors'


def main() -> int:
    """Convert and print; the exit status."""
    try:
        print(convert(parse_args()))
    except (FileNotFoundError, ValueError) as error:
        print(f'ERROR: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
