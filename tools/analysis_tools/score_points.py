"""Score anybody's file of predicted points by the protocol of the NWPU-Crowd benchmark.

Usage: ``python tools/analysis_tools/score_points.py predictions.txt val_gt_loc.txt [--sigmas 4 8]``

A line of predictions is ``id num x y x y ...``, one of ground truth ``id num`` and ``x y sigma_s sigma_l level`` for
each head, in pixels of the same images. With ground truth of the form of predictions only fixed radii can be scored, so
that ``--sigmas`` (ShanghaiTech: 4 8) or ``--sigma-range`` (UCF-QNRF: 1 100) is needed.
"""

import argparse
import json
from pathlib import Path

from mmcount.evaluation.functional import fixed_radii, localization_errors, score_points
from mmcount.evaluation.metrics import read_crowd_points, read_points
from mmcount.utils.atomic import write_atomic


def score_files(
    pred_file: Path,
    truth_file: Path,
    sigmas: tuple[float, ...] = (),
    sigma_ranges: tuple[tuple[int, int], ...] = (),
    missing_as_empty: bool = False,
) -> dict[str, float]:
    """The benchmark's numbers of one file of predictions.

    Args:
        pred_file: Predictions.
        truth_file: Ground truth.
        sigmas: Fixed radii, px.
        sigma_ranges: First and last whole radius of means.
        missing_as_empty: Whether an image without a line of predictions has no predictions, instead of being an error.

    Raises:
        ValueError: A file is malformed, or the files name other images.
    """
    pred, truth = read_points(pred_file), read_crowd_points(truth_file)
    unknown, missing = [name for name in pred if name not in truth], [name for name in truth if name not in pred]
    if unknown:
        raise ValueError(f'{pred_file}: {len(unknown)} images are not in {truth_file}, the first is {unknown[0]}')
    if missing and not missing_as_empty:
        raise ValueError(
            f'{pred_file}: {len(missing)} of the {len(truth)} images of {truth_file} are missing, the first is '
            f'{missing[0]}; --missing-as-empty takes them for images without predictions'
        )
    radii = fixed_radii(sigmas, sigma_ranges)
    if not radii and all(heads.sigmas is None for heads in truth.values()):
        raise ValueError(f'{truth_file}: the heads have no sigmas: --sigmas or --sigma-range is needed')
    records = [score_points(pred.get(name, ()), heads, radii) for name, heads in truth.items()]
    return localization_errors(records, sigmas, sigma_ranges)


def table(metrics: dict[str, float]) -> str:
    """The numbers as text: ratios in per cent."""
    lines = [f'{"radius":>16} {"F1":>7} {"P":>7} {"R":>7}']
    for name in [key[3:] for key in metrics if key.startswith('F1_')]:
        scores = ' '.join(f'{100 * metrics[f"{score}_{name}"]:7.2f}' for score in ('F1', 'P', 'R'))
        lines.append(f'{name if name.startswith("sigma") else f"sigma_{name}":>16} {scores}')
    levels = {key: 100 * value for key, value in metrics.items() if key[0] == 'A' and key[1:] in (*'012345', '_mean')}
    if levels:
        lines.append('recall of sizes  ' + '  '.join(f'{key} {value:.2f}' for key, value in levels.items()))
    counting = [key for key in ('MAE', 'MSE', 'NAE') if key in metrics]
    lines.append('counting  ' + '  '.join(f'{key} {metrics[key]:.4f}' for key in counting))
    negative = [key for key in metrics if key.startswith('negative_')]
    lines.append('images without objects  ' + '  '.join(f'{key[9:]} {metrics[key]:g}' for key in negative))
    return '\n'.join(lines)


def main() -> None:
    """Score one file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('predictions', type=Path)
    parser.add_argument('truth', type=Path, help='e.g. val_gt_loc.txt of NWPU-Crowd')
    parser.add_argument('--sigmas', type=float, nargs='+', default=(), help='fixed radii, px')
    parser.add_argument('--sigma-range', type=int, nargs=2, action='append', default=[], metavar=('FIRST', 'LAST'))
    parser.add_argument('--missing-as-empty', action='store_true', help='images without a line have no predictions')
    parser.add_argument('--out', type=Path, help='JSON file for the numbers, ratios as fractions')
    args = parser.parse_args()
    try:
        metrics = score_files(
            args.predictions,
            args.truth,
            tuple(args.sigmas),
            tuple((first, last) for first, last in args.sigma_range),
            args.missing_as_empty,
        )
    except (OSError, ValueError) as error:
        raise SystemExit(f'ERROR: {error}') from None
    print(table(metrics))
    if args.out:
        write_atomic(args.out, json.dumps(metrics, indent=2) + '\n')


if __name__ == '__main__':
    main()
