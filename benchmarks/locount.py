"""Time the evaluation of a test set of Locount's size against the published procedure and pycocotools.

``published procedure`` is our own write-up of what the paper's evaluation does: COCO's loops over classes, areas and
images with one more loop over count thresholds, a detection moving on to a ground truth only if both its IoU and its
accuracy are at least those of the one before, four ranges of areas and three limits of detections. Its time grows with
the images, so it runs on the first ``--published-images`` of them and is scaled up. mmcount does more in the timed
call: six subsets instead of three, COCO's numbers and the errors of counts. Peak memory is that of a process which
only evaluates, and what that has before (interpreter, libraries and samples); read on Linux.

    python benchmarks/locount.py --rounds 5 --out benchmarks/results/locount.csv
"""

import argparse
import contextlib
import csv
import io
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from pycocotools import mask as mask_utils
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from mmcount.evaluation import LocountMetric
from mmcount.evaluation.functional import (
    GRID_THRS,
    LOCOUNT_SUBSETS,
    DetectedBoxes,
    Subset,
    TrueBoxes,
    locount_scores,
    outside_masks,
    score_grid,
)
from mmcount.ops import is_compiled

Array = NDArray[np.float64]
RECALLS = np.linspace(0, 1, 101)
AREAS = [(0.0, 1e10), (0.0, 150.0**2), (150.0**2, 300.0**2), (300.0**2, 1e10)]
MAX_DETS = (150, 300, 1000)


def shelves(num_images: int, num_classes: int, num_gt: int, num_dets: int) -> tuple[DetectedBoxes, TrueBoxes]:
    """Boxes of all sizes at 1920 x 1080; most are found, with errors of place and count, the rest is spurious."""
    rng = np.random.default_rng(0)
    images = np.repeat(np.arange(num_images), num_gt)
    size = len(images)
    sides = np.exp(rng.normal(np.log(170), 0.6, (size, 2))).clip(16, 700)
    boxes = np.concatenate((rng.random((size, 2)) * (1900, 1060), sides), axis=1).round()
    counts = np.where(rng.random(size) < 0.75, 1, rng.integers(1, 25, size)).astype(float)
    labels = rng.integers(0, num_classes, size)
    truth = TrueBoxes(images, labels, boxes, counts)
    # Every image gets num_dets detections: one or two near each object, and spurious ones of its classes.
    source = np.concatenate([rng.integers(0, num_gt, num_dets) + image * num_gt for image in range(num_images)])
    found = boxes[source] + rng.normal(0, 0.07, (len(source), 4)) * sides[source][:, [0, 1, 0, 1]]
    found[:, 2:] = np.maximum(found[:, 2:], 4)
    stray = rng.random(len(source)) < 0.3
    found[stray, :2] = rng.random((stray.sum(), 2)) * (1900, 1060)
    guesses = np.maximum(1, counts[source] + rng.choice([0, 0, 0, 1, -1, 3], len(source)))
    scores = (rng.random(len(source)) * np.where(stray, 0.6, 1)).astype(np.float32)
    return DetectedBoxes(images[source], labels[source], found, scores, guesses), truth


def first_images(pred: DetectedBoxes, gt: TrueBoxes, number: int) -> tuple[DetectedBoxes, TrueBoxes]:
    """The tables of the images below ``number``."""
    rows, gt_rows = pred.images < number, gt.images < number
    found = [getattr(pred, key)[rows] for key in ('images', 'labels', 'bboxes', 'scores', 'counts')]
    true = [getattr(gt, key)[gt_rows] for key in ('images', 'labels', 'bboxes', 'counts', 'areas', 'crowd')]
    return DetectedBoxes(*found), TrueBoxes(*true)


class PublishedProcedure:
    """AP_lc as a loop in Python over classes, areas, images, both kinds of thresholds, detections and ground truth."""

    def __init__(self, pred: DetectedBoxes, gt: TrueBoxes, num_classes: int, num_images: int) -> None:
        self.shape = (num_classes, num_images)
        self.found, self.true = defaultdict(list), defaultdict(list)
        for row in range(len(pred)):
            one = (pred.scores[row], pred.bboxes[row].tolist(), pred.counts[row])
            self.found[pred.labels[row], pred.images[row]].append(one)
        for row in range(len(gt)):
            self.true[gt.labels[row], gt.images[row]].append((gt.bboxes[row].tolist(), gt.counts[row], gt.areas[row]))

    def overlaps(self, label: int, image: int) -> tuple[Array, Array]:
        """IoU and accuracy of counts of every pair."""
        found = sorted(self.found[label, image], key=lambda one: -one[0])[: MAX_DETS[-1]]
        true = self.true[label, image]
        ious = mask_utils.iou([one[1] for one in found], [one[0] for one in true], [0] * len(true))
        counts, true_counts = np.array([one[2] for one in found]), np.array([one[1] for one in true])
        return np.asarray(ious), np.maximum(0, 1 - np.abs(counts[:, None] - true_counts) / true_counts)

    def judge(self, label: int, image: int, area: tuple[float, float], pairs: tuple[Array, Array]) -> dict | None:
        """Matches of one class in one image."""
        true = self.true[label, image]
        found = sorted(self.found[label, image], key=lambda one: -one[0])[: MAX_DETS[-1]]
        if not true and not found:
            return None
        ignored = np.array([not area[0] <= one[2] <= area[1] for one in true], dtype=bool)
        order = np.argsort(ignored, kind='stable')
        ignored = ignored[order]
        shape = (len(GRID_THRS), len(GRID_THRS))
        taken, matched = np.zeros((*shape, len(true))), np.zeros((*shape, len(found)))
        dropped = np.zeros((*shape, len(found)), dtype=bool)
        if true and found:
            ious, accuracies = pairs[0][:, order], pairs[1][:, order]
            for i, iou_thr in enumerate(GRID_THRS):
                for c, count_thr in enumerate(GRID_THRS):
                    for d in range(len(found)):
                        best_iou, best_accuracy, best = min(iou_thr, 1 - 1e-10), count_thr, -1
                        for g in range(len(true)):
                            if taken[i, c, g] > 0:
                                continue
                            if best > -1 and not ignored[best] and ignored[g]:
                                break
                            if ious[d, g] < best_iou or accuracies[d, g] < best_accuracy:
                                continue
                            best_iou, best_accuracy, best = ious[d, g], accuracies[d, g], g
                        if best > -1:
                            dropped[i, c, d] = ignored[best]
                            matched[i, c, d], taken[i, c, best] = 1, 1
        beyond = np.array([not area[0] <= one[1][2] * one[1][3] <= area[1] for one in found], dtype=bool)
        dropped |= (matched == 0) & beyond
        scores = np.array([one[0] for one in found])
        return dict(scores=scores, matched=matched, dropped=dropped, ignored=ignored)

    def accumulate(self, parts: list[dict], max_dets: int) -> tuple[Array, Array]:
        """Average precision and recall of one class in all cells."""
        order = np.argsort(-np.concatenate([one['scores'][:max_dets] for one in parts]), kind='mergesort')
        matched = np.concatenate([one['matched'][..., :max_dets] for one in parts], axis=2)[..., order] > 0
        dropped = np.concatenate([one['dropped'][..., :max_dets] for one in parts], axis=2)[..., order]
        num_gt = sum(int((~one['ignored']).sum()) for one in parts)
        ap, recalls = np.full(matched.shape[:2], np.nan), np.full(matched.shape[:2], np.nan)
        if not num_gt:
            return ap, recalls
        true = np.cumsum(matched & ~dropped, axis=2).astype(float)
        false = np.cumsum(~matched & ~dropped, axis=2).astype(float)
        for i in range(matched.shape[0]):
            for c in range(matched.shape[1]):
                recall = true[i, c] / num_gt
                precision = (true[i, c] / (false[i, c] + true[i, c] + np.spacing(1))).tolist()
                for k in range(len(precision) - 1, 0, -1):
                    precision[k - 1] = max(precision[k - 1], precision[k])
                curve = np.zeros(len(RECALLS)).tolist()
                for r, at in enumerate(np.searchsorted(recall, RECALLS, side='left')):
                    if at >= len(precision):
                        break
                    curve[r] = precision[at]
                ap[i, c], recalls[i, c] = np.mean(curve), recall[-1] if len(recall) else 0
        return ap, recalls

    def run(self) -> dict[str, float]:
        """All classes, areas and limits; AP_lc and AR_lc of everything are returned."""
        means: dict[tuple[int, int], list[tuple[Array, Array]]] = defaultdict(list)
        for label in range(self.shape[0]):
            keys = range(self.shape[1])
            pairs = {image: self.overlaps(label, image) for image in keys
                     if self.found[label, image] and self.true[label, image]}  # fmt: skip
            for number, area in enumerate(AREAS):
                judged = [self.judge(label, image, area, pairs.get(image, (np.empty(0),) * 2)) for image in keys]
                parts = [one for one in judged if one is not None]
                for max_dets in MAX_DETS if parts else ():
                    means[number, max_dets].append(self.accumulate(parts, max_dets))
        ap, recall = (np.concatenate([one[k].ravel() for one in means[0, MAX_DETS[0]]]) for k in range(2))
        return {'AP_lc': float(np.nanmean(ap)), 'AR_lc_150': float(np.nanmean(recall))}


def coco_api(pred: DetectedBoxes, gt: TrueBoxes, num_classes: int, num_images: int) -> Callable[[], Array]:
    """An evaluation by pycocotools of four areas, 150 detections; loading is not timed."""
    truth = COCO()
    truth.dataset = {
        'images': [{'id': image} for image in range(num_images)],
        'categories': [{'id': label} for label in range(num_classes)],
        'annotations': [
            {'id': row + 1, 'image_id': int(gt.images[row]), 'category_id': int(gt.labels[row]), 'iscrowd': 0,
             'bbox': gt.bboxes[row].tolist(), 'area': float(gt.areas[row])}
            for row in range(len(gt))
        ],
    }  # fmt: skip
    results = [
        {'image_id': int(pred.images[row]), 'category_id': int(pred.labels[row]), 'bbox': pred.bboxes[row].tolist(),
         'score': float(pred.scores[row])}
        for row in range(len(pred))
    ]  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
        found = truth.loadRes(results)

    def run() -> Array:
        with contextlib.redirect_stdout(io.StringIO()):
            evaluation = COCOeval(truth, found, 'bbox')
            evaluation.params.maxDets = [MAX_DETS[0]]
            evaluation.params.areaRng = [list(one) for one in AREAS]
            evaluation.params.areaRngLbl = ['all', 'SS', 'MS', 'LS']
            evaluation.evaluate()
            evaluation.accumulate()
        precision = evaluation.eval['precision'][..., 0].mean(axis=1)  # (T, K, A)
        return np.where(precision < 0, np.nan, precision).transpose(1, 2, 0)

    return run


def records(pred: DetectedBoxes, gt: TrueBoxes) -> list[dict]:
    """The samples of all images, as the runner gives them to the metric."""

    def fields(table: DetectedBoxes | TrueBoxes, rows: slice, names: tuple[str, ...]) -> dict[str, torch.Tensor]:
        boxes = table.bboxes[rows].astype(np.float32)
        corners = np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1)
        return {'bboxes': torch.from_numpy(corners), **{k: torch.from_numpy(getattr(table, k)[rows]) for k in names}}

    samples = []
    images = np.unique(gt.images)
    ranges = [np.searchsorted(table.images, [images, images + 1]).T for table in (pred, gt)]
    for image, (begin, end), (first, last) in zip(images, *ranges, strict=True):
        found = fields(pred, slice(begin, end), ('labels', 'scores', 'counts'))
        true = fields(gt, slice(first, last), ('labels', 'counts'))
        samples.append({'img_id': int(image), 'pred_instances': found, 'gt_instances': true})
    return samples


def evaluate_metric(samples: list[dict], num_classes: int) -> dict[str, float]:
    """What a run of the test loop does besides predicting."""
    metric = LocountMetric()
    metric.dataset_meta = {'classes': tuple(map(str, range(num_classes)))}
    for one in samples:
        metric.process({}, [one])
    return metric.evaluate(len(samples))


def timed(call: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median process and wall time, s."""
    times = []
    for _ in range(rounds):
        cpu, wall = time.process_time(), time.perf_counter()
        call()
        times.append((time.process_time() - cpu, time.perf_counter() - wall))
    return statistics.median(one[0] for one in times), statistics.median(one[1] for one in times)


def memory_mb(name: str) -> float:
    """A size of this process as Linux tells it, MB."""
    lines = Path('/proc/self/status').read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(name))


def peak_memory(argv: list[str]) -> dict[str, float]:
    """Peak memory of a process that only makes the tables and evaluates, and what it has before, MB."""
    command = [sys.executable, __file__, *argv, '--memory']
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def main() -> None:
    """Check that the numbers agree, time everything, print a table and write it as CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--images', type=int, default=1000)
    parser.add_argument('--classes', type=int, default=140)
    parser.add_argument('--gt', type=int, default=38, help='objects of an image')
    parser.add_argument('--dets', type=int, default=100, help='detections of an image')
    parser.add_argument('--published-images', type=int, default=100, help='images for the published procedure')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--out', type=Path)
    parser.add_argument('--memory', action='store_true', help='only evaluate, and print the peak memory')
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    pred, gt = shelves(args.images, args.classes, args.gt, args.dets)
    samples = records(pred, gt)
    if args.memory:
        before = memory_mb('VmRSS')
        Path('/proc/self/clear_refs').write_text('5')  # starts VmHWM anew
        cpu, wall = timed(lambda: evaluate_metric(samples, args.classes), 1)
        print(json.dumps({'before': before, 'peak': memory_mb('VmHWM'), 'cpu_s': cpu, 'wall_s': wall}))
        return
    print(f'{platform.processor() or platform.machine()}, torch {torch.__version__}, compiled: {is_compiled("cpu")}')
    print(f'{args.threads} thread(s), load average {os.getloadavg()[0]:.1f} at the start')

    api = coco_api(pred, gt, args.classes, args.images)
    masks = outside_masks(pred, gt, (Subset('all'), *LOCOUNT_SUBSETS[:3]), 'any')
    blind = DetectedBoxes(pred.images, pred.labels, pred.bboxes, pred.scores)

    def plain() -> Array:
        return score_grid(blind, gt, args.classes, GRID_THRS, (0.0,), *masks).ap[..., 0]

    difference = np.nanmax(np.abs(plain() - api()))
    print(f'largest difference of an AP to pycocotools: {difference:.1e}')
    part = first_images(pred, gt, args.published_images)
    published = PublishedProcedure(*part, args.classes, args.published_images)
    theirs, ours = published.run(), locount_scores(*part, args.classes).metrics()
    for key, value in theirs.items():
        print(f'{key} of {args.published_images} images: published procedure {value:.5f}, mmcount {ours[key]:.5f}')

    scale = args.images / args.published_images
    full = timed(lambda: locount_scores(pred, gt, args.classes), args.rounds)
    rows: list[tuple[str, str, tuple[float, float], tuple[float, float]]] = [
        ('10 x 10 grid, all subsets', 'mmcount', full, full),
        ('10 x 10 grid, all subsets', 'LocountMetric', timed(lambda: evaluate_metric(samples, args.classes), 3), full),
    ]
    once = timed(published.run, 1)
    rows.append(('10 x 10 grid, 4 areas', 'published procedure, scaled', (once[0] * scale, once[1] * scale), full))
    own = timed(plain, args.rounds)
    rows.append(('plain COCO, 4 areas', 'mmcount', own, own))
    rows.append(('plain COCO, 4 areas', 'pycocotools', timed(api, 1), own))
    argv = ['--images', args.images, '--classes', args.classes, '--gt', args.gt, '--dets', args.dets]
    memory = peak_memory([str(one) for one in argv])
    table = [
        {
            'case': case,
            'contender': name,
            'cpu_s': f'{cpu:.3f}',
            'wall_s': f'{wall:.3f}',
            'cpu_ratio': f'{cpu / base[0]:.1f}',
            'peak_mb': f'{memory["peak"]:.0f}' if name == 'LocountMetric' else '',
            'threads': args.threads,
        }
        for case, name, (cpu, wall), base in rows
    ]
    for row in table:
        print('  '.join(f'{value!s:>12}' if key != 'contender' else f'{value:28}' for key, value in row.items()))
    print(f'memory of the process before the evaluation {memory["before"]:.0f} MB, at its peak {memory["peak"]:.0f} MB')
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with args.out.open('w', newline='') as stream:
            writer = csv.DictWriter(stream, table[0].keys())
            writer.writeheader()
            writer.writerows(table)


if __name__ == '__main__':
    main()
