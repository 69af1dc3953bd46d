"""Write the index of SOS or MSO as one COCO-format JSON file.

Usage: ``python tools/dataset_converters/salient_to_coco.py {sos,mso} DATA_ROOT OUT.json [--subset SUBSET]``

``SalientCoco(ann_file='OUT.json', data_root=DATA_ROOT)`` reads the result.

Exit status: 0 where the file was written, 2 where the data or an argument is wrong; then nothing is written.
"""

import argparse
import sys
from pathlib import Path

from mmcount.apis.dataset_converters.locount_convert import write_coco
from mmcount.apis.dataset_converters.salient_convert import salient_to_coco
from mmcount.datasets import MSO, SOS
from mmcount.datasets.salient import SUBSETS


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('name', choices=('sos', 'mso'), help='the data set')
    parser.add_argument('data_root', type=Path, help='folder with imgIdx.mat and the images')
    parser.add_argument('out_file', type=Path)
    parser.add_argument('--subset', choices=SUBSETS, help='of SOS; trainval by default')
    args = parser.parse_args()
    if args.name == 'mso' and args.subset is not None:
        parser.error('MSO has no subsets, drop --subset')
    return args


def convert(args: argparse.Namespace) -> str:
    """Write the file, and say what was written.

    Raises:
        FileNotFoundError: The index or an image is not there.
        ValueError: The index is damaged.
    """
    if args.name == 'mso':
        dataset: SOS | MSO = MSO(data_root=args.data_root)
    else:
        dataset = SOS(data_root=args.data_root, subset=args.subset or 'trainval')
    content = salient_to_coco(dataset)
    write_coco(content, args.out_file)
    return f'{len(content["images"])} images, {len(content["annotations"])} boxes in {args.out_file}'


def main() -> int:
    """Convert and print; the exit status."""
    try:
        print(convert(parse_args()))
    except (OSError, ValueError, ImportError) as error:
        print(f'ERROR: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
