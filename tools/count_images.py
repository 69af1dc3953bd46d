"""Count the objects in your images: one line per image, totals, a CSV file and overlays.

Usage: ``python tools/count_images.py photos/ --config CONFIG --weights CHECKPOINT --out-dir counted``

Exit status: 0 if every image was counted, 1 if some failed, 2 if an argument is wrong. ``mmcount count`` does the same.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

from mmcount.apis import CountInferencer, CountOptions, list_inputs
from mmcount.apis.count_run import run_counts
from mmcount.apis.options import parse_tile


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='image, folder with its sub-folders, or glob')
    parser.add_argument('--config', help='config file or name of the model; without it the one that is in the weights')
    parser.add_argument('--weights', help='checkpoint')
    parser.add_argument('--scope', default='mmcount', help='package whose model names --config knows, e.g. mmdet')
    parser.add_argument('--out-dir', help='folder that gets counts.csv, and the overlays in vis/')
    parser.add_argument('--csv', help='CSV file with a row for every image and class')
    parser.add_argument(
        '--objects-csv',
        nargs='?',
        const='',
        help='CSV file with a row for every object; without a value, objects.csv beside the other',
    )
    parser.add_argument('--batch-size', type=int, default=1)
    parser.add_argument('--score-thr', type=float, default=0.3, help="lowest score of a detector's box that counts")
    parser.add_argument('--calibrated', action='store_true', help='count with the calibration of the checkpoint')
    parser.add_argument(
        '--precision', choices=('fp32', 'bf16'), default='fp32', help='bf16 is faster and changes the counts a little'
    )
    parser.add_argument('--tile', help='pixels that the network sees at once: a side, HEIGHTxWIDTH, or auto')
    parser.add_argument(
        '--tile-mode', choices=('exact', 'average'), default='exact', help='as the whole image, or as IIM was published'
    )
    parser.add_argument('--device', help='cpu, cuda, cuda:1 ...; by default CUDA where there is one')
    parser.add_argument('--no-vis', action='store_true', help='write no overlays')
    parser.add_argument(
        '--resume', action='store_true', help='continue an interrupted CSV file; all other arguments as before'
    )
    args = parser.parse_args()
    if args.config is None and args.weights is None:
        parser.error('name a --config, --weights, or both')
    if args.csv is None and args.out_dir:
        args.csv = str(Path(args.out_dir) / 'counts.csv')
    if args.csv is None and (args.resume or args.objects_csv == ''):
        parser.error('--resume and --objects-csv without a value need --csv or --out-dir')
    if args.objects_csv == '':
        args.objects_csv = str(Path(args.csv).with_name('objects.csv'))
    return args


def main() -> int:
    """Count and print; the exit status."""
    args = parse_args()
    try:
        # Wrong options, inputs and outputs are told before the model is loaded.
        options: dict[str, Any] = dict(
            batch_size=args.batch_size,
            score_thr=args.score_thr,
            calibrated=args.calibrated,
            overlay=Path(args.out_dir) / 'vis' if args.out_dir and not args.no_vis else None,
            csv=args.csv,
            objects_csv=args.objects_csv,
            resume=args.resume,
            tile=None if args.tile is None else parse_tile(args.tile),
            tile_mode=args.tile_mode,
        )
        CountOptions(**options)
        inputs = list_inputs(args.inputs, options['overlay'])
        inferencer = CountInferencer(
            args.config, args.weights, args.device, args.scope, show_progress=False, precision=args.precision
        )
        run, results = run_counts(inferencer, inputs, **options)
    except (OSError, TypeError, ValueError) as error:
        print(f'ERROR: {error}', file=sys.stderr)
        return 2
    for result in results:
        print(f'{result.image}: {result.summary()}', flush=True)
    print(*run.summary(), sep='\n')
    if args.csv:
        print(f'counts: {args.csv}')
    return run.exit_code


if __name__ == '__main__':
    sys.exit(main())
