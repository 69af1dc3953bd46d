"""Errors of the models that come along, on own generated scenes and on public data that they never saw.

Own scenes are those of the test split of the model's recipe. Public data are looked up with
`real_data.data_root` and left out if they are not on this machine; nothing about a model was chosen by them.
Beside the untouched counts stand counts after a line fitted on a few labelled images (`--labelled`), the mean of
`--draws` random draws, tested on all other images, and a counter that always gives the mean count of all images.

F1 matches points and truth one to one within `--radius` px.

    python benchmarks/zoo.py cells digits --out benchmarks/results/zoo.csv
    python benchmarks/zoo.py work_dirs/my_model.safetensors --data own
"""

import argparse
import csv
import os
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import DATASETS, MODELS, DefaultScope
from real_data import data_root
from torch import nn

from mmcount import zoo
from mmcount.evaluation.functional import CrowdPoints, bias, fit_line_calibration, mae, rmse, score_points
from mmcount.utils import register_all_modules

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
PUBLIC = {
    'vgg_cells': dict(type='mmcount.VGGCells'),
    'adipocyte': dict(type='mmcount.AdipocyteCells'),
}
FIELDS = ['model', 'data', 'images', 'mean', 'mae', 'bias', 'rmse', 'r', 'mae_line', 'mae_mean', 'f1']


def load(name: str) -> tuple[zoo.LoadedModel, nn.Module]:
    """A model by its name or file, ready to predict."""
    loaded = zoo.load(name) if zoo.is_model_name(name) else zoo.read_model(name)
    with DefaultScope.overwrite_default_scope('mmcount'):
        model = MODELS.build(Config(loaded.cfg).model)
    model.load_state_dict(loaded.state_dict)
    return loaded, model.eval()


def own_scenes(loaded: zoo.LoadedModel) -> dict:
    """Config of the data set that the recipe tests on."""
    (path,) = CONFIGS.glob(f'*/{loaded.card.recipe}.py')
    return Config.fromfile(path).test_dataloader.dataset


def data_sets(loaded: zoo.LoadedModel, wanted: Sequence[str]) -> Iterator[tuple[str, dict]]:
    """Names and configs of the data that are wanted and there."""
    for name in wanted:
        if name == 'own':
            yield name, own_scenes(loaded)
        elif data_root(name) is None:
            print(f'{name} is not on this machine')
        else:
            yield name, dict(PUBLIC[name], data_root=str(data_root(name)))


@torch.no_grad()
def predict(
    loaded: zoo.LoadedModel, model: nn.Module, cfg: dict, radius: float, precision: str
) -> tuple[np.ndarray, np.ndarray, float]:
    """Predicted counts (n,), true counts (n,) and F1 of the points within ``radius`` px."""
    with DefaultScope.overwrite_default_scope('mmcount'):
        dataset = DATASETS.build(dict(cfg, pipeline=loaded.cfg['test_pipeline'], test_mode=True))
    cast = torch.autocast('cpu', torch.bfloat16) if precision == 'bfloat16' else nullcontext()
    counts, found = [], np.zeros(3)
    for index in range(len(dataset)):
        with cast:
            (sample,) = model.test_step(pseudo_collate([dataset[index]]))
        counts.append((float(sample.pred_counts.sum()), float(sample.gt_counts.sum())))
        record = score_points(
            sample.pred_instances.points, CrowdPoints(sample.gt_instances.points.double().numpy()), [radius]
        )
        found += [record['fixed'][0], record['pred'], record['listed']]
    predicted, true = np.array(counts).T
    return predicted, true, 2 * found[0] / max(found[1] + found[2], 1)


def errors_after_a_line(predicted: np.ndarray, true: np.ndarray, labelled: int, draws: int) -> float:
    """Mean MAE of all other images after a line through ``labelled`` random ones."""
    errors = []
    for seed in range(draws):
        order = np.random.default_rng(seed).permutation(len(true))
        line = fit_line_calibration(predicted[order[:labelled]], true[order[:labelled]])
        rest = order[labelled:]
        errors.append(mae(line.apply(predicted[rest]), true[rest]))
    return float(np.mean(errors))


def main() -> None:
    """Parse arguments, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('models', nargs='+', help='names or files')
    parser.add_argument('--data', nargs='+', choices=('own', *PUBLIC), default=['own'])
    parser.add_argument('--labelled', type=int, default=8)
    parser.add_argument('--draws', type=int, default=5)
    parser.add_argument('--radius', type=float, default=5.0)
    parser.add_argument('--precision', choices=('float32', 'bfloat16'), default='float32')
    parser.add_argument('--out', type=Path, help='CSV file')
    args = parser.parse_args()
    torch.set_num_threads(int(os.environ.get('OMP_NUM_THREADS', '1')))
    register_all_modules(init_default_scope=False)
    rows = []
    for name in args.models:
        loaded, model = load(name)
        for data, cfg in data_sets(loaded, args.data):
            predicted, true, f1 = predict(loaded, model, cfg, args.radius, args.precision)
            rows.append(
                {
                    'model': loaded.card.name,
                    'data': data,
                    'images': len(true),
                    'mean': f'{true.mean():.1f}',
                    'mae': f'{mae(predicted, true):.2f}',
                    'bias': f'{bias(predicted, true):.2f}',
                    'rmse': f'{rmse(predicted, true):.2f}',
                    'r': f'{np.corrcoef(predicted, true)[0, 1]:.3f}',
                    'mae_line': f'{errors_after_a_line(predicted, true, args.labelled, args.draws):.2f}',
                    'mae_mean': f'{mae(np.full_like(true, true.mean()), true):.2f}',
                    'f1': f'{f1:.3f}',
                }
            )
            print('  '.join(f'{key}={value}' for key, value in rows[-1].items()), flush=True)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with open(args.out, 'w', newline='', encoding='utf-8') as stream:
            writer = csv.DictWriter(stream, FIELDS)
            writer.writeheader()
            writer.writerows(rows)


if __name__ == '__main__':
    main()
