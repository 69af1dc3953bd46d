"""Points out of a sharp density: every hill holds as many objects as its mass says."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .deconvolution import BoxSum

NEIGHBOURS = tuple((dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if dy or dx)


def find_summits(maps: NDArray[Any]) -> NDArray[Any]:
    """Summit that every cell climbs to; the cells of one summit are a hill.

    A step leads to the largest of the 3 x 3 neighbours, and stays if none is larger than the cell itself. The first one
    row by row is taken of equal ones.

    Args:
        maps: (C, h, w) float.

    Returns:
        (C * h * w,) int64, flat indices into ``maps``.

    Example:
        >>> find_summits(np.array([[[1.0, 3.0, 0.5, 2.0]]])).tolist()
        [1, 1, 1, 3]
    """
    _, height, width = maps.shape
    padded = np.pad(maps, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    highest, step = maps.copy(), np.zeros(maps.shape, dtype=np.int64)
    for dy, dx in NEIGHBOURS:
        neighbour = padded[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        higher = neighbour > highest
        highest[higher] = neighbour[higher]
        step[higher] = dy * width + dx
    summits = np.arange(maps.size) + step.ravel()
    while not np.array_equal(further := summits[summits], summits):
        summits = further
    return summits


def smooth(maps: NDArray[Any], radius: int) -> NDArray[Any]:
    """Means of side ``2 * radius + 1``, twice, with zeros around the maps.

    On fine grids one object is a heap of a few uneven cells; its smoothed heap has one summit.

    Args:
        maps: (C, h, w) float64.
        radius: Cells.
    """
    if radius == 0:
        return maps
    side = 2 * radius + 1
    once = BoxSum(maps.shape, side, margin=2 * radius)(torch.from_numpy(maps))
    return (BoxSum(once.shape, side)(once) / side**4).numpy()


def objects_in_hills(masses: NDArray[Any], total: float, threshold: tuple[float, float]) -> NDArray[Any]:
    """Whole number of objects in each hill of one class.

    ``floor(mass + 1 - t)`` objects, with the t within ``threshold`` that brings their sum nearest to the rounded total.
    Network output loses a little of every object in a crowd, so that a fixed t of 0.5 leaves objects out there; the
    bounds keep a sum that leaks from inventing objects.

    Args:
        masses: (N,) float64, objects.
        total: Sum of all masses of the class.
        threshold: Lowest and highest t.

    Returns:
        (N,) int64.

    Example:
        >>> objects_in_hills(np.array([0.97, 0.45, 2.2, 0.1]), 3.72, (0.4, 0.5)).tolist()
        [1, 1, 2, 0]
    """
    low, high = threshold
    whole = np.floor(masses)
    missing = int(np.rint(total) - whole.sum())
    parts = np.sort(masses - whole)[::-1]
    if missing <= 0:
        cut = high
    elif missing >= len(parts):
        cut = low
    else:
        cut = min(max((parts[missing - 1] + parts[missing]) / 2, low), high)
    return np.floor(masses + (1 - cut)).astype(np.int64)


def split_hill(masses: NDArray[Any], number: int) -> NDArray[Any]:
    """Centres of equal shares of a hill, taken from its highest cells on.

    A share starts at the highest cell that is left and collects mass from the cells nearest to it, row by row at equal
    distance.

    Args:
        masses: (h, w) float64, the hill in its bounding box with zeros in the cells of other hills.
        number: Shares.

    Returns:
        (number, 2) float64, (x, y) of the centroids in cells of the box.

    Example:
        >>> split_hill(np.array([[1.0, 0.0, 0.2, 0.8]]), 2).round(3).tolist()
        [[0.0, 0.0], [2.8, 0.0]]
    """
    left = masses.copy()
    share = masses.sum() / number
    centres = np.empty((number, 2))
    for centre in centres:
        y, x = divmod(int(left.argmax()), left.shape[1])
        rows, cols = _nearest_cells(left, y, x, share)
        reached = left[rows, cols].cumsum()
        last = min(int(np.searchsorted(reached, share)), len(reached) - 1)
        rows, cols = rows[: last + 1], cols[: last + 1]
        taken = left[rows, cols]
        taken[last] = min(taken[last], share - (reached[last - 1] if last else 0.0))
        left[rows, cols] -= taken
        centre[:] = (taken @ cols, taken @ rows) / taken.sum()
    return centres


def _nearest_cells(masses: NDArray[Any], y: int, x: int, share: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Rows and columns of the cells around one, nearest first, up to a distance that holds the share."""
    radius, largest = 2, max(masses.shape)
    while True:
        top, left = max(y - radius, 0), max(x - radius, 0)
        rows, cols = np.nonzero(masses[top : y + radius + 1, left : x + radius + 1] > 0)
        rows, cols = rows + top, cols + left
        distance = (rows - y) ** 2 + (cols - x) ** 2
        # The square holds all cells up to its radius, but only some of those beyond it.
        near = distance <= (radius**2 if radius < largest else np.inf)
        if radius >= largest or masses[rows[near], cols[near]].sum() >= share:
            order = np.argsort(distance[near], kind='stable')
            return rows[near][order], cols[near][order]
        radius *= 2


def find_objects(
    cells: NDArray[Any], threshold: tuple[float, float] = (0.4, 0.5), hill_radius: int = 0
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Places of the objects of a sharp density, each class by itself.

    Args:
        cells: (C, h, w) float64 objects per cell, none negative.
        threshold: Lowest and highest part of an object that makes a further point, see :func:`objects_in_hills`.
        hill_radius: Cells of the means that hills are found in, see :func:`smooth`; masses and places are those of
            ``cells``.

    Returns:
        (P, 2) float64 places, (x, y) in cells with centres at integers; (P,) int64 labels; (P,) float64 scores, the
        mass of a hill divided by its number of points. They are ordered by class, then by summit row by row.

    Example:
        >>> cells = np.zeros((1, 4, 6))
        >>> cells[0, 1, 1], cells[0, 1, 2], cells[0, 3, 5] = 0.75, 0.25, 2.0
        >>> places, labels, scores = find_objects(cells)
        >>> places.tolist(), scores.tolist()
        ([[1.25, 1.0], [5.0, 3.0], [5.0, 3.0]], [1.0, 1.0, 1.0])
    """
    _, height, width = cells.shape
    size = height * width
    summits = find_summits(smooth(cells, hill_radius))
    flat = cells.reshape(-1)
    masses = np.bincount(summits, weights=flat, minlength=flat.size)
    numbers = np.zeros(flat.size, dtype=np.int64)
    for first in range(0, flat.size, size):
        tops = first + np.flatnonzero(masses[first : first + size])
        numbers[tops] = objects_in_hills(masses[tops], float(masses[tops].sum()), threshold)
    tops = np.flatnonzero(numbers)
    if len(tops) == 0:
        return np.zeros((0, 2)), np.zeros(0, dtype=np.int64), np.zeros(0)
    rows, cols = np.divmod(np.arange(flat.size) % size, width)
    sums = [np.bincount(summits, weights=flat * where, minlength=flat.size)[tops] for where in (cols, rows)]
    places = np.repeat(np.stack(sums, axis=1) / masses[tops, None], numbers[tops], axis=0)
    _place_crowds(places, flat, summits, numbers, tops, (rows, cols))
    labels = np.repeat(tops // size, numbers[tops])
    return places, labels, np.repeat(masses[tops] / numbers[tops], numbers[tops])


def _place_crowds(
    places: NDArray[Any],
    flat: NDArray[Any],
    summits: NDArray[Any],
    numbers: NDArray[Any],
    tops: NDArray[Any],
    where: tuple[NDArray[Any], NDArray[Any]],
) -> None:
    """Write the places of hills of two objects and more."""
    rows, cols = where
    members = np.flatnonzero(numbers[summits] > 1)
    members = members[np.argsort(summits[members], kind='stable')]
    ends = np.cumsum(numbers[tops])
    crowds = np.flatnonzero(numbers[tops] > 1)
    starts = np.searchsorted(summits[members], tops[crowds])
    stops = np.searchsorted(summits[members], tops[crowds], side='right')
    for crowd, start, stop in zip(crowds, starts, stops, strict=True):
        hill = members[start:stop]
        top, left = rows[hill].min(), cols[hill].min()
        box = np.zeros((rows[hill].max() - top + 1, cols[hill].max() - left + 1))
        box[rows[hill] - top, cols[hill] - left] = flat[hill]
        number, end = numbers[tops[crowd]], ends[crowd]
        places[end - number : end] = split_hill(box, int(number)) + np.array([left, top])
