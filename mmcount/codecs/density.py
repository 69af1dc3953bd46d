"""Density maps: every object spreads a mass of one over the map."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from mmcount.registry import CODECS

from .base import CountCodec, CountPrediction
from .peaks import density_peaks
from .raster import points_to_pixels


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

    Args:
        sigma: Standard deviation of the Gaussian, input pixels.
        stride: Input pixels between two cells; cell i covers pixels ``stride * i .. stride * i + stride - 1``.
        num_classes: C.
        truncate: Radius of the Gaussian in standard deviations.
        padding: Zeros around the image, input pixels; a network that pads its input by a window needs the same.
        peak_radius: Half-size in cells of the window of a peak; None returns no points.
        peak_threshold: Share of an isolated object's peak height under which a cell is never a peak.

    Example:
        >>> codec = DensityCodec(sigma=4, stride=8)
        >>> target = codec.encode(np.array([[0.0, 0.0], [37.2, 11.0]]), np.array([0, 0]), (64, 64))
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
        peak_radius: int | None = 2,
        peak_threshold: float = 0.3,
    ) -> None:
        super().__init__(num_classes=num_classes, stride=stride)
        if sigma <= 0:
            raise ValueError(f'sigma must be positive, got {sigma}')
        if padding < 0:
            raise ValueError(f'padding must not be negative, got {padding}')
        self.sigma = sigma
        self.truncate = truncate
        self.padding = padding
        self.peak_radius = peak_radius
        self.peak_threshold = peak_threshold

    def map_shape(self, img_shape: tuple[int, int]) -> tuple[int, int]:
        """(ceil((H + padding) / s), ceil((W + padding) / s))."""
        height, width = img_shape
        return -(-(height + self.padding) // self.stride), -(-(width + self.padding) // self.stride)

    @property
    def map_origin(self) -> float:
        """Half the padding before the image."""
        return -0.5 - self.padding / 2

    def encode(
        self, points: NDArray[Any], labels: NDArray[Any], img_shape: tuple[int, int], halo: int = 0
    ) -> NDArray[Any]:
        """The density map of one image.

        Args:
            points: (N, 2) float, (x, y) in pixels of the input, pixel centres at integers.
            labels: (N,) int64.
            img_shape: (height, width) of the input.
            halo: 0 for a whole image; ``padding`` for a crop out of an image that was padded already. Mass of points
                near the border of a crop then falls outside its map, as it does in the whole image's map.

        Returns:
            (C, h, w) float32 objects per cell.

        Raises:
            ValueError: ``halo`` is neither 0 nor ``padding``, or a point lies outside the input.
        """
        if halo not in (0, self.padding):
            raise ValueError(f'halo must be 0 or the padding {self.padding}, got {halo}')
        points = np.asarray(points, dtype=np.float64).reshape(-1, 2)
        points_to_pixels(points, img_shape)
        # The map of a padded image starts half the padding before the image, so that it is centred on it.
        offset = -self.padding / 2 if halo else self.padding / 2
        height, width = (
            self.map_shape(img_shape) if not halo else tuple(-(-(side - halo) // self.stride) for side in img_shape)
        )
        cells = (points + 0.5 + offset) / self.stride - 0.5
        canvas, margin = self._splat(cells, labels, (height, width), keep_outside=bool(halo))
        return canvas[:, margin : margin + height, margin : margin + width].astype(np.float32)

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

    def decode(self, output: Tensor, img_shape: tuple[int, int]) -> CountPrediction:
        """Counts, density and points of a density map.

        Args:
            output: (C, h, w) objects per cell, ``(h, w) == map_shape(img_shape)``.
            img_shape: (height, width) of the image, without padding.

        Raises:
            ValueError: the output has another shape than ``map_shape`` says.
        """
        expected = (self.num_classes, *self.map_shape(img_shape))
        if tuple(output.shape) != expected:
            raise ValueError(
                f'an image of {img_shape} has a map of {expected} at stride {self.stride}, got {tuple(output.shape)}'
            )
        density = output.float()
        counts = density.double().sum(dim=(1, 2)).float()
        if self.peak_radius is None:
            empty = density.new_zeros(0)
            return CountPrediction(counts, density, empty.view(0, 2), empty.long(), empty, self.map_extent(density))
        sigma = self.sigma / self.stride
        single = 1 / max(1.0, 2 * np.pi * sigma**2)
        cells, labels, scores = density_peaks(density, self.peak_radius, self.peak_threshold * single)
        points = (cells + 0.5) * self.stride - 0.5 - self.padding / 2
        return CountPrediction(counts, density, points, labels, scores, self.map_extent(density))
