"""Write a folder of Locount's text files as one COCO-format JSON file with a count for each box.

Usage: ``python tools/dataset_converters/locount_to_coco.py ANN_DIR OUT.json [--image-dir DIR] [--skip-bad-lines]``

``LocountDataset(ann_file='OUT.json')`` reads the result; ``coco_to_locount.py`` turns it back.

Exit status: 0 where the file was written, 2 where the data or an argument is wrong; then nothing is written.
"""

import argparse
import functools
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from mmcount.apis.dataset_converters.locount_convert import locount_to_coco, write_coco
from mmcount.utils.errors import AnnotationError


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('ann_dir', type=Path, help='folder with <digits>.txt')
    parser.add_argument('out_file', type=Path)
    parser.add_argument('--image-dir', type=Path, help='read sizes from the images here; without it 1920 x 1080 px')
    parser.add_argument('--skip-bad-lines', action='store_true', help='leave bad lines out, and name them')
    return parser.parse_args()


def convert(args: argparse.Namespace) -> str:
    """Write the file, and say what was written.

    Raises:
        FileNotFoundError: A folder or an image is not there.
        ValueError: A line is malformed or names an unknown class.
    """
    skipped: list[AnnotationError] | None = [] if args.skip_bad_lines else None
    progress = functools.partial(track, description='Reading', console=Console(stderr=True), transient=True)
    content = locount_to_coco(args.ann_dir, args.image_dir, skipped, progress)
    write_coco(content, args.out_file)
    objects = sum(annotation['count'] for annotation in content['annotations'])
    lines = [f'left out: {error}' for error in skipped or ()]
    lines.append(
        f'{len(content["images"])} images, {len(content["annotations"])} boxes, {objects} objects in {args.out_file}'
    )
    return '\n'.join(lines)


def main() -> int:
    """Convert and print; the exit status."""
    try:
        print(convert(parse_args()))
    except (OSError, ValueError) as error:
        print(f'ERROR: {error}', file=sys.stderr)
        return 2
    return 0


if __name__ == '__main__':
    sys.exit(main())
