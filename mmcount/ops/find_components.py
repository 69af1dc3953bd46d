"""Connected components of a thresholded map, straight to boxes, centroids and areas."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from .reference.components import find_components as _reference
from .schema import register_op

_KERNEL_DTYPES = (torch.bool, torch.uint8, torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Components(NamedTuple):
    """Components of a batch, ordered by image and then by their first pixel in raster order.

    Attributes:
        image_ids: (K,) int64, position of the component's image in the batch.
        bboxes: (K, 4) int64 ``(x1, y1, x2, y2)`` in pixel edges: ``x2`` and ``y2`` are one past the last pixel.
        areas: (K,) int64, pixels.
        centroids: (K, 2) float64 mean ``(x, y)`` of the pixels, pixel centres at integers.
        scores: (K,) float64 mean of the map inside the component; 1 for masks.
        labels: Shape of the map, int32: 0 is background, each image counts from 1; None when not asked for.
    """

    image_ids: Tensor
    bboxes: Tensor
    areas: Tensor
    centroids: Tensor
    scores: Tensor
    labels: Tensor | None


def _fake(
    prob: Tensor,
    threshold_map: Tensor | None,
    threshold: float | None,
    connectivity: int,
    min_area: int,
    return_labels: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    count = torch.library.get_ctx().new_dynamic_size()
    images, height, width = prob.shape
    return (
        prob.new_empty((count, 6), dtype=torch.int64),
        prob.new_empty((count, 3), dtype=torch.float64),
        prob.new_empty((images if return_labels else 0, height, width), dtype=torch.int32),
    )


register_op(
    'find_components(Tensor prob, Tensor? threshold_map, float? threshold, int connectivity, int min_area, '
    'bool return_labels) -> (Tensor, Tensor, Tensor)',
    reference=_reference,
    fake=_fake,
)


def _as_kernel_dtypes(prob: Tensor, threshold_map: Tensor | None, has_threshold: bool) -> tuple[Tensor, Tensor | None]:
    """Bring the map, and the threshold map if any, to one dtype that the kernels read."""
    if threshold_map is not None:
        common = torch.promote_types(prob.dtype, threshold_map.dtype)
        if common == torch.bool or common not in _KERNEL_DTYPES:
            common = torch.float64
        return prob.to(common), threshold_map.to(common)
    if prob.dtype in _KERNEL_DTYPES:
        return prob, None
    return (prob.double() if has_threshold else prob != 0), None


def _check(prob: Tensor, threshold: float | Tensor | None, connectivity: int, min_area: int) -> None:
    if prob.dim() not in (2, 3):
        raise ValueError(f'prob must have shape (H, W) or (N, H, W), got {tuple(prob.shape)}')
    if prob.is_complex():
        raise TypeError(f'prob must be real, got {prob.dtype}')
    if connectivity not in (4, 8):
        raise ValueError(f'connectivity must be 4 or 8, got {connectivity!r}')
    if min_area < 0:
        raise ValueError(f'min_area must not be negative, got {min_area}')
    if threshold is None:
        if prob.is_floating_point():
            raise ValueError(f'a {prob.dtype} map needs a threshold; only bool and integer maps are masks')
    elif isinstance(threshold, Tensor):
        if threshold.shape not in (prob.shape, prob.shape[-2:]):
            raise ValueError(
                f'a threshold map must have the shape of prob {tuple(prob.shape)} or of one image '
                f'{tuple(prob.shape[-2:])}, got {tuple(threshold.shape)}'
            )
        if threshold.device != prob.device:
            raise ValueError(f'the threshold map is on {threshold.device}, prob on {prob.device}')
    elif math.isnan(threshold):
        raise ValueError('threshold must be a number, got NaN')


def find_components(
    prob: Tensor,
    threshold: float | Tensor | None = None,
    connectivity: int = 4,
    min_area: int = 1,
    return_labels: bool = False,
) -> Components:
    """Find the connected components of ``prob >= threshold``.

    Thresholding and labelling are one pass over the map: no mask and, unless asked for, no label image is written.
    Order, boxes, areas and centroids are those of OpenCV's pixel-based ``connectedComponentsWithStats`` without the
    background row, on every device. NaN never passes. Half types are compared in float32. Not differentiable.

    Args:
        prob: Map or mask of one image or of a batch.
        threshold: Inclusive lower bound: one number, or a map of them. None takes the nonzero pixels of a bool or
            integer mask.
        connectivity: 4 (edges) or 8 (edges and corners).
        min_area: Components of fewer pixels are dropped, and the rest renumbered.
        return_labels: Also return the label image, which costs 4 bytes per pixel.

    Returns:
        The components. Their numbers in ``labels`` are 1 + their position among the components of their image.

    Shape:
        prob: (H, W) or (N, H, W); threshold map: shape of ``prob`` or (H, W).

    Raises:
        ValueError: A shape, ``connectivity`` or ``min_area`` is not as described, ``threshold`` is NaN, or a floating
            map has none.
        TypeError: ``prob`` is complex.

    Example:
        >>> prob = torch.tensor([[0.9, 0.7, 0.0], [0.0, 0.0, 0.8]])
        >>> found = find_components(prob, threshold=0.5)
        >>> found.bboxes.tolist(), found.areas.tolist(), found.centroids.tolist()
        ([[0, 0, 2, 1], [2, 1, 3, 2]], [2, 1], [[0.5, 0.0], [2.0, 1.0]])
        >>> len(find_components(prob, threshold=0.5, connectivity=8).areas)
        1
    """
    _check(prob, threshold, connectivity, min_area)
    maps = prob.detach() if prob.dim() == 3 else prob.detach()[None]
    threshold_map, scalar = None, None
    if isinstance(threshold, Tensor):
        threshold_map = threshold.detach().expand(maps.shape)
    elif threshold is not None:
        scalar = float(threshold)
    maps, threshold_map = _as_kernel_dtypes(maps, threshold_map, scalar is not None)
    table, means, labels = torch.ops.mmcount.find_components(
        maps, threshold_map, scalar, connectivity, min_area, return_labels
    )
    return Components(
        image_ids=table[:, 0],
        bboxes=table[:, 1:5],
        areas=table[:, 5],
        centroids=means[:, :2],
        scores=means[:, 2],
        labels=labels.view(prob.shape) if return_labels else None,
    )
