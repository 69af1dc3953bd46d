"""Write a COCO-format JSON file of Locount's classes as a folder of Locount's text files.

Usage: ``python tools/dataset_converters/coco_to_locount.py ANN.json OUT_DIR [--skip-bad-records]``

``OUT_DIR`` must not be there yet, or be empty. Annotations without ``count`` hold one object.

Exit status: 0 where the folder was written, 2 where the data or an argument is wrong; then nothing is written.
"""

import argparse
import functools
import sys
from pathlib import Path

from rich.console import Console
from rich.progress import track

from mmcount.apis.dataset_converters.locount_convert import coco_to_locount, write_locount
from mmcount.utils.errors import AnnotationError


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('ann_file', type=Path)
    parser.add_argument('out_dir', type=Path)
    parser.add_argument('--skip-bad-records', action='store_true', help='leave bad annotations out, and name them')
    return parser.parse_args()


def convert(args: argparse.Namespace) -> str:
    """Write the folder, and say what was written.

    Raises:
        OSError: The JSON file is not there, or the folder is there already.
        ValueError: The file is malformed, or holds what the text files cannot say.
    """
    skipped: list[AnnotationError] | None = [] if args.skip_bad_records else None
    texts = coco_to_locount(args.ann_file, skipped)
    progress = functools.partial(track, description='Writing', console=Console(stderr=True), transient=True)
    write_locount(texts, args.out_dir, progress)
    lines = [f'left out: {error}' for error in skipped or ()]
    boxes = sum(text.count('\n') for text in texts.values())
    lines.append(f'{len(texts)} files with {boxes} boxes in {args.out_dir}')
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
