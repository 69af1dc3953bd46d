"""Print what a training run achieved, beside the count that needs no images, and where its files lie.

Usage: ``python tools/analysis_tools/quickstart_report.py work_dirs/quickstart``
"""

import argparse
import json
import re
from pathlib import Path

ROWS = (
    ('MAE', 'count/MAE', 'count/MAE_mean_baseline'),
    ('RMSE', 'count/RMSE', 'count/RMSE_mean_baseline'),
    ('bias', 'count/bias', 'count/bias_mean_baseline'),
    ('MAE, calibrated', 'count/MAE_calibrated', 'count/MAE_mean_baseline'),
    ('bias, calibrated', 'count/bias_calibrated', 'count/bias_mean_baseline'),
    ('MAE of points', 'loc/MAE', None),
)
F1_AT_RADIUS = re.compile(r'loc/F1_sigma(\d+)$')


def read_scalars(path: Path) -> list[dict]:
    """Records of a scalars file, one JSON object a line; a last line cut short by an interruption is left out."""
    records = []
    for line in path.read_text(encoding='utf-8').splitlines():
        try:
            records.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return records


def read_metrics(work_dir: Path) -> tuple[dict, str]:
    """The last record of counting metrics of the newest file that has one, and what it was measured on.

    Numbers of two records are never mixed: they may belong to two checkpoints. MMEngine writes the records of tests
    beside ``vis_data`` and those of validations into it.

    Raises:
        FileNotFoundError: No run in the folder logged a counting metric.
    """
    files = {*work_dir.glob('*/vis_data/*.json'), *work_dir.glob('*/*.json'), *work_dir.glob('*.json')}
    for path in sorted(files, key=lambda one: (one.stat().st_mtime, str(one)), reverse=True):
        for record in reversed(read_scalars(path)):
            if isinstance(record, dict) and 'count/MAE' in record:
                return record, 'validation images' if path.parent.name == 'vis_data' else 'test images'
    raise FileNotFoundError(f'no run in {work_dir} logged the metric count/MAE; did training finish?')


def table(metrics: dict) -> str:
    """Rows of metric, counter and baseline, aligned; a count alone has no points."""
    radii = sorted(int(match[1]) for match in map(F1_AT_RADIUS.match, metrics) if match)
    rows = [*ROWS, *((f'F1 of points, {radius} px', f'loc/F1_sigma{radius}', None) for radius in radii)]
    lines = [f'{"":<20}{"counter":>12}{"mean of training counts":>26}']
    for name, key, baseline in rows:
        if key in metrics:
            beside = f'{metrics[baseline]:.3f}' if baseline in metrics else 'not measured' if baseline else ''
            lines.append(f'{name:<20}{metrics[key]:>12.3f}{beside:>26}'.rstrip())
    return '\n'.join(lines)


def files_of(work_dir: Path) -> list[tuple[str, str]]:
    """What the run left, by kind: folders of overlays, figures, the best or else the last checkpoint, the numbers."""
    pictures = work_dir / 'vis_data'
    found = [('overlays', str(folder)) for folder in (pictures / 'test', pictures / 'val') if any(folder.glob('*.png'))]
    found += [('curves', str(path)) for path in (pictures / 'curves.png',) if path.is_file()]
    found += [('counts', str(path)) for path in sorted(pictures.glob('*_counts.png'))]
    checkpoints = sorted(work_dir.glob('*.pth'), key=lambda path: path.stat().st_mtime)
    best = [path for path in checkpoints if path.name.startswith('best')]
    found += [('checkpoint', str(path)) for path in (best or checkpoints)[-1:]]
    scalars = sorted(work_dir.glob('*/vis_data/scalars.json'), key=lambda path: path.stat().st_mtime)
    return found + [('numbers', str(path)) for path in scalars[-1:]]


def main() -> None:
    """Print the report of one work directory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('work_dir', type=Path)
    work_dir = parser.parse_args().work_dir
    try:
        metrics, images = read_metrics(work_dir)
    except FileNotFoundError as error:
        raise SystemExit(f'ERROR: {error}') from None
    print(f'\nErrors in objects per image, and F1 of points (at best 1), on the {images}\n')
    print(table(metrics))
    print()
    for title, path in files_of(work_dir):
        print(f'{title:<12}{path}')


if __name__ == '__main__':
    main()
