"""Independent instance maps: every object is a blob of its own, and every blob is an object (IIM)."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mmcount.codecs.base import CountCodec, checked_map
from mmcount.registry import CODECS
from mmcount.structures.map_grid import MapGrid
from mmcount.structures.objects import Objects
from mmcount.structures.prediction import CountPrediction

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
        geometry: What is painted: 'bboxes' or 'points' of the objects.
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
        >>> boxes = np.array([[4, 4, 14, 12], [20, 4, 30, 12]])
        >>> grid = codec.grid((20, 40))
        >>> target = codec.encode(Objects(boxes[:, :2], bboxes=boxes), grid)['data']
        >>> found = codec.decode((torch.from_numpy(target),), grid)
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

    def encode(self, objects: Objects, grid: MapGrid) -> dict[str, NDArray[Any]]:
        """The instance map of one image.

        Args:
            objects: With boxes if ``geometry`` is 'bboxes'. Of the points, those outside of the image are left out.
            grid: Of the image.

        Returns:
            ``data``: (C, h, w) float32, 0 or 1.

        Raises:
            ValueError: There are no boxes but they are painted, a number is not finite, or a label is not in 0..C-1.

        Example:
            >>> codec = InstanceMapCodec('points')
            >>> objects = Objects(np.array([[3.0, 2.0], [11.0, 2.0]]))
            >>> codec.encode(objects, codec.grid((5, 15)))['data'][0, 0].astype(int)
            array([0, 1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 1, 0])
        """
        objects = objects.checked(self.num_classes)
        canvas = np.zeros((self.num_classes, *grid.shape), dtype=np.float32)
        geometry = objects.boxes() if self.geometry == 'bboxes' else objects.points
        for label in range(self.num_classes):
            mine = geometry if self.num_classes == 1 else geometry[objects.labels == label]
            extents = self._box_extents if self.geometry == 'bboxes' else self._point_extents
            low, high, centres = extents(mine)
            if self.outside == 'skip':
                first = 1 if self.geometry == 'bboxes' else 0
                limit = np.array(canvas.shape[:0:-1])
                inside = ((centres >= first) & (centres < limit)).all(axis=1)
                low, high = low[inside], high[inside]
            paint_rectangles(canvas[label], low, high)
        return dict(data=canvas)

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

    def decode(self, maps: tuple[Tensor, ...], grid: MapGrid, known: Objects | None = None) -> CountPrediction:
        """The 4-connected components of ``confidence >= threshold``.

        Args:
            maps: The (C, h, w) confidence; a target of ``encode`` too. Then the thresholds, (C, h, w) or (1, h, w);
                without them the codec's own.
            grid: Of the image.
            known: Unused.

        Returns:
            ``points`` are the means of the pixels of each component, ``bboxes`` their bounding boxes, ``scores`` the
            means of the confidence in them; class by class, each in raster order. ``density`` has a unit in the cell
            at each point and sums to ``counts``, the numbers of components.

        Raises:
            ValueError: The maps are not those of the grid.
        """
        # Not above: ops load compiled kernels, and codecs alone need none.
        from mmcount.ops import find_components

        confidence, threshold = checked_map(maps[:1], grid, self.num_classes), self.threshold
        if len(maps) > 1:
            threshold = maps[1].float()
        found = find_components(confidence, threshold, connectivity=4, min_area=self.min_area)
        points, labels = grid.to_image(found.centroids), found.image_ids
        limit = points.new_tensor((grid.img_shape[1], grid.img_shape[0]))
        # The last cell may reach over the border of the image.
        points = torch.minimum(points, limit - 1)
        cells = grid.coarser(self.density_cell)
        return CountPrediction(
            counts=torch.bincount(labels, minlength=self.num_classes).float(),
            points=points.float(),
            labels=labels,
            scores=found.scores.float(),
            density=cells.units(points, labels, self.num_classes),
            extent=cells.extent,
            bboxes=torch.minimum(found.bboxes * float(grid.stride), limit.repeat(2)).float(),
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
