"""Redundant counting: every cell of the map counts the objects of one window (Count-ception)."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcount.codecs.base import CountCodec, checked_map
from mmcount.registry import CODECS
from mmcount.structures.map_grid import MapGrid
from mmcount.structures.objects import Objects
from mmcount.structures.prediction import CountPrediction, no_points
from mmcount.utils.moved_options import refuse_moved

from .deconvolution import BoxBlur
from .sharpening import Sharpening

REPLACED = (
    "points come from points='deconvolution' (the default), with threshold=(lowest, highest) part of an object that "
    'makes a point; points=None gives none'
)


def window_counts(
    rows: NDArray[Any],
    cols: NDArray[Any],
    labels: NDArray[Any],
    num_classes: int,
    map_shape: tuple[int, int],
    window: int,
) -> NDArray[Any]:
    """Number of points of each class in every ``window`` x ``window`` square, by a summed-area table.

    Args:
        rows: (N,) int64, the first map row whose window holds each point; may be negative or beyond the map.
        cols: (N,) int64, likewise for columns.
        labels: (N,) int64 in 0..num_classes-1.
        num_classes: C.
        map_shape: (h, w) of the result.
        window: Side of the square; a point is seen by ``window`` rows and as many columns.

    Returns:
        (C, h, w) float32.

    Example:
        >>> window_counts(np.array([1]), np.array([0]), np.array([0]), 1, (4, 3), window=2)[0].tolist()
        [[0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]
    """
    height, width = map_shape
    # A rectangle of ones becomes four signed corners; two running sums then fill all rectangles at once.
    corners = np.zeros((num_classes, height + 1, width + 1), dtype=np.int32)
    top, bottom = np.clip(rows, 0, height), np.clip(rows + window, 0, height)
    left, right = np.clip(cols, 0, width), np.clip(cols + window, 0, width)
    for y, x, sign in ((top, left, 1), (top, right, -1), (bottom, left, -1), (bottom, right, 1)):
        np.add.at(corners, (labels, y, x), sign)
    counts = corners.cumsum(axis=1).cumsum(axis=2)
    return counts[:, :height, :width].astype(np.float32)


def redundant_estimates(output: Tensor, repeats: int) -> Tensor:
    """The independent counts of one map: every phase of the window grid tiles the image once.

    Args:
        output: (C, h, w) window counts.
        repeats: Windows that see one object along each side, ``window_size / stride``.

    Returns:
        (C, repeats ** 2) objects; their mean is ``output.sum() / repeats ** 2``.

    Example:
        >>> redundant_estimates(torch.ones(1, 4, 4), repeats=2).tolist()
        [[4.0, 4.0, 4.0, 4.0]]
    """
    num_classes, height, width = output.shape
    pad = (0, -width % repeats, 0, -height % repeats)
    tiles = torch.nn.functional.pad(output, pad).reshape(num_classes, -1, repeats, (width + pad[1]) // repeats, repeats)
    return tiles.sum(dim=(1, 3)).flatten(1)


@CODECS.register_module()
class RedundantCountCodec(CountCodec):
    """Points to window counts and back.

    Symbols: r ``window_size``, s ``stride``, (H, W) the image. The image is padded by r zeros on every side, so each
    point lies in exactly (r / s)^2 windows and ``sum(map) / (r / s)^2`` is the count (Count-ception, Eq. 3).
    Cell (i, j) of the map covers image rows ``s*i - r .. s*i - 1`` and columns ``s*j - r .. s*j - 1``.

    The paper stops at the count. As the map is a box sum of the objects, exactly and at every border, they are solved
    for (:class:`mmcount.codecs.maps.sharpening.Sharpening`): ``points`` and ``density`` are those of the objects
    behind the map. Local maxima of the map itself lie between objects.

    Args:
        window_size: r, pixels.
        stride: s, pixels; divides r.
        num_classes: C.
        points: ``'deconvolution'``, or None for no points and the map itself as a coarse density, which costs nothing.
        iterations: Rounds of the deconvolution. 30 are enough where objects lie sparse.
        threshold: Lowest and highest part of an object that makes a point, see
            :func:`mmcount.codecs.maps.hills.objects_in_hills`.
        hill_radius: Half-size in cells of the means that tell objects apart; None is ``r / s / 10``, rounded down.

    Raises:
        ValueError: ``stride`` does not divide ``window_size``, or another option is out of range.
        TypeError: ``peak_radius`` or ``peak_threshold`` is given.

    Example:
        >>> codec = RedundantCountCodec(window_size=32, stride=4)
        >>> target = codec.encode(Objects(np.array([[0.0, 0.0], [40.0, 7.0]])), codec.grid((50, 60)))['data']
        >>> target.shape, float(target.sum()) / 64
        ((1, 21, 23), 2.0)
    """

    def __init__(
        self,
        window_size: int = 32,
        stride: int = 1,
        num_classes: int = 1,
        points: str | None = 'deconvolution',
        iterations: int = 100,
        threshold: tuple[float, ...] = (0.4, 0.5),
        hill_radius: int | None = None,
        **removed: Any,
    ) -> None:
        refuse_moved(type(self).__name__, removed, dict(peak_radius=REPLACED, peak_threshold=REPLACED))
        super().__init__(num_classes=num_classes, stride=stride)
        if window_size < 1 or window_size % stride:
            raise ValueError(f'stride must divide window_size, got stride {stride} and window_size {window_size}')
        if points not in ('deconvolution', None):
            raise ValueError(f"points must be 'deconvolution' or None, got {points!r}")
        self.window_size = window_size
        self.points = points
        self.sharpening = Sharpening(iterations, tuple(threshold), hill_radius)

    @property
    def repeats(self) -> int:
        """Windows that see one object along each side."""
        return self.window_size // self.stride

    @property
    def mass_per_object(self) -> float:  # type: ignore[override]
        """The (r / s)^2 windows that see one object."""
        return float(self.repeats**2)

    @property
    def halo(self) -> int:
        """r: every window of a crop lies inside it."""
        return self.window_size

    @property
    def padding(self) -> int:  # type: ignore[override]
        """r: the windows of a whole image reach beyond it."""
        return self.window_size

    @property
    def origin(self) -> float:  # type: ignore[override]
        """Half a cell before the centre of the first window, which ends just before the image."""
        return -(self.window_size + 1) / 2 - self.stride / 2

    def encode(self, objects: Objects, grid: MapGrid) -> dict[str, NDArray[Any]]:
        """Number of objects in every window.

        Args:
            objects: Those outside of the image are left out.
            grid: Of the image, or of a crop that brings r pixels of context.

        Returns:
            ``data``: (C, h, w) float32 objects.
        """
        objects = objects.inside(grid.img_shape)
        # First row and column of the window of cell (0, 0): the cell's centre less half a window.
        first = round(grid.origin + (self.stride - self.window_size + 1) / 2)
        cols, rows = np.floor(objects.points + 0.5).astype(np.int64).T - first - self.window_size + 1
        height, width = grid.img_shape
        map_shape = height + grid.padding, width + grid.padding
        counts = window_counts(rows, cols, objects.labels, self.num_classes, map_shape, self.window_size)
        return dict(data=np.ascontiguousarray(counts[:, :: self.stride, :: self.stride]))

    def decode(self, maps: tuple[Tensor, ...], grid: MapGrid, known: Objects | None = None) -> CountPrediction:
        """Counts, density, points and the spread of the redundant estimates.

        Args:
            maps: (C, h, w) window counts.
            grid: Of the image.
            known: Unused.

        Returns:
            ``density`` is the deconvolved map on the cells of the image itself, scaled to sum to ``counts``; ``points``
            are in its hills, a score being the mass of an object. Without ``points`` it is the map divided by
            (r / s)^2, whose cell (i, j) is centred on pixel ``s * (i, j) - (r + 1) / 2``. ``spread`` is the standard
            deviation of the (r / s)^2 estimates; None if there is only one.

        Raises:
            ValueError: The map is not that of the grid.
        """
        output = checked_map(maps, grid, self.num_classes)
        counts = (output.double().sum(dim=(1, 2)) / self.mass_per_object).float()
        spread = redundant_estimates(output, self.repeats).std(dim=1, unbiased=False) if self.repeats > 1 else None
        if self.points is None:
            density = output / self.mass_per_object
            return CountPrediction(counts, *no_points(output), density, grid.extent, spread=spread)
        # The windows of the first row and column end before the image: what a network writes there holds no place.
        image = MapGrid(grid.img_shape, self.stride)
        blur = BoxBlur(self.repeats, (self.num_classes, *image.shape), output.device)
        sharp = self.sharpening(output[:, 1:, 1:], blur, image, hill_radius=self.repeats // 10)
        density = sharp.density_of(counts)
        return CountPrediction(counts, *sharp[1:], density, image.extent, spread=spread)
