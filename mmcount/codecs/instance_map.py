"""Independent instance maps: every object is a blob of its own, and every blob is an object (IIM)."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcount.registry import CODECS

from .base import CountCodec, CountPrediction
from .instance_rules import BOX_RULES, BoxRule, IntArray, paint_rectangles, point_half_sizes, shrink_boxes

POINT_MAX_HALF_SIZE = 15


@CODECS.register_module()
class InstanceMapCodec(CountCodec):
    """Boxes or points to separate rectangles of ones, and a confidence map to its connected components.

    Gao et al., "Learning Independent Instance Maps for Crowd Localization", 2020. From boxes the map is that of the
    published preparation scripts, pixel by pixel; distances that are equal go by the order of the boxes. From points
    each becomes a square whose half-size is a quarter of the distance to the nearest other one (31 px at most).
    Classes have a channel each and know nothing of one another.

    The components are not the objects' extent: all rules but 'original' cap them, and crowded ones are shrunk, which
    is fine for points and counts and wrong for the overlap of boxes. Objects that coincide or are a few pixels apart
    may share a component or vanish under ``min_area``.

    Args:
        geometry: What ``encode`` takes: 'bboxes' (N, 4) or 'points' (N, 2).
        rule: How boxes are painted: a name in ``BOX_RULES`` ('nwpu', 'shha', 'shhb', 'qnrf', 'jhu' and 'fdst' as
            published, 'original' as large as they are), a `BoxRule` or its arguments. Its sizes are in cells.
        max_half_size: Replaces the largest half-size of the rule, and the 15 px of points.
        outside: What happens to boxes and points whose centre lies outside of the image: 'skip' as published, or
            'paint' what reaches in, so that the map of a crop is the crop of the map where the neighbours beyond its
            border are given too. The scripts also skip a box whose centre is in the first row or column; 'paint' does
            not.
        threshold: Confidence from which on a cell belongs to an object, unless ``decode`` is given another.
        min_area: Smaller components are no objects, cells.
        density_cell: Side of a cell of the predicted density, in cells of the map. On a large map, filling a density of
            its own size takes longer than finding the objects.
        num_classes: C.
        stride: Input pixels between two cells of the map.

    Raises:
        ValueError: An option is not one of those above.

    Example:
        >>> codec = InstanceMapCodec(rule='nwpu')
        >>> target = codec.encode(np.array([[4, 4, 14, 12], [20, 4, 30, 12]]), np.array([0, 0]), (20, 40))
        >>> found = codec.decode(torch.from_numpy(target), (20, 40))
        >>> found.counts.tolist(), found.points.tolist(), found.bboxes[0].tolist()
        ([2.0], [[8.5, 7.5], [24.5, 7.5]], [4.0, 4.0, 14.0, 12.0])
    """

    counts_points = True

    def __init__(
        self,
        geometry: Literal['bboxes', 'points'] = 'bboxes',
        rule: str | BoxRule | Mapping[str, Any] = 'nwpu',
        max_half_size: int | None = None,
        outside: Literal['skip', 'paint'] = 'skip',
        threshold: float = 0.5,
        min_area: int = 3,
        density_cell: int = 4,
        num_classes: int = 1,
        stride: int = 1,
    ) -> None:
        super().__init__(num_classes=num_classes, stride=stride)
        if geometry not in ('bboxes', 'points'):
            raise ValueError(f"geometry must be 'bboxes' or 'points', got {geometry!r}")
        if outside not in ('skip', 'paint'):
            raise ValueError(f"outside must be 'skip' or 'paint', got {outside!r}")
        if min_area < 1:
            raise ValueError(f'min_area must be at least 1, got {min_area}')
        if density_cell < 1:
            raise ValueError(f'density_cell must be at least 1, got {density_cell}')
        if max_half_size is not None and max_half_size < 1:
            raise ValueError(f'max_half_size must be at least 1, got {max_half_size}')
        self.geometry = geometry
        self.rule = _build_rule(rule, max_half_size)
        self.point_max_half_size = POINT_MAX_HALF_SIZE if max_half_size is None else max_half_size
        self.outside = outside
        self.threshold = threshold
        self.min_area = min_area
        self.density_cell = density_cell

    def encode(
        self, points: NDArray[Any], labels: NDArray[Any], img_shape: tuple[int, int], halo: int = 0
    ) -> NDArray[Any]:
        """The instance map of one image.

        Args:
            points: What ``geometry`` says: (N, 4) boxes (x1, y1, x2, y2) in pixel edges of the input, or (N, 2)
                points (x, y), pixel centres at integers. They may lie outside of the input.
            labels: (N,) int64.
            img_shape: (height, width) of the input.
            halo: 0; instance maps need no context.

        Returns:
            (C, h, w) float32, 0 or 1.

        Raises:
            ValueError: The shape is not that of the geometry, a number is not finite, a label is not in 0..C-1, or
                ``halo`` is not 0.

        Example:
            >>> codec = InstanceMapCodec('points')
            >>> codec.encode(np.array([[3.0, 2.0], [11.0, 2.0]]), np.array([0, 0]), (5, 15))[0, 0].astype(int)
            array([0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0])
        """
        if halo:
            raise ValueError(f'an instance map has no halo, got {halo}')
        columns = 4 if self.geometry == 'bboxes' else 2
        objects, labels = np.asarray(points, dtype=np.float64), np.asarray(labels).reshape(-1)
        if not objects.size:
            objects = objects.reshape(0, columns)
        if objects.shape != (len(labels), columns):
            raise ValueError(
                f'geometry {self.geometry!r} needs ({len(labels)}, {columns}) numbers for {len(labels)} labels, got '
                f'shape {objects.shape}'
            )
        _check(objects, labels, self.num_classes)
        canvas = np.zeros((self.num_classes, *self.map_shape(img_shape)), dtype=np.float32)
        for label in range(self.num_classes):
            mine = objects if self.num_classes == 1 else objects[labels == label]
            low, high, centres = self._box_extents(mine) if columns == 4 else self._point_extents(mine)
            if self.outside == 'skip':
                first = 1 if columns == 4 else 0
                limit = np.array(canvas.shape[:0:-1])
                inside = ((centres >= first) & (centres < limit)).all(axis=1)
                low, high = low[inside], high[inside]
            paint_rectangles(canvas[label], low, high)
        return canvas

    def _box_extents(self, boxes: NDArray[Any]) -> tuple[IntArray, IntArray, IntArray]:
        cells, rule = boxes / self.stride, self.rule
        middle = (cells[:, :2] + cells[:, 2:]) / 2
        # The scripts truncate. Outside of the image only rounding down makes a crop the same as the whole.
        centres = (np.floor(middle) if self.outside == 'paint' else np.trunc(middle)).astype(np.int64)
        halves = np.maximum((cells[:, 2:] - cells[:, :2]) / 2, rule.min_half_size).astype(np.int64)
        if rule.max_half_size is not None:
            halves = np.minimum(halves, rule.max_half_size)
        halves = shrink_boxes(centres, halves, rule)
        return centres - halves, centres + halves, centres

    def _point_extents(self, points: NDArray[Any]) -> tuple[IntArray, IntArray, IntArray]:
        cells = (points + 0.5) / self.stride
        centres = np.floor(cells).astype(np.int64)
        halves = point_half_sizes(cells, self.point_max_half_size)[:, None]
        return centres - halves, centres + halves + 1, centres

    def decode(
        self, output: Tensor, img_shape: tuple[int, int], threshold: float | Tensor | None = None
    ) -> CountPrediction:
        """The 4-connected components of ``output >= threshold``.

        Args:
            output: (C, h, w) confidence, ``(h, w) == map_shape(img_shape)``; a target of ``encode`` too.
            img_shape: (height, width) of the image, without padding.
            threshold: One number or a map of them, (h, w) or (C, h, w); the codec's own by default.

        Returns:
            ``points`` are the means of the pixels of each component, ``bboxes`` their bounding boxes, ``scores`` the
            means of ``output`` in them; class by class, each in raster order. ``density`` has a unit in the cell at
            each point and sums to ``counts``, the numbers of components.

        Raises:
            ValueError: The output has another shape than ``map_shape`` says, or the threshold does not fit it.
        """
        # Not above: ops load compiled kernels, and codecs alone need none.
        from mmcount.ops import find_components

        expected = (self.num_classes, *self.map_shape(img_shape))
        if tuple(output.shape) != expected:
            raise ValueError(
                f'an image of {img_shape} has a map of {expected} at stride {self.stride}, got {tuple(output.shape)}'
            )
        found = find_components(
            output, self.threshold if threshold is None else threshold, connectivity=4, min_area=self.min_area
        )
        middles = found.centroids + 0.5
        counts = torch.bincount(found.image_ids, minlength=self.num_classes).float()
        limit = middles.new_tensor((img_shape[1], img_shape[0]))
        # The last cell may reach over the border of the image.
        points = torch.minimum(middles * self.stride - 0.5, limit - 1)
        density, extent = self.density_of(points, found.image_ids, img_shape)
        bboxes = torch.minimum(found.bboxes * float(self.stride), limit.repeat(2))
        return CountPrediction(
            counts,
            density,
            points.float(),
            found.image_ids,
            found.scores.float(),
            extent,
            bboxes=bboxes.float(),
        )


def _build_rule(rule: str | BoxRule | Mapping[str, Any], max_half_size: int | None) -> BoxRule:
    if isinstance(rule, str):
        if rule not in BOX_RULES:
            raise ValueError(f'rule must be one of {sorted(BOX_RULES)}, a BoxRule or its arguments, got {rule!r}')
        rule = BOX_RULES[rule]
    arguments = dict(vars(rule) if isinstance(rule, BoxRule) else rule)
    if max_half_size is not None:
        arguments['max_half_size'] = max_half_size
        arguments['min_half_size'] = min(max_half_size, arguments.get('min_half_size', BoxRule.min_half_size))
    try:
        return BoxRule(**arguments)
    except TypeError as error:
        raise ValueError(f'rule has an argument that BoxRule does not have: {error}') from error


def _check(objects: NDArray[Any], labels: NDArray[Any], num_classes: int) -> None:
    finite = np.isfinite(objects).all(axis=1) & (np.abs(objects) < 2**29).all(axis=1)
    if not finite.all():
        index = int(np.argmin(finite))
        raise ValueError(f'object {index} must be finite and no farther than 2^29 px, got {objects[index].tolist()}')
    if len(labels) and not 0 <= labels.min() <= labels.max() < num_classes:
        raise ValueError(f'labels must be in 0..{num_classes - 1}, got {labels.min()}..{labels.max()}')
