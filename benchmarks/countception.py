"""Count-ception: the published way against what mmcount does, in one process and in interleaved rounds.

The plain network is the published one as PyTorch runs it by default: float32, NCHW, stride 1, whole 256 x 256 images,
batch normalisation of its own after every convolution.

A training step is forward, backward and one Adam update on 256 * 256 labelled pixels:

* plain: one whole image at stride 1, 288 * 288 windows;
* mmcount: four crops of 128 * 128 pixels with their context (160 * 160), every fourth window in both directions
  (4 * 32 * 32), bfloat16, channels last, the strided convolution by space-to-depth. Neighbouring windows share 31 of 32
  rows, so windows that are left out say almost nothing new; the line ``same windows`` keeps all of them.

Inference is the (1, 1, 288, 288) map of one image; errors are ``max |a - b| / max |b|`` of that map and the relative
error of its sum. For inference b is the plain network in float64, as two float32 ways differ by the rounding of both;
for tiles it is the whole image in the same precision. Times are medians; process time counts all threads and is the
one to read on a busy machine.

    python benchmarks/countception.py --threads 1 --rounds 5 --out benchmarks/results
"""

import argparse
import copy
import csv
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from mmcount.models import DenseCounter
from mmcount.models.deploy import prepare_inference
from mmcount.models.tiling import MapTiles

FIELDS = ['name', 'cpu_ms', 'wall_ms', 'reference', 'cpu_ratio', 'wall_ratio', 'target', 'map_error', 'count_error']


def build(stride: int = 1, plain_head: bool = False) -> DenseCounter:
    """The counter of Count-ception; ``plain_head`` is the last layer of the short recipe."""
    head = dict(type='mmcount.RedundantCountHead', codec=dict(type='mmcount.RedundantCountCodec', stride=stride))
    if plain_head:
        head.update(norm_cfg=None, act_cfg=None)
    model = DenseCounter(
        backbone=dict(type='mmcount.CountCeption', stride=stride),
        head=head,
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
    )
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight, gain=2**0.5)
    return model


def padded_images(batch: int, size: int) -> Tensor:
    """Smooth blobs on black with a halo of zeros, (B, 3, size + 64, size + 64)."""
    generator = torch.Generator().manual_seed(0)
    spots = (torch.rand(batch, 3, size, size, generator=generator) < 0.003).float()
    blobs = nn.functional.avg_pool2d(nn.functional.max_pool2d(spots, 9, 1, 4), 5, 1, 2)
    return nn.functional.pad(blobs, (32, 32, 32, 32))


def set_statistics(model: DenseCounter) -> None:
    """Statistics of normalisation as training would leave them."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.momentum = None
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.normal_(module.bias, 0.0, 0.2)
        model.train()(padded_images(1, 128))
    model.eval()


def training_step(batch: int, size: int, stride: int, fast: bool) -> Callable[[], Tensor]:
    """A function that trains for one step."""
    model = build(stride, plain_head=fast).train()
    images = padded_images(batch, size)
    if fast:
        # Crops bring 32 pixels of context in all, not a halo of 32 on every side.
        images = images[:, :, 16:-16, 16:-16].contiguous(memory_format=torch.channels_last)
    cells = -(-(images.shape[2] - 32) // stride)
    target = torch.rand(batch, 1, cells, cells)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step() -> Tensor:
        with torch.autocast('cpu', dtype=torch.bfloat16, enabled=fast):
            (out,) = model(images)
        loss = (out.float() - target).abs().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def inference(model: nn.Module, inputs: Tensor) -> Callable[[], Tensor]:
    """A function that computes the map of ``inputs``."""

    @torch.inference_mode()
    def run() -> Tensor:
        return model(inputs)[0].float()

    return run


def tiled_inference(model: nn.Module, inputs: Tensor, tiles: MapTiles) -> Callable[[], Tensor]:
    """A function that computes the map of the only image of ``inputs`` in tiles."""

    @torch.inference_mode()
    def run() -> Tensor:
        return tiles.maps(model, inputs[0])[0]

    return run


def measure(trials: dict[str, Callable[[], Tensor]], rounds: int) -> tuple[dict, dict]:
    """Median process and wall time of every trial, in interleaved rounds after one that warms up.

    Returns:
        ``{name: (cpu_ms, wall_ms)}`` and ``{name: output}``.
    """
    outputs = {name: trial() for name, trial in trials.items()}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in trials}
    for _ in range(rounds):
        for name, trial in trials.items():
            wall, cpu = time.perf_counter(), time.process_time()
            trial()
            times[name].append(((time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3))
    medians = {name: tuple(statistics.median(one) for one in zip(*rows, strict=True)) for name, rows in times.items()}
    return medians, outputs


def report(group: str, trials: dict, rounds: int, targets: dict[str, str], exact: Tensor | None = None) -> list[dict]:
    """Measure a group of trials and print its part of the table.

    Args:
        group: Its name.
        trials: The first is the reference of all ratios.
        rounds: Repeats.
        targets: Ratios that are asked for.
        exact: What the outputs ought to be; None reports no errors.
    """
    medians, outputs = measure(trials, rounds)
    reference = next(iter(trials))
    rows = []
    for name, (cpu, wall) in medians.items():
        row = dict(name=f'{group}: {name}', cpu_ms=round(cpu, 1), wall_ms=round(wall, 1), reference=reference)
        row['cpu_ratio'] = round(medians[reference][0] / cpu, 3)
        row['wall_ratio'] = round(medians[reference][1] / wall, 3)
        row['target'] = targets.get(name, '')
        if exact is not None:
            other = outputs[name].double()
            row['map_error'] = f'{float((other - exact).abs().max() / exact.abs().max()):.1e}'
            row['count_error'] = f'{float((other.sum() - exact.sum()).abs() / exact.sum().abs()):.1e}'
        rows.append(row)
        print('  '.join(str(row.get(field, '')).ljust(34 if field == 'name' else 11) for field in FIELDS), flush=True)
    return rows


def training_rows(args: argparse.Namespace) -> list[dict]:
    """The training group."""
    trials = {
        'plain, 1 whole image': training_step(1, 256, 1, fast=False),
        'mmcount, 4 crops at stride 4': training_step(4, 128, 4, fast=True),
    }
    if args.all:
        trials['mmcount, same windows'] = training_step(4, 128, 1, fast=True)
    return report('train', trials, args.rounds, {'mmcount, 4 crops at stride 4': '>= 4'})


def inference_rows(args: argparse.Namespace, model: DenseCounter) -> list[dict]:
    """The inference group."""
    inputs = padded_images(1, 256)
    trials = {
        'plain': inference(model, inputs),
        'fp32': inference(prepare_inference(model), inputs),
        'bf16': inference(prepare_inference(model, 'bf16'), inputs),
    }
    if args.all:
        trials['fp32, fold only'] = inference(prepare_inference(model, fft=False), inputs.contiguous())
        trials['fp32, FFT only'] = inference(prepare_inference(model, fold=False), inputs)
        trials['bf16, no FFT'] = inference(prepare_inference(model, 'bf16', fft=False), inputs)
        autocast = copy.deepcopy(model).to(memory_format=torch.channels_last)
        channels_last = inputs.contiguous(memory_format=torch.channels_last)

        @torch.inference_mode()
        def autocast_run() -> Tensor:
            with torch.autocast('cpu', dtype=torch.bfloat16):
                return autocast(channels_last)[0].float()

        trials['bf16 by autocast'] = autocast_run
    # Torch unrolls float64 convolutions in memory: 27 GB for the whole image.
    exact = tiled_inference(copy.deepcopy(model).double(), inputs.double(), MapTiles(size=64))().double()
    return report('infer', trials, args.rounds, {'fp32': '>= 2', 'bf16': '>= 4'}, exact)


def tiling_rows(args: argparse.Namespace, model: DenseCounter) -> list[dict]:
    """The tiling group: a ratio under 1 is the overhead."""
    inputs = padded_images(1, args.tiled_size)
    rows = []
    for precision in ('fp32', 'bf16'):
        fast = prepare_inference(model, precision)
        whole = inference(fast, inputs)
        trials = {'whole': whole}
        for tile in args.tiles:
            trials[f'tile {tile}'] = tiled_inference(fast, inputs, MapTiles(size=tile))
        targets = {f'tile {tile}': '>= 0.909' for tile in args.tiles if 192 <= tile <= 288}
        rows += report(f'{precision} {args.tiled_size}', trials, args.tiled_rounds, targets, whole().double())
    return rows


def processor() -> str:
    """Name of the CPU, or of the architecture where the system does not say."""
    try:
        lines = Path('/proc/cpuinfo').read_text(encoding='utf-8').splitlines()
        return next(line.split(':', 1)[1].strip() for line in lines if line.startswith('model name'))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def commit() -> str:
    """The commit of the checkout."""
    call = ['git', '-C', str(Path(__file__).parent), 'describe', '--always', '--dirty', '--abbrev=12']
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    return done.stdout.strip() or 'unknown'


def write_csv(folder: Path, rows: list[dict], conditions: dict[str, str]) -> Path:
    """Write all rows, with the conditions as comment lines before the header."""
    folder.mkdir(parents=True, exist_ok=True)
    name = ''.join(one if one.isalnum() else '-' for one in conditions['cpu'].lower())
    path = folder / f'countception_{name}_{conditions["threads"]}t.csv'
    partial = path.with_suffix('.tmp')
    with partial.open('w', newline='', encoding='utf-8') as file:
        file.writelines(f'# {key}: {value}\n' for key, value in conditions.items())
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)
    return path


def main() -> None:
    """Run the groups that the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--tiled-rounds', type=int, default=3)
    parser.add_argument('--tiled-size', type=int, default=1024, help='side of the image that is tiled')
    parser.add_argument('--tiles', type=int, nargs='+', default=[192, 256], help='sides of the tiles')
    parser.add_argument('--groups', nargs='+', default=['train', 'infer', 'tile'], choices=['train', 'infer', 'tile'])
    parser.add_argument('--all', action='store_true', help='also each step of the way')
    parser.add_argument('--out', type=Path, help='folder of the CSV file')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    load = os.getloadavg()[0] if hasattr(os, 'getloadavg') else float('nan')
    conditions = dict(
        cpu=processor(), cores=str(os.cpu_count()), threads=str(args.threads), load_at_start=f'{load:.1f}',
        capability=torch.backends.cpu.get_cpu_capability(), torch=torch.__version__, python=platform.python_version(),
        commit=commit(), rounds=str(args.rounds), tiled_rounds=str(args.tiled_rounds),
    )  # fmt: skip
    print('  '.join(f'{key}={value}' for key, value in conditions.items()))
    print('  '.join(field.ljust(34 if field == 'name' else 11) for field in FIELDS))
    model = build()
    set_statistics(model)
    rows = []
    if 'train' in args.groups:
        rows += training_rows(args)
    if 'infer' in args.groups:
        rows += inference_rows(args, model)
    if 'tile' in args.groups:
        rows += tiling_rows(args, model)
    if args.out:
        print(f'wrote {write_csv(args.out, rows, conditions)}')


if __name__ == '__main__':
    main()
