"""How large each object is painted on an independent instance map, so that neighbours stay apart.

Gao et al., "Learning Independent Instance Maps for Crowd Localization", 2020: a gap of a quarter of a head's side
between neighbours. The published maps come from one routine with a few constants for each data set; `BoxRule` holds
those constants, `shrink_boxes` is the routine. Sizes are in cells of the map, and sides are twice a whole half-size.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class BoxRule:
    """Constants of the routine that turns boxes into separate rectangles.

    Args:
        max_half_size: Largest half-size before any shrinking; None leaves the boxes as large as they are.
        min_half_size: Smallest half-size before any shrinking.
        floor: Half-size under which shrinking does not go.
        gap: What a pair needs between its boxes on one axis; None means a quarter of the longer side.
        overlap_reduces_gap: Whether half of the overlap is taken off the sides of overlapping boxes before the quarter.
        third_gap: The next neighbour in line is shrunk along with the pair if it is closer than this gap; None means
            the gap of the pair.
        max_rounds: Shrinking steps of one pair.
        neighbours: Nearest boxes that each box is compared with.
    """

    max_half_size: int | None = 25
    min_half_size: int = 3
    floor: int = 2
    gap: int | None = None
    overlap_reduces_gap: bool = True
    third_gap: int | None = 3
    max_rounds: int = 41
    neighbours: int = 4

    def __post_init__(self) -> None:
        if self.min_half_size < 1 or self.floor < 1 or self.neighbours < 0 or self.max_rounds < 0:
            raise ValueError(f'sizes must be at least 1, neighbours and max_rounds at least 0, got {self}')
        if min(self.gap or 0, self.third_gap or 0) < 0:
            raise ValueError(f'gaps must not be negative, got {self}')
        if self.max_half_size is not None and self.max_half_size < self.min_half_size:
            raise ValueError(f'max_half_size must be at least min_half_size {self.min_half_size}, got {self}')


BOX_RULES: dict[str, BoxRule] = {
    'nwpu': BoxRule(),
    'fdst': BoxRule(),  # maps of the same name and size as those of NWPU-Crowd; no routine of its own was published
    'shha': BoxRule(floor=1, overlap_reduces_gap=False, third_gap=None, max_rounds=51),
    'shhb': BoxRule(floor=1, third_gap=None),
    'qnrf': BoxRule(max_half_size=15),
    'jhu': BoxRule(max_half_size=15),
    'original': BoxRule(
        max_half_size=None, min_half_size=1, floor=1, gap=2, third_gap=None, max_rounds=200, neighbours=8
    ),
}
"""The published rule of each data set; 'original' leaves objects as large as they are where they are 2 px apart."""


def nearest_others(points: IntArray, number: int) -> IntArray:
    """The nearest other points of each point, nearest first, equal distances by index.

    A tree returns equal distances in any order, and on whole pixels they are common: a query is repeated with more
    neighbours until one lies farther away than the last one wanted.

    Args:
        points: Whole coordinates.
        number: Neighbours of each.

    Shape:
        points: (N, 2) int64 -> (N, number) int64, -1 where there are not so many others.

    Example:
        >>> nearest_others(np.array([[0, 0], [2, 0], [0, 2], [9, 9]]), 2).tolist()
        [[1, 2], [0, 2], [0, 1], [1, 2]]
    """
    count = len(points)
    result = np.full((count, number), -1, dtype=np.int64)
    wanted = min(number, count - 1)
    if wanted <= 0:
        return result
    kept = _first_coincident(points, number + 1)
    tree = cKDTree(points[kept])
    rows, size = np.arange(count), wanted + 4
    while len(rows):
        size = min(size, len(kept))
        near = np.sort(kept[tree.query(points[rows], k=size)[1].reshape(len(rows), size)], axis=1)
        squares = ((points[near] - points[rows][:, None]) ** 2).sum(axis=2)
        farthest = squares.max(axis=1)
        squares[near == rows[:, None]] = np.iinfo(np.int64).max
        order = np.argsort(squares, axis=1, kind='stable')[:, :wanted]
        result[rows, :wanted] = np.take_along_axis(near, order, axis=1)
        last = np.take_along_axis(squares, order[:, -1:], axis=1)[:, 0]
        rows = rows[(last >= farthest) & (size < len(kept))]
        size *= 2
    return result


def _first_coincident(points: NDArray[Any], number: int) -> IntArray:
    """Ascending indices of the first ``number`` points of each place: no further one is ever among the nearest.

    It bounds the points at one distance, whatever the number of duplicates.
    """
    order = np.lexsort(points.T)
    starts = np.ones(len(points), dtype=bool)
    starts[1:] = (np.diff(points[order], axis=0) != 0).any(axis=1)
    positions = np.arange(len(points))
    first = np.maximum.accumulate(np.where(starts, positions, 0))
    return np.sort(order[positions - first < number])


def shrink_boxes(centres: IntArray, half_sizes: IntArray, rule: BoxRule) -> IntArray:
    """Shrink boxes until the gap to their nearest neighbours is wide enough on at least one axis.

    Each box i in order is compared with its nearest others j, nearest first and in place. While both gaps are too
    small, the larger of the two (i of equals) is multiplied by 0.9 and truncated; then the next neighbour of i in line
    is shrunk as well if it is larger than both and too close to i. Some stay in touch: duplicates, and heads so dense
    that the floor or ``max_rounds`` ends the search.

    Args:
        centres: (x, y).
        half_sizes: Of width and height, not negative.
        rule: Constants.

    Shape:
        centres, half_sizes: (N, 2) int64 -> (N, 2) int64.

    Example:
        Two boxes of 20 px side by side, in turns, until the gap is a quarter of those 20 px.

        >>> shrink_boxes(np.array([[20, 20], [40, 20]]), np.array([[10, 10], [10, 10]]), BOX_RULES['shha']).tolist()
        [[7, 7], [8, 8]]
    """
    if len(centres) < 2 or not rule.neighbours:
        return half_sizes.copy()
    near = nearest_others(centres, rule.neighbours + 1)
    distance = np.abs(centres[near] - centres[:, None])
    # Sizes never grow: pairs that are far enough apart now need no look at all.
    gap = np.maximum(half_sizes[:, None], half_sizes[near]) // 2 if rule.gap is None else rule.gap
    close = (half_sizes[:, None] + half_sizes[near] - distance > -gap).all(axis=2) & (near >= 0)
    first, place = np.nonzero(close[:, :-1])
    pairs = (first, near[first, place], near[first, place + 1], distance[first, place], distance[first, place + 1])
    widths, heights = half_sizes.T.tolist()
    _shrink_pairs([array.tolist() for array in pairs], widths, heights, rule)
    return np.array([widths, heights], dtype=np.int64).T


def _shrink_pairs(pairs: list[list[Any]], widths: list[int], heights: list[int], rule: BoxRule) -> None:
    """Shrink in place. Plain integers: each pair depends on the ones before it, so there is nothing to vectorise."""
    floor, last_round = rule.floor, rule.max_rounds
    for i, j, k, (dx, dy), (far_dx, far_dy) in zip(*pairs, strict=True):
        wi, hi, wj, hj = widths[i], heights[i], widths[j], heights[j]
        over_w, over_h = wi + wj - dx, hi + hj - dy
        if rule.gap is not None:
            gap_w = gap_h = -rule.gap
        elif rule.overlap_reduces_gap and over_w > 0 and over_h > 0:
            # max(wi, wj) less half of the overlap is (|wi - wj| + dx) / 2.
            gap_w, gap_h = -((abs(wi - wj) + dx) // 4), -((abs(hi - hj) + dy) // 4)
        else:
            gap_w, gap_h = -(max(wi, wj) // 2), -(max(hi, hj) // 2)
        third_w, third_h = (gap_w, gap_h) if rule.third_gap is None else (-rule.third_gap, -rule.third_gap)
        rounds = 0
        while over_w > gap_w and over_h > gap_h and rounds < last_round:
            before = wi + hi + wj + hj
            if wi * hi >= wj * hj:
                wi, hi = max(wi * 9 // 10, floor), max(hi * 9 // 10, floor)
            else:
                wj, hj = max(wj * 9 // 10, floor), max(hj * 9 // 10, floor)
            changed = before != wi + hi + wj + hj
            if k >= 0:
                wk, hk = widths[k], heights[k]
                if (
                    wk * hk > wi * hi
                    and wk * hk > wj * hj
                    and wi + wk - far_dx > third_w
                    and hi + hk - far_dy > third_h
                ):
                    widths[k], heights[k] = max(wk * 9 // 10, floor), max(hk * 9 // 10, floor)
                    changed = changed or (wk, hk) != (widths[k], heights[k])
            if not changed:
                break
            rounds += 1
            over_w, over_h = wi + wj - dx, hi + hj - dy
        if rounds:
            widths[i], heights[i], widths[j], heights[j] = wi, hi, wj, hj


def point_half_sizes(points: NDArray[Any], max_half_size: int) -> IntArray:
    """Half the side, without the middle, of the square that each point becomes: a quarter of the way to the nearest.

    Args:
        points: (x, y).
        max_half_size: Of a point that is far from all others, and of a lone one.

    Shape:
        points: (N, 2) -> (N,) int64.

    Example:
        >>> point_half_sizes(np.array([[0.0, 0.0], [10.0, 0.0], [200.0, 0.0]]), 15).tolist()
        [3, 3, 15]
    """
    if len(points) < 2:
        return np.full(len(points), max_half_size, dtype=np.int64)
    nearest = cKDTree(points[_first_coincident(points, 2)]).query(points, k=2)[0][:, 1]
    return np.minimum(np.floor(nearest / 4 + 0.5), max_half_size).astype(np.int64)


def paint_rectangles(canvas: NDArray[Any], low: IntArray, high: IntArray) -> None:
    """Set the rectangles ``[low, high)``, clipped, to one.

    Args:
        canvas: Changed in place.
        low: First (column, row).
        high: One past the last (column, row).

    Shape:
        canvas: (h, w), low, high: (N, 2) int64.
    """
    limit = canvas.shape[::-1]
    edges = np.concatenate((np.clip(low, 0, limit), np.clip(high, 0, limit)), axis=1)
    for left, top, right, bottom in edges.tolist():
        canvas[top:bottom, left:right] = 1
