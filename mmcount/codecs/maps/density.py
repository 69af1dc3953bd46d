"""Density maps: every object spreads a mass of one over the map."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mmcount.codecs.base import CountCodec, checked_map
from mmcount.registry import CODECS
from mmcount.structures.map_grid import MapGrid
from mmcount.structures.objects import Objects
from mmcount.structures.prediction import CountPrediction, no_points

from .deconvolution import GaussianBlur
from .local_maxima import local_maxima
from .sharpening import Sharpening


def gaussian_weights(centre: NDArray[Any], sigma: float, first: NDArray[Any], size: int, limit: int) -> NDArray[Any]:
    """One-dimensional Gaussians that sum to one over the cells that exist.

    Args:
        centre: (N,) positions in cells.
        sigma: Standard deviation in cells.
        first: (N,) int64, the first cell of each window; may be negative.
        size: Cells of a window.
        limit: Cells of the map; those outside weigh nothing and their mass returns to the others.

    Returns:
        (N, size) float64.
    """
    cells = first[:, None] + np.arange(size)
    weights = np.exp(-0.5 * ((cells - centre[:, None]) / sigma) ** 2)
    weights[(cells < 0) | (cells >= limit)] = 0
    return weights / weights.sum(axis=1, keepdims=True)


@CODECS.register_module()
class DensityCodec(CountCodec):
    """Points to a density map of exact mass and back.

    Every point spreads a Gaussian that is normalised over the cells inside the map, borders included, so that
    ``sum(map)`` is the number of points whatever the stride (blurring and then shrinking a map loses up to 1 %).
    As the Gaussian is known, the objects behind a predicted map are solved for
    (:class:`mmcount.codecs.maps.sharpening.Sharpening`); neighbours whose Gaussians have but one maximum come apart.

    Args:
        sigma: Standard deviation of the Gaussian, input pixels.
        stride: Input pixels between two cells; cell i covers pixels ``stride * i .. stride * i + stride - 1``.
        num_classes: C.
        truncate: Radius of the Gaussian in standard deviations.
        padding: Zeros around the image, input pixels; a network that pads its input by a window needs the same.
        points: ``'deconvolution'``, ``'local_maxima'``, or None for none.
        peak_radius: Half-size in cells of the window of a local maximum.
        peak_threshold: Share of an isolated object's peak height under which a cell is no local maximum.
        iterations: Rounds of the deconvolution.
        threshold: Lowest and highest part of an object that makes a point of a deconvolved map, see
            :func:`mmcount.codecs.maps.hills.objects_in_hills`.
        hill_radius: Half-size in cells of the means that tell objects of a deconvolved map apart; None is
            ``sigma / stride / 4``, rounded down.

    Raises:
        ValueError: An option is out of range.

    Example:
        >>> codec = DensityCodec(sigma=4, stride=8)
        >>> target = codec.encode(Objects(np.array([[0.0, 0.0], [37.2, 11.0]])), codec.grid((64, 64)))['data']
        >>> target.shape, round(float(target.sum()), 5)
        ((1, 8, 8), 2.0)
    """

    def __init__(
        self,
        sigma: float = 4.0,
        stride: int = 1,
        num_classes: int = 1,
        truncate: float = 4.0,
        padding: int = 0,
        points: str | None = 'deconvolution',
        peak_radius: int = 2,
        peak_threshold: float = 0.3,
        iterations: int = 100,
        threshold: tuple[float, ...] = (0.4, 0.5),
        hill_radius: int | None = None,
    ) -> None:
        super().__init__(num_classes=num_classes, stride=stride)
        if sigma <= 0:
            raise ValueError(f'sigma must be positive, got {sigma}')
        if padding < 0:
            raise ValueError(f'padding must not be negative, got {padding}')
        if points not in ('deconvolution', 'local_maxima', None):
            raise ValueError(f"points must be 'deconvolution', 'local_maxima' or None, got {points!r}")
        if peak_radius is None or peak_radius < 1:
            raise ValueError(f'peak_radius must be at least 1, got {peak_radius}: points=None gives no points')
        self.sigma = sigma
        self.truncate = truncate
        self.padding = padding
        self.peak_radius = peak_radius
        self.peak_threshold = peak_threshold
        self.points = points
        self.sharpening = Sharpening(iterations, tuple(threshold), hill_radius)

    @property
    def halo(self) -> int:
        """The padding."""
        return self.padding

    @property
    def origin(self) -> float:  # type: ignore[override]
        """Half the padding before the image, on which the map is centred."""
        return -0.5 - self.padding / 2

    def encode(self, objects: Objects, grid: MapGrid) -> dict[str, NDArray[Any]]:
        """The density map of one image.

        Args:
            objects: Those outside of the image are left out.
            grid: Of the image, or of a crop that brings context. Mass of objects near the border of a crop falls
                outside of its map, as it does in the whole image's map.

        Returns:
            ``data``: (C, h, w) float32 objects per cell.
        """
        objects = objects.inside(grid.img_shape)
        height, width = grid.shape
        cells = (objects.points - grid.origin) / self.stride - 0.5
        canvas, margin = self._splat(cells, objects.labels, (height, width), keep_outside=grid.padding < 0)
        return dict(data=canvas[:, margin : margin + height, margin : margin + width].astype(np.float32))

    def _splat(
        self, cells: NDArray[Any], labels: NDArray[Any], map_shape: tuple[int, int], keep_outside: bool
    ) -> tuple[NDArray[Any], int]:
        sigma = self.sigma / self.stride
        radius = max(1, int(np.ceil(self.truncate * sigma)))
        size = 2 * radius + 1
        margin = radius + -(-self.padding // self.stride) + 1
        height, width = map_shape
        canvas = np.zeros((self.num_classes, height + 2 * margin, width + 2 * margin))
        if len(cells) == 0:
            return canvas, margin
        first = np.floor(cells + 0.5).astype(np.int64) - radius
        shift = margin if keep_outside else 0
        limits = (width + 2 * margin, height + 2 * margin) if keep_outside else (width, height)
        weights_x = gaussian_weights(cells[:, 0] + shift, sigma, first[:, 0] + shift, size, limits[0])
        weights_y = gaussian_weights(cells[:, 1] + shift, sigma, first[:, 1] + shift, size, limits[1])
        for label, (x, y), wx, wy in zip(labels, first + margin, weights_x, weights_y, strict=True):
            canvas[label, y : y + size, x : x + size] += np.outer(wy, wx)
        return canvas, margin

    def decode(self, maps: tuple[Tensor, ...], grid: MapGrid, known: Objects | None = None) -> CountPrediction:
        """Counts, density and points.

        Args:
            maps: (C, h, w) objects per cell.
            grid: Of the image.
            known: Unused.

        Raises:
            ValueError: The map is not that of the grid.
        """
        density = checked_map(maps, grid, self.num_classes)
        counts = density.double().sum(dim=(1, 2)).float()
        return CountPrediction(counts, *self._points(density, grid), density, grid.extent)

    def _points(self, density: Tensor, grid: MapGrid) -> tuple[Tensor, Tensor, Tensor]:
        """Points, labels and scores."""
        sigma = self.sigma / self.stride
        if self.points is None:
            return no_points(density)
        if self.points == 'deconvolution':
            blur = GaussianBlur(sigma, (self.num_classes, *grid.shape), self.truncate, density.device)
            _, points, labels, scores = self.sharpening(density, blur, grid, hill_radius=int(sigma / 4))
            return points, labels, scores
        single = 1 / max(1.0, 2 * np.pi * sigma**2)
        cells, labels, scores = local_maxima(density, self.peak_radius, self.peak_threshold * single)
        return grid.clamp(grid.to_image(cells)), labels, scores
