"""Count the objects in your images: one line per image, totals, a CSV file and overlays.

Usage: ``python tools/count_images.py photos/ --config CONFIG --weights CHECKPOINT --out-dir counted``

Exit status: 0 where at least one image was counted, 1 where every image failed, 2 where an argument is wrong.
"""

import argparse
import sys
from pathlib import Path

from rich.progress import track

from mmcount.apis import CountInferencer, CountResult, round_count


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('inputs', nargs='+', metavar='INPUT', help='image, folder with its sub-folders, or glob')
    parser.add_argument('--config', help='config file or name of the model; without it the one that is in the weights')
    parser.add_argument('--weights', help='checkpoint')
    parser.add_argument('--scope', default='mmcount', help='package whose model names --config knows, e.g. mmdet')
    parser.add_argument('--out-dir', default='', help='folder that gets counts.csv, and the overlays in vis/')
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
        '--tile', type=int, nargs='+', help='largest side, or height and width, in pixels that the network sees at once'
    )
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
    if args.csv is None and (args.resume or args.objects_csv is not None):
        parser.error('--resume and --objects-csv need --csv or --out-dir')
    if args.tile is not None:
        if len(args.tile) > 2:
            parser.error('--tile takes one number, or height and width')
        args.tile = args.tile[0] if len(args.tile) == 1 else tuple(args.tile)
    if args.objects_csv == '':
        args.objects_csv = str(Path(args.csv).with_name('objects.csv'))
    return args


def describe(result: CountResult) -> str:
    """One line on one image."""
    if result.error is not None:
        return f'{result.image}: FAILED: {result.error}'
    words = [f'{result.count}']
    if len(result.counts) > 1:
        found = [f'{name} {value:.1f}' for name, value in result.counts.items() if round_count(value)]
        words.append(f'({", ".join(found)})' if found else '')
    elif result.interval is not None:
        low, high = next(iter(result.interval.values()))
        words.append(f'({low:.1f} to {high:.1f})')
    if result.saturated:
        words.append('or more: the limit of the model was reached')
    return f'{result.image}: {" ".join(word for word in words if word)}'


def main() -> int:
    """Count and print; the exit status."""
    args = parse_args()
    try:
        inferencer = CountInferencer(args.config, args.weights, args.device, args.scope, show_progress=False)
        items = inferencer.list_inputs(args.inputs, args.out_dir)
        results = inferencer.iterate(
            items,
            batch_size=args.batch_size,
            score_thr=args.score_thr,
            calibrated=args.calibrated,
            out_dir=args.out_dir,
            no_save_vis=args.no_vis,
            csv=args.csv,
            objects_csv=args.objects_csv,
            resume=args.resume,
            return_density=False,
            tile=args.tile,
            tile_mode=args.tile_mode,
        )
    except (FileNotFoundError, TypeError, ValueError) as error:
        print(f'ERROR: {error}', file=sys.stderr)
        return 2
    totals = dict.fromkeys(inferencer.classes, 0.0)
    counted = failed = 0
    if sys.stdout.isatty():
        results = track(results, description='Counting', total=len(items))
    for result in results:
        print(describe(result), flush=True)
        failed += result.error is not None
        counted += result.error is None
        for name, value in result.counts.items():
            totals[name] += value
    skipped = len(items) - counted - failed
    note = f', {skipped} were counted before' if skipped else ''
    print(f'{counted} images counted, {failed} failed{note}')
    for name, value in totals.items():
        print(f'total {name}: {round_count(value)}')
    if args.csv:
        print(f'counts: {args.csv}')
    return 1 if failed and not counted else 0


if __name__ == '__main__':
    sys.exit(main())
