"""Mask proposals that need no training and no download."""

from collections.abc import Mapping, Sequence
from typing import Any

import cv2
import numpy as np

from mmcount.registry import TASK_UTILS

from .proposal_source import MaskProposals, ProposalSource, ranked
from .regions import (
    ImageFeatures,
    Region,
    cut_regions,
    distinct,
    image_features,
    merge_regions,
    objectness,
)


def _felzenszwalb(image: np.ndarray, scale: float, sigma: float, min_size: int) -> np.ndarray:
    try:
        from skimage.segmentation import felzenszwalb
    except ImportError as error:
        raise ImportError(
            'HierarchicalProposals needs scikit-image, which is not installed: run `pip install scikit-image`, or use '
            'proposals from files'
        ) from error
    labels: np.ndarray = felzenszwalb(image, scale=scale, sigma=sigma, min_size=min_size, channel_axis=-1)
    return labels.astype(np.int64)


@TASK_UTILS.register_module()
class HierarchicalProposals(ProposalSource):
    """Regions of a segmentation hierarchy, ranked by how much they look like objects.

    Two kinds of segments are grouped. Felzenszwalb's graph segments at several scales follow colour and texture. The
    connected components of what is brighter, or darker, than several levels follow objects that stand out from a
    restless background. Each set is merged bottom-up by similarity, and every region on the way is a candidate. Near
    doubles are dropped. The same pixels always give the same proposals.

    Args:
        scales: Of the graph segments, in the unit of scikit-image; large ones give large segments. None are made for
            an empty list, and then scikit-image is not needed.
        sigma: Blur before the segmentation, px.
        min_size: Smallest graph segment, px.
        levels: Number of brightness levels; 0 makes no components.
        reach: Share of the longer side up to which components are neighbours: an object may fall into pieces.
        max_side: Longer side in px to which larger images are reduced meanwhile.
        max_components: Components of a level that are grouped, the largest ones.
        area_range: Smallest and largest share of the image that a proposal may take.
        overlap: Of two proposals with a larger intersection over union one is dropped.
        max_proposals: Most proposals of an image.

    Raises:
        ValueError: An argument is out of range.
        ImportError: scikit-image is not installed (when first used).

    Example:
        >>> image = np.zeros((64, 64, 3), np.uint8)
        >>> image[10:30, 20:35] = 200
        >>> best = HierarchicalProposals()(dict(img=image)).masks[0]
        >>> bool((best == (image[..., 0] > 0)).mean() > 0.99)
        True
    """

    cacheable = True

    def __init__(
        self,
        scales: Sequence[float] = (30.0, 100.0, 300.0),
        sigma: float = 0.6,
        min_size: int = 12,
        levels: int = 10,
        reach: float = 0.04,
        max_side: int = 256,
        max_components: int = 60,
        area_range: tuple[float, float] = (0.0004, 0.8),
        overlap: float = 0.7,
        max_proposals: int = 200,
    ) -> None:
        if any(scale <= 0 for scale in scales) or levels < 0 or not (len(scales) or levels):
            raise ValueError(f'scales must be positive and levels not negative, one of them given: {scales}, {levels}')
        if max_side < 16 or max_proposals < 1 or min_size < 1 or max_components < 1:
            raise ValueError('max_side must be at least 16; max_proposals, min_size and max_components at least 1')
        if not 0 <= area_range[0] < area_range[1] <= 1 or not 0 < overlap <= 1:
            raise ValueError(f'area_range must rise within 0..1 and overlap lie in it, got {area_range} and {overlap}')
        self.scales = tuple(scales)
        self.sigma = sigma
        self.min_size = min_size
        self.levels = levels
        self.reach = reach
        self.max_side = max_side
        self.max_components = max_components
        self.area_range = tuple(area_range)
        self.overlap = overlap
        self.max_proposals = max_proposals

    def __call__(self, results: Mapping[str, Any], limit: int | None = None) -> MaskProposals:
        """The proposals of ``results['img']``, (H, W, 3) uint8 BGR."""
        image = results['img']
        if image.dtype != np.uint8:
            image = np.clip(image, 0, 255).astype(np.uint8)
        number = self.max_proposals if limit is None else min(limit, self.max_proposals)
        return self.propose(np.ascontiguousarray(image), number)

    def propose(self, image: np.ndarray, number: int) -> MaskProposals:
        """The best ``number`` proposals of an (H, W, 3) uint8 BGR image."""
        height, width = image.shape[:2]
        scale = min(1.0, self.max_side / max(height, width))
        small = image
        if scale < 1:
            size = max(1, round(width * scale)), max(1, round(height * scale))
            small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        features = image_features(small)
        area = small.shape[0] * small.shape[1]
        limits = max(4.0, self.area_range[0] * area), self.area_range[1] * area
        regions = self._from_segments(small, features, limits) + self._from_levels(small, features, limits)
        scores = np.array([objectness(region, features) for region in regions], dtype=np.float64)
        regions, scores = distinct(regions, scores, self.overlap, number)
        masks = np.zeros((len(regions), height, width), dtype=bool)
        for index, region in enumerate(regions):
            masks[index] = _enlarge(region.mask(small.shape[:2]), (height, width))
        return ranked(masks, scores)

    def _from_segments(self, image: np.ndarray, features: ImageFeatures, limits: tuple[float, float]) -> list[Region]:
        found = []
        for scale in self.scales:
            labels = _felzenszwalb(image, scale, self.sigma, self.min_size)
            found += cut_regions(labels, merge_regions(labels, features), limits)
        return found

    def _from_levels(self, image: np.ndarray, features: ImageFeatures, limits: tuple[float, float]) -> list[Region]:
        if not self.levels:
            return []
        grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)
        low, high = int(grey.min()), int(grey.max())
        reach = max(1, round(self.reach * max(grey.shape)))
        found = []
        for step in range(1, self.levels + 1):
            level = low + (high - low) * step / (self.levels + 1)
            for side in (grey > level, grey < level):
                labels = self._components(side, limits)
                found += cut_regions(labels, merge_regions(labels, features, reach), limits)
        return found

    def _components(self, side: np.ndarray, limits: tuple[float, float]) -> np.ndarray:
        """(H, W) int64 labels of the largest components with an area in ``limits``, -1 elsewhere."""
        number, labels, stats, _ = cv2.connectedComponentsWithStats(side.astype(np.uint8), connectivity=8)
        areas = stats[:, cv2.CC_STAT_AREA]
        fitting = [index for index in range(1, number) if limits[0] <= areas[index] <= limits[1]]
        fitting = sorted(fitting, key=lambda index: (-areas[index], index))[: self.max_components]
        new = np.full(number, -1, dtype=np.int64)
        new[fitting] = np.arange(len(fitting))
        return new[labels]


def _enlarge(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """A mask at the size of the image, its outline smoothed."""
    if mask.shape == shape:
        return mask
    size = shape[1], shape[0]
    return cv2.resize(mask.astype(np.float32), size, interpolation=cv2.INTER_LINEAR) > 0.5
