"""Convert a checkpoint of IIM, of its scale network, or a backbone for either, to one of mmcount.

Usage: ``python tools/model_converters/iim_to_mmcount.py NWPU-HR.pth iim_nwpu.pth --config CONFIG``

What the file holds is read from its names: IIM with VGG16-FPN or HRNet-W48, the scale network of its pseudo boxes,
torchvision's VGG, or an HRNet of ImageNet.

Exit status: 0 where the checkpoint was written, 2 where the file or an argument is wrong; then nothing is written.
"""

import argparse
import sys
from typing import Any

from mmcount.apis.model_converters import (
    convert_hrnet_state_dict,
    convert_iim_state_dict,
    convert_scale_net_state_dict,
    convert_torchvision_vgg_state_dict,
    fitting_config,
    read_state_dict,
    write_checkpoint,
)
from mmcount.datasets import CrowdDataset

#: Part of a name that tells what a file is, to its converter, what it is called, and where it comes from.
KINDS = (
    ('Extractor.', convert_iim_state_dict, 'an IIM counter', 'taohan10200/IIM'),
    ('own_reslayer_3.', convert_scale_net_state_dict, 'a scale network', 'taohan10200/IIM'),
    ('stage2.0.branches.', convert_hrnet_state_dict, 'a backbone', 'HRNet'),
    ('features.0.', convert_torchvision_vgg_state_dict, 'a backbone', 'torchvision'),
)


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('source', help='checkpoint of IIM or of a backbone')
    parser.add_argument('out', help='checkpoint to write')
    parser.add_argument('--config', help='config that the weights must fit; it is kept in the checkpoint')
    parser.add_argument(
        '--allow-pickle',
        action='store_true',
        help='read a file that holds pickled objects, which runs code of the file: only for a source that you trust',
    )
    return parser.parse_args()


def convert(args: argparse.Namespace) -> str:
    """Convert, and say what was written.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file or the config do not fit.
    """
    state = read_state_dict(args.source, args.allow_pickle)
    kind = next((kind for kind in KINDS if any(kind[0] in str(key) for key in state)), None)
    if kind is None:
        raise ValueError(f'{args.source} holds none of IIM, its scale network, an HRNet or a VGG of torchvision')
    _, converter, what, origin = kind
    if what == 'a backbone' and args.config:
        raise ValueError(f'{args.source} is a backbone only: drop --config')
    weights = converter(state)
    meta: dict[str, Any] = {}
    if what != 'a backbone':
        meta['dataset_meta'] = {key: CrowdDataset.METAINFO[key] for key in ('classes', 'palette')}
    if args.config:
        meta['cfg'] = fitting_config(args.config, weights)
    write_checkpoint(args.out, weights, args.source, origin, meta)
    return f'{args.out}: {what} of {len(weights)} tensors'


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
