"""Time label maps, post-processing and evaluation of crowd localisation (IIM) against the published way of doing them.

``published method`` is our own write-up of the description of the published scripts: for label maps all distances and a
full sort for each head, then the loops over heads, neighbours and shrinking steps; it is checked to paint the very same
pixels, equal distances by the order of the heads; for post-processing a comparison of confidence and threshold in
PyTorch, then OpenCV's components with their statistics on the CPU, checked to find the same points and boxes. Scoring
has no peer here: the published search takes minutes.

    python benchmarks/instance_map.py --rounds 5 --out benchmarks/results/instance_map.csv
"""

import argparse
import csv
import os
import platform
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from ops import FIELDS, Case, rows_of, verdicts
from ops_components import discs

from mmcount.codecs import BOX_RULES, BoxRule, InstanceMapCodec
from mmcount.evaluation.functional import CrowdPoints, box_levels, box_sigmas, localization_errors, score_points
from mmcount.structures import CountPrediction, MapGrid, Objects

Array = NDArray[np.float64]
SHAPE = (1080, 1920)
SHAPE_4K = (2160, 3840)


def published_method(boxes: Array, rule: BoxRule) -> Array:
    """All distances, a full sort for each head, sizes shrunk in place one pair after the other."""
    centres = np.trunc((boxes[:, :2] + boxes[:, 2:]) / 2).astype(int)
    sizes = np.maximum((boxes[:, 2:] - boxes[:, :2]) / 2, rule.min_half_size).astype(int)
    sizes = np.minimum(sizes, rule.max_half_size)
    squares = ((centres[:, None] - centres[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squares, -1)

    def overlap(first: int, second: int) -> tuple[int, int]:
        distance = np.abs(centres[first] - centres[second])
        return tuple(sizes[first] + sizes[second] - distance)

    def shrink(head: int) -> None:
        sizes[head] = [max(int(size * 0.9), rule.floor) for size in sizes[head]]

    for i in range(len(boxes)):
        order = np.argsort(squares[i], kind='stable')[1:]
        for place, j in enumerate(order[: rule.neighbours]):
            over_w, over_h = overlap(i, j)
            half_w, half_h = np.maximum(sizes[i], sizes[j])
            if rule.overlap_reduces_gap and over_w > 0 and over_h > 0:
                half_w, half_h = half_w - over_w / 2, half_h - over_h / 2
            gap_w, gap_h = -int(half_w / 2), -int(half_h / 2)
            rounds = 0
            while over_w > gap_w and over_h > gap_h and rounds < rule.max_rounds:
                shrink(i if sizes[i].prod() >= sizes[j].prod() else j)
                if place + 1 < len(order):
                    k = order[place + 1]
                    limit = (gap_w, gap_h) if rule.third_gap is None else (-rule.third_gap, -rule.third_gap)
                    larger = sizes[k].prod() > max(sizes[i].prod(), sizes[j].prod())
                    far_w, far_h = overlap(i, k)
                    if larger and far_w > limit[0] and far_h > limit[1]:
                        shrink(k)
                over_w, over_h = overlap(i, j)
                rounds += 1
    canvas = np.zeros(SHAPE, dtype=np.float32)
    for (x, y), (w, h) in zip(centres, sizes, strict=True):
        if 0 < x < SHAPE[1] and 0 < y < SHAPE[0]:
            canvas[max(y - h, 0) : y + h, max(x - w, 0) : x + w] = 1
    return canvas


def crowd(count: int, sides: tuple[float, float], rng: np.random.Generator) -> Array:
    """Boxes at random places, their sides log-uniform."""
    centres = rng.random((count, 2)) * SHAPE[::-1]
    side = np.exp(rng.uniform(*np.log(sides), (count, 1))) * rng.uniform(0.8, 1.2, (count, 2))
    return np.concatenate((centres - side / 2, centres + side / 2), axis=1).round()


def label_maps() -> Iterator[Case]:
    """Label maps of 1080p images."""
    rng = np.random.default_rng(0)
    peer = 'published method'
    for count, sides, rules in (
        (1000, (6, 60), ('nwpu',)),
        (5000, (6, 40), ('nwpu', 'shha', 'shhb', 'qnrf')),
        (5000, (50, 60), ('nwpu',)),
    ):
        boxes = crowd(count, sides, rng)
        objects, grid = Objects((boxes[:, :2] + boxes[:, 2:] - 1) / 2, bboxes=boxes), InstanceMapCodec().grid(SHAPE)
        for rule in rules:
            codec = InstanceMapCodec(rule=rule)

            def encode(codec: InstanceMapCodec = codec, objects: Objects = objects, grid: MapGrid = grid) -> Array:
                return codec.encode(objects, grid)['data'][0]

            def published(boxes: Array = boxes, rule: str = rule) -> Array:
                return published_method(boxes, BOX_RULES[rule])

            def check(own: Callable[[], Array] = encode, other: Callable[[], Array] = published) -> None:
                if not np.array_equal(own(), other()):
                    raise RuntimeError('the label maps differ')

            name = f'label map 1080p {count} boxes of {sides[0]}-{sides[1]} px {rule}'
            yield Case(name, encode, {peer: published}, {peer: 50.0} if count >= 5000 else {}, check)


def binary_map(confidence: torch.Tensor, threshold: torch.Tensor) -> NDArray[np.uint8]:
    """A map of ones and zeros by PyTorch, as published."""
    ones, zeros = torch.ones_like(confidence), torch.zeros_like(confidence)
    return torch.where(confidence >= threshold, ones, zeros).numpy()[0].astype(np.uint8)


def lean_binary_map(confidence: torch.Tensor, threshold: torch.Tensor) -> NDArray[np.uint8]:
    """A comparison by NumPy, whose result is used as it is."""
    return (confidence.numpy() >= threshold.numpy())[0].view(np.uint8)


def opencv_components(binary: NDArray[np.uint8]) -> tuple[Array, Array]:
    """Points and boxes (left, top, right, bottom) of the 4-connected components of at least 3 pixels."""
    _, _, stats, centroids = cv2.connectedComponentsWithStats(binary, connectivity=4)
    boxes, points, areas = stats[1:, :4], centroids[1:], stats[1:, 4]
    keep = areas >= 3
    boxes = np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1)
    return points[keep], boxes[keep].astype(np.float64)


def post_processing() -> Iterator[Case]:
    """From the maps of a 4K image to points, boxes, scores and density."""
    rng = np.random.default_rng(0)
    height, width = SHAPE_4K
    for count in (5000, 20_000):
        mask = discs(height, width, count, rng)
        noise = rng.random(mask.shape, np.float32)
        confidence = torch.from_numpy(mask * np.float32(0.4) + noise * np.float32(0.3))[None]
        threshold = torch.full_like(confidence, 0.35)
        codec = InstanceMapCodec()

        def decode(
            codec: InstanceMapCodec = codec, confidence: torch.Tensor = confidence, threshold: torch.Tensor = threshold
        ) -> CountPrediction:
            return codec.decode((confidence, threshold), codec.grid(SHAPE_4K))

        def published(
            confidence: torch.Tensor = confidence, threshold: torch.Tensor = threshold
        ) -> tuple[Array, Array]:
            return opencv_components(binary_map(confidence, threshold))

        def lean(confidence: torch.Tensor = confidence, threshold: torch.Tensor = threshold) -> tuple[Array, Array]:
            return opencv_components(lean_binary_map(confidence, threshold))

        peers = {'torch.where + cv2, as published': published, 'numpy threshold + cv2': lean}

        def check(
            own: Callable[[], CountPrediction] = decode,
            others: dict[str, Callable[[], tuple[Array, Array]]] = peers,
            count: int = count,
        ) -> None:
            found = own()
            mine = np.column_stack((found.bboxes.numpy(), found.points.numpy()))
            for name, other in others.items():
                points, boxes = other()
                peer = np.column_stack((boxes, points.astype(np.float32)))
                if len(mine) != count or not np.array_equal(mine[np.lexsort(mine.T)], peer[np.lexsort(peer.T)]):
                    raise RuntimeError(f'{name}: the points differ')

        yield Case(f'post-processing 4K {count} heads', decode, peers, {'best': 5.0}, check)


def validation_set(images: int = 500, heads: int = 200_000, seed: int = 0) -> tuple[list[Array], list[CrowdPoints]]:
    """Predictions and heads like those of a validation set of NWPU-Crowd: few huge crowds, many small ones."""
    rng = np.random.default_rng(seed)
    shares = rng.lognormal(0, 1.5, images)
    sizes = np.diff(np.concatenate(([0], np.round(np.cumsum(shares) / shares.sum() * heads)))).astype(int)
    predictions, truth = [], []
    for size in sizes:
        centres = rng.random((size, 2)) * (3000, 2000)
        side = np.sqrt(6e6 / max(size, 1)) * rng.uniform(0.3, 1.0, (size, 2))
        boxes = np.concatenate((centres - side / 2, centres + side / 2), axis=1)
        found = centres[rng.random(size) < 0.8]
        pred = np.concatenate((found + rng.normal(0, 4, found.shape), rng.random((size // 10, 2)) * (3000, 2000)))
        predictions.append(np.trunc(pred[rng.permutation(len(pred))]))
        truth.append(CrowdPoints(np.trunc(centres), box_sigmas(boxes, 'nearest'), box_levels(boxes)))
    return predictions, truth


def scoring() -> Iterator[Case]:
    """All numbers of the benchmark from the points of 500 images."""
    predictions, truth = validation_set()

    def score() -> dict[str, float]:
        return localization_errors(score_points(pred, heads) for pred, heads in zip(predictions, truth, strict=True))

    total = sum(len(heads.points) for heads in truth)
    yield Case(f'scoring {len(truth)} images {total} heads', score, {}, {})


def main() -> None:
    """Run the cases, print a table and write it as CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--case', default='', help='run only cases whose name contains this')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(f'{platform.machine()}, one thread, load average {os.getloadavg()[0]:.1f} at the start')
    rows: list[dict[str, object]] = []
    for case in (*label_maps(), *post_processing(), *scoring()):
        if args.case not in case.name:
            continue
        case.check()
        mine = list(rows_of(case, args.rounds, threads=1))
        rows += mine
        print(case.name)
        for row in mine:
            print(f'  {row["contender"]:28} {row["cpu_ms"]:>10} ms cpu {row["wall_ms"]:>10} ms {row["cpu_ratio"]:>8}x')
        print('\n'.join(verdicts(case, mine)), flush=True)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with args.out.open('w', newline='') as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)


if __name__ == '__main__':
    main()
