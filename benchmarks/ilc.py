"""Counting from image-level counts: a training step at full size, and what its head and losses add to the backbone.

The counter is that of ``configs/ilc``: ResNet-50 and ``LowerCountHead`` in its second stage, on 448 x 448 pixels, with
counts drawn as often as those of VOC 2007 (20 classes) or COCO 2014 (80 classes, one in ten empty pairs of rare
classes). Weights are random. Contenders take turns in one process per data set:

* ``step``: forward, backward and an SGD update: with the head; with the mean of the features as the only loss; and
  with the head's convolutions but the losses of the loop.
* ``head``: the head and its losses alone, forward and backward, on given features.
* ``loss``: the losses alone, forward and backward, on given class maps and density.

The *loop* is our own write-up of the published formulation: peaks through the indices of a max-pool and a median; the
pseudo ground truth by one global max-pool for every object of the largest count and a loop over images and classes that
reads each count from the device; terms by index lists. Its losses and gradients are compared with ours before timing.

Times are medians in milliseconds; process time counts all threads and is the one to read on a busy machine, wall time
on a GPU. ``share`` is the part of the whole step: of ``head`` and ``loss`` by themselves, and of a ``step`` what it
takes more than the backbone, which is the difference of two large numbers and may drown in their noise. ``peak_mb`` is
the largest memory so far: of the process, or of tensors on a GPU.

    python benchmarks/ilc.py --threads 1 --rounds 2 --out benchmarks/results
"""

import argparse
import csv
import io
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import torch
import torch.nn.functional as F
from countception import commit, processor
from torch import Tensor

from mmcount.models import DenseCounter
from mmcount.models.heads import LowerCountHead
from mmcount.models.losses import lower_count_losses, sample_negatives
from mmcount.ops import is_compiled, peak_stimulation, topk_peak_mask
from mmcount.structures import CountDataSample
from mmcount.utils import register_all_modules
from mmcount.utils.atomic import write_atomic

FIELDS = ['data', 'part', 'contender', 'batch', 'cpu_ms', 'wall_ms', 'cpu_ratio', 'wall_ratio', 'share', 'peak_mb']
LIMIT = 4


class Data(NamedTuple):
    """What the counts of a data set look like.

    Attributes:
        num_classes: C.
        present: Classes that an image holds, on average.
        above: Share of these with more than four objects.
        sampling: Negative sampling of its config.
    """

    num_classes: int
    present: float
    above: float
    sampling: dict | None


DATA = {'voc': Data(20, 1.61, 0.08, None), 'coco': Data(80, 2.91, 0.13, dict(rare_below=0.3, keep_prob=0.1))}


def draw_counts(data: Data, batch: int, generator: torch.Generator) -> Tensor:
    """(N, C) counts up to five; every case is in the batch."""
    shape = (batch, data.num_classes)
    present = torch.rand(shape, generator=generator) < data.present / data.num_classes
    above = torch.rand(shape, generator=generator) < data.above
    exact = torch.multinomial(torch.tensor([0.6, 0.2, 0.12, 0.08]), batch * data.num_classes, True, generator=generator)
    counts = torch.where(above, LIMIT + 1, exact.view(shape) + 1) * present
    counts[0, :3] = torch.tensor([0, 2, LIMIT + 1])
    return counts.float()


class LoopStimulation(torch.autograd.Function):
    """Mean of the peaks of each map, with the gradient of their sum."""

    @staticmethod
    def forward(ctx, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (N, C) and the mask of the peaks."""
        height, width = maps.shape[2:]
        padded = F.pad(maps, (1, 1, 1, 1), value=-torch.inf)
        _, winner = F.max_pool2d(padded, 3, 1, return_indices=True)
        own = torch.arange(padded.shape[2] * padded.shape[3], device=maps.device).view(height + 2, width + 2)
        median = maps.flatten(2).median(dim=2).values[:, :, None, None]
        mask = (winner == own[1:-1, 1:-1]) & (maps >= median)
        ctx.save_for_backward(mask)
        ctx.mark_non_differentiable(mask)
        return (maps * mask).sum(dim=(2, 3)) / mask.sum(dim=(2, 3)), mask

    @staticmethod
    def backward(ctx, grad: Tensor, _: Tensor) -> Tensor:
        """1 at each peak."""
        (mask,) = ctx.saved_tensors
        return mask * grad[:, :, None, None]


def loop_pseudo_gt(maps: Tensor, mask: Tensor, counts: Tensor) -> Tensor:
    """As many of the highest peaks as objects, for every image and class in turn."""
    left = torch.where(mask, maps, -torch.inf)
    levels = []
    for _ in range(int(counts.max())):
        highest = F.adaptive_max_pool2d(left, 1)
        levels.append(highest[:, :, 0, 0])
        left = torch.where(left == highest, -torch.inf, left)
    height = torch.full_like(counts, torch.inf)
    for n in range(counts.shape[0]):
        for c in range(counts.shape[1]):
            number = int(counts[n, c])
            if number > 0:
                height[n, c] = levels[number - 1][n, c]
    return mask & (maps >= height[:, :, None, None])


def loop_losses(maps: Tensor, logits: Tensor, counts: Tensor, sampling: dict | None) -> Tensor:
    """The weighted sum of all terms of the second stage."""
    scores, mask = LoopStimulation.apply(maps)
    pseudo_gt = loop_pseudo_gt(maps.detach(), mask, counts)
    exact, above = (counts > 0) & (counts <= LIMIT), counts > LIMIT
    empty = counts == 0 if sampling is None else sample_negatives(counts, **sampling)
    predicted = F.adaptive_avg_pool2d(logits, 1)[:, :, 0, 0]
    total = F.multilabel_soft_margin_loss(scores, (counts > 0).float())
    cells = logits[pseudo_gt & exact[:, :, None, None]]
    if len(cells):
        total = total + F.binary_cross_entropy_with_logits(cells, torch.ones_like(cells))
    if bool(empty.any()):
        cells = logits[empty]
        total = total + F.binary_cross_entropy_with_logits(cells, torch.zeros_like(cells))
    counted = exact | empty
    if bool(counted.any()):
        total = total + F.mse_loss(predicted[counted], counts[counted])
    if bool(above.any()):
        total = total + 0.1 * (LIMIT + 1 - predicted[above]).clamp(min=0).mean()
    return total


def our_losses(maps: Tensor, logits: Tensor, counts: Tensor, sampling: dict | None) -> Tensor:
    """The same through ``mmcount.ops`` and ``mmcount.models.losses``."""
    peaks = peak_stimulation(maps)
    pseudo_gt = topk_peak_mask(maps, peaks.mask, counts, limit=LIMIT)
    negatives = None if sampling is None else sample_negatives(counts, **sampling)
    terms = lower_count_losses(peaks.scores, logits, pseudo_gt, counts, limit=LIMIT, stage=2, negatives=negatives)
    return sum(terms.values()) - 0.9 * terms['rank']


LOSSES = {'mmcount': our_losses, 'loop': loop_losses}


def check(maps: Tensor, logits: Tensor, counts: Tensor, data: Data) -> None:
    """Raise unless both ways give one loss and one gradient, with sampling and without."""
    for sampling in (None, data.sampling):
        found = []
        for loss in LOSSES.values():
            torch.manual_seed(1)
            value = loss(maps, logits, counts, sampling)
            found.append((value.detach(), *torch.autograd.grad(value, (maps, logits))))
        for ours, theirs in zip(*found, strict=True):
            torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=1e-5)


def trials_of(
    data: Data, args: argparse.Namespace, device: torch.device
) -> Iterator[tuple[str, int, dict[str, Callable[[], object]]]]:
    """Name of a part, its rounds, and its contenders."""
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    counts = draw_counts(data, args.batch_size, generator).to(device)
    samples = [CountDataSample(metainfo=dict(img_shape=(args.size, args.size))) for _ in range(args.batch_size)]
    for sample, row in zip(samples, counts, strict=True):
        sample.gt_counts = row
    counter = DenseCounter(
        backbone=dict(type='mmdet.ResNet', depth=50, out_indices=(3,), norm_eval=False),
        head=dict(
            type='mmcount.LowerCountHead',
            num_classes=data.num_classes,
            in_channels=2048,
            limit=LIMIT,
            negative_sampling=data.sampling,
        ),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
    )
    counter = counter.to(device).train()
    images = torch.randn(args.batch_size, 3, args.size, args.size, generator=generator).to(device)
    with torch.no_grad():
        cells = counter.backbone(images[:1])[-1].shape[2:]
    feats = torch.randn(args.batch_size, 2048, *cells, generator=generator).relu().to(device)
    shape = (args.batch_size, data.num_classes, *cells)
    maps, logits = (torch.randn(shape, generator=generator).to(device).requires_grad_() for _ in range(2))
    check(maps, logits, counts, data)
    if 'step' in args.parts:
        yield 'step', args.rounds, step_trials(counter, images, samples)
    if 'head' in args.parts:
        yield 'head', args.head_rounds, head_trials(counter.head, feats.requires_grad_(), samples)
    if 'loss' in args.parts:
        yield 'loss', args.head_rounds, loss_trials(maps, logits, counts, data)


def loop_head_loss(head: LowerCountHead, feats: tuple[Tensor, ...], samples: list[CountDataSample]) -> Tensor:
    """Loss of a head whose terms are those of the loop."""
    maps, logits = head(feats)
    counts = head.true_counts(samples).to(maps.device)
    return loop_losses(maps, logits, counts, head.negative_sampling)


def our_head_loss(head: LowerCountHead, feats: tuple[Tensor, ...], samples: list[CountDataSample]) -> Tensor:
    """Loss of a head."""
    return sum(head.loss(head(feats), samples).values())


def step_trials(
    counter: DenseCounter, images: Tensor, samples: list[CountDataSample]
) -> dict[str, Callable[[], object]]:
    """Whole training steps of one network; memory only rises, so what needs least comes first."""
    groups = [
        dict(params=list(counter.backbone.parameters()), lr=1e-4),
        dict(params=list(counter.head.parameters()), lr=1e-2),
    ]
    optimizer = torch.optim.SGD(groups, momentum=0.9, weight_decay=1e-4)

    def run(loss: Callable[[tuple[Tensor, ...]], Tensor]) -> None:
        optimizer.zero_grad()
        loss(counter.extract_feat(images)).backward()
        optimizer.step()

    return {
        'backbone only': lambda: run(lambda feats: feats[-1].mean()),
        'mmcount': lambda: run(lambda feats: our_head_loss(counter.head, feats, samples)),
        'loop': lambda: run(lambda feats: loop_head_loss(counter.head, feats, samples)),
    }


def head_trials(head: LowerCountHead, feats: Tensor, samples: list[CountDataSample]) -> dict[str, Callable[[], object]]:
    """Forward and backward from given features."""

    def run(loss: Callable[..., Tensor]) -> None:
        head.zero_grad()
        feats.grad = None
        loss(head, (feats,), samples).backward()

    return {'mmcount': lambda: run(our_head_loss), 'loop': lambda: run(loop_head_loss)}


def loss_trials(maps: Tensor, logits: Tensor, counts: Tensor, data: Data) -> dict[str, Callable[[], object]]:
    """Forward and backward from given class maps and density."""

    def run(loss: Callable[..., Tensor]) -> None:
        maps.grad = logits.grad = None
        loss(maps, logits, counts, data.sampling).backward()

    return {name: lambda loss=loss: run(loss) for name, loss in LOSSES.items()}


def peak_mb(device: torch.device) -> float:
    """Largest memory so far, in MB of 10^6 bytes."""
    if device.type == 'cuda':
        return torch.cuda.max_memory_allocated(device) / 1e6
    unit = 1 if sys.platform == 'darwin' else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e6


def measure(
    trials: dict[str, Callable[[], object]], rounds: int, device: torch.device
) -> dict[str, tuple[float, float, float]]:
    """Median process and wall time in ms, and peak memory in MB, in interleaved rounds after one that warms up."""

    def wait() -> None:
        if device.type == 'cuda':
            torch.cuda.synchronize(device)

    peaks: dict[str, float] = {}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in trials}
    for name, trial in trials.items():
        if device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats(device)
        trial()
        wait()
        peaks[name] = peak_mb(device)
    for _ in range(rounds):
        for name, trial in trials.items():
            wait()
            wall, cpu = time.perf_counter(), time.process_time()
            trial()
            wait()
            times[name].append(((time.process_time() - cpu) * 1e3, (time.perf_counter() - wall) * 1e3))
    medians = {name: [statistics.median(one) for one in zip(*rows, strict=True)] for name, rows in times.items()}
    return {name: (cpu, wall, peaks[name]) for name, (cpu, wall) in medians.items()}


def rows_of(name: str, args: argparse.Namespace) -> list[dict]:
    """Measure one data set; in a process of its own, whose memory is that of this data set."""
    register_all_modules()
    torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    clock = 1 if device.type == 'cuda' else 0
    rows, step = [], None
    for part, rounds, trials in trials_of(DATA[name], args, device):
        results = measure(trials, rounds, device)
        own = results['mmcount']
        step = own if part == 'step' else step
        for contender, (cpu, wall, memory) in results.items():
            row = dict(data=name, part=part, contender=contender, batch=args.batch_size)
            row.update(cpu_ms=round(cpu, 2), wall_ms=round(wall, 2), peak_mb=round(memory))
            row.update(cpu_ratio=round(cpu / own[0], 3), wall_ratio=round(wall / own[1], 3))
            if step is not None:
                spent = (cpu, wall)[clock] - (results['backbone only'][clock] if part == 'step' else 0)
                row['share'] = f'{spent / step[clock]:.4f}'
            rows.append(row)
            print('  '.join(str(row.get(field, '')).ljust(14) for field in FIELDS), flush=True)
    return rows


def write_csv(path: Path, rows: list[dict], conditions: dict[str, str]) -> None:
    """Write all rows, with the conditions as comment lines before the header."""
    text = io.StringIO(newline='')
    text.writelines(f'# {key}: {value}\n' for key, value in conditions.items())
    writer = csv.DictWriter(text, FIELDS, lineterminator='\n')
    writer.writeheader()
    writer.writerows(rows)
    write_atomic(path, text.getvalue())


def main() -> None:
    """Run what the arguments ask for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--device', default='cpu', help='cpu, cuda or cuda:1 ...')
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--size', type=int, default=448, help='side of the images')
    parser.add_argument('--rounds', type=int, default=2, help='repeats of whole steps')
    parser.add_argument('--head-rounds', type=int, default=9, help='repeats of the head and of the losses alone')
    parser.add_argument('--data', nargs='+', default=list(DATA), choices=list(DATA))
    parser.add_argument('--parts', nargs='+', default=['step', 'head', 'loss'], choices=['step', 'head', 'loss'])
    parser.add_argument('--out', type=Path, help='folder of the CSV file, or the file')
    args = parser.parse_args()
    on_gpu = torch.device(args.device).type == 'cuda'
    machine = torch.cuda.get_device_name(args.device) if on_gpu else processor()
    conditions = dict(
        device=machine, cores=str(os.cpu_count()), threads=str(args.threads), load_at_start=f'{os.getloadavg()[0]:.1f}',
        size=str(args.size), torch=torch.__version__, python=platform.python_version(), commit=commit(),
        compiled_ops=str(is_compiled(torch.device(args.device).type)), rounds=str(args.rounds),
        head_rounds=str(args.head_rounds),
    )  # fmt: skip
    print('  '.join(f'{key}={value}' for key, value in conditions.items()))
    print('  '.join(field.ljust(14) for field in FIELDS), flush=True)
    rows = []
    for name in args.data:
        with ProcessPoolExecutor(1, mp_context=get_context('spawn')) as pool:
            rows += pool.submit(rows_of, name, args).result()
    if args.out:
        words = ''.join(one if one.isalnum() else '-' for one in machine.lower())
        suffix = '' if on_gpu else f'_{args.threads}t'
        path = args.out if args.out.suffix == '.csv' else args.out / f'ilc_{words}{suffix}.csv'
        write_csv(path, rows, conditions)
        print(f'wrote {path}')


if __name__ == '__main__':
    main()
