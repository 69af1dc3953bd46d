"""Which mask proposal is the object of a peak: scores, and the suppression of doubles."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

Extent = tuple[float, float, float, float]
#: A value for all classes, or one for each.
PerClass = float | Sequence[float]

#: Proposals of at least the second and less than the first share of the image are no objects.
LARGEST_SHARE, SMALLEST_SHARE = 0.85, 0.00002


def resize_masks(masks: Tensor, shape: tuple[int, int], extent: Extent | None = None) -> Tensor:
    """Masks at another resolution: each new pixel is the old one that its centre lies in.

    This is Pillow's nearest neighbour and torch's ``nearest-exact``: pixel i reads ``floor((i + 0.5) * scale)``. Small
    masks can vanish.

    Args:
        masks: (K, H, W) bool.
        shape: (h, w) of the result.
        extent: (left, top, right, bottom) of the result in pixels of ``masks``, which lies at
            (-0.5, -0.5, W - 0.5, H - 0.5), the default. False outside of the masks.

    Returns:
        (K, h, w) bool.

    Example:
        >>> resize_masks(torch.tensor([[[True, False, False]]]), (1, 1)).item()
        False
    """
    (height, width), (rows, cols) = masks.shape[-2:], shape
    left, top, right, bottom = extent or (-0.5, -0.5, width - 0.5, height - 0.5)
    y, valid_y = _nearest(rows, top, bottom, height, masks.device)
    x, valid_x = _nearest(cols, left, right, width, masks.device)
    return masks[:, y][:, :, x] & (valid_y[:, None] & valid_x)


def _nearest(cells: int, low: float, high: float, size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """(cells,) int64 pixels of a side of ``size`` that the cells of [low, high) read, and whether they exist."""
    # In float64: the fraction (i + 0.5) * size / cells often lies on a pixel's border, where rounding decides.
    centres = low + 0.5 + (torch.arange(cells, dtype=torch.float64) + 0.5) * (high - low) / cells
    index = centres.floor().long().to(device)
    return index.clamp(0, size - 1), (index >= 0) & (index < size)


def mask_contours(masks: Tensor, size: int = 5) -> Tensor:
    """Morphological gradient of masks: dilation without erosion, by a square of ``size`` pixels.

    Args:
        masks: (K, H, W) bool.
        size: Odd, pixels.

    Returns:
        (K, H, W) bool. What is outside of the image takes no part.
    """
    if size < 1 or size % 2 == 0:
        raise ValueError(f'size must be odd and positive, got {size}')
    if masks.shape[0] == 0:
        return masks.clone()

    def dilate(planes: Tensor) -> Tensor:
        columns = F.max_pool2d(planes, (size, 1), 1, (size // 2, 0))
        return F.max_pool2d(columns, (1, size), 1, (0, size // 2))

    planes = masks.float()[None]
    return ((dilate(planes) > 0) & (dilate(1 - planes) > 0))[0]


def background_mask(
    class_map: Tensor, shape: tuple[int, int], factor: float = 0.95, extent: Extent | None = None
) -> Tensor:
    """Where a class map is low: ``Q`` of the proposal score.

    The map is stretched to 0..255, rounded to 8 bits and resized with Pillow's bicubic filter, as the published score
    does; what is below ``factor`` times the mean of that picture is background.

    Args:
        class_map: (h, w).
        shape: (H, W) of the image.
        factor: Of the mean.
        extent: (left, top, right, bottom) of the map in pixels of the image; the image by default.

    Returns:
        (H, W) bool.
    """
    values = class_map.detach().double().cpu().numpy()
    low, high = float(values.min()), float(values.max())
    scaled = (values - low) * (255 / (high - low) if high > low else 1.0)
    grey = Image.fromarray(np.floor(scaled + 0.5).clip(0, 255).astype(np.uint8))
    height, width = shape
    left, top, right, bottom = extent or (-0.5, -0.5, width - 0.5, height - 0.5)
    step_x, step_y = class_map.shape[1] / (right - left), class_map.shape[0] / (bottom - top)
    box = (
        max(0.0, (-0.5 - left) * step_x),
        max(0.0, (-0.5 - top) * step_y),
        min(float(class_map.shape[1]), (width - 0.5 - left) * step_x),
        min(float(class_map.shape[0]), (height - 0.5 - top) * step_y),
    )
    picture = np.asarray(grey.resize((width, height), Image.Resampling.BICUBIC, box=box), dtype=np.float64)
    return torch.from_numpy(picture < factor * picture.mean()).to(class_map.device)


def density_in_masks(
    density: Tensor, masks: Tensor, extent: Extent | None = None, resize: Literal['nearest', 'area'] = 'nearest'
) -> Tensor:
    """Objects of each class in each mask.

    Args:
        density: (C, h, w) objects per cell.
        masks: (P, H, W) bool.
        extent: (left, top, right, bottom) of the density in pixels of the masks; the masks' image by default.
        resize: ``nearest``: a cell belongs to a mask if the pixel in its middle does, as published. ``area``: in part,
            by the share of its area, so that a mask smaller than a cell does not vanish.

    Returns:
        (C, P).

    Raises:
        ValueError: ``resize`` is neither.

    Example:
        >>> density_in_masks(torch.ones(1, 1, 1), torch.eye(2, dtype=torch.bool)[None], resize='area').item()
        0.5
    """
    if resize == 'nearest':
        shares = resize_masks(masks, (density.shape[1], density.shape[2]), extent).to(density)
    elif resize == 'area':
        shares = _area_shares(masks, (density.shape[1], density.shape[2]), extent).to(density)
    else:
        raise ValueError(f"resize must be 'nearest' or 'area', got {resize!r}")
    return density.flatten(1) @ shares.flatten(1).T


def _area_shares(masks: Tensor, shape: tuple[int, int], extent: Extent | None) -> Tensor:
    """(K, h, w) share of each cell's area inside the image that a mask covers."""
    (height, width), (rows, cols) = masks.shape[-2:], shape
    left, top, right, bottom = extent or (-0.5, -0.5, width - 0.5, height - 0.5)
    weight_y = _overlaps(rows, top, bottom, height).to(masks.device)
    weight_x = _overlaps(cols, left, right, width).to(masks.device)
    return weight_y @ masks.float() @ weight_x.T


def _overlaps(cells: int, low: float, high: float, size: int) -> Tensor:
    """(cells, size) share of each cell of [low, high) that each pixel of [-0.5, size - 0.5) makes up."""
    edges = torch.linspace(low, high, cells + 1, dtype=torch.float64)
    pixels = torch.arange(size + 1, dtype=torch.float64) - 0.5
    starts = torch.maximum(edges[:-1, None], pixels[:-1])
    ends = torch.minimum(edges[1:, None], pixels[1:])
    overlap = (ends - starts).clamp(min=0)
    return (overlap / overlap.sum(dim=1, keepdim=True).clamp(min=1e-12)).float()


def score_proposals(
    responses: Tensor,
    labels: Tensor,
    masks: Tensor,
    maps: Tensor,
    density_sums: Tensor,
    alpha: PerClass = 0.8,
    beta: PerClass = 1e-5,
    gamma: PerClass = 0.2,
    background: PerClass = 0.95,
    map_extent: Extent | None = None,
) -> Tensor:
    r"""Score of each mask proposal for each peak.

    .. math:: \alpha \sum_{Pr} R + \sum_{\partial Pr} R - \beta \sum_{Pr} Q - \gamma \Big|1 - \sum_{Pr} D_c\Big|

    with the peak's response R, the background Q of its class and the density D of its class (Cholakkal et al., CVPR
    2019, eq. 9; without the last term it is the score of Zhou et al., CVPR 2018, eq. 6). A proposal that holds two
    objects, or half of one, is thus scored lower than that of one whole object.

    Args:
        responses: (K, H, W), each summing to 1.
        labels: (K,) int64, the peaks' classes.
        masks: (P, H, W) bool.
        maps: (C, h, w) class maps.
        density_sums: (C, P) of :func:`density_in_masks`.
        alpha: Weight of the response in the proposal; the contour's has weight 1.
        beta: Cost of a background pixel.
        gamma: Weight of the density penalty; 0 is the score of peak response mapping.
        background: Background is what is below this share of the mean of the class map.
        map_extent: (left, top, right, bottom) of ``maps`` in pixels of ``responses``; the image by default.

    Returns:
        (K, P); ``-inf`` for proposals of 85 % of the image or more, or of less than 0.002 %.
    """
    num_classes, shape = maps.shape[0], (responses.shape[1], responses.shape[2])
    weights = [_per_class(value, num_classes, responses)[labels][:, None] for value in (alpha, beta, gamma)]
    factors = _per_class(background, num_classes, responses)
    inside, contours = masks.flatten(1).to(responses), mask_contours(masks).flatten(1).to(responses)
    relevance = responses.flatten(1)
    classes, of_class = labels.unique(return_inverse=True)
    empty = responses.new_zeros(0, shape[0] * shape[1])
    lows = [background_mask(maps[c], shape, float(factors[c]), map_extent).flatten() for c in classes.tolist()]
    low_pixels = (torch.stack(lows).to(responses) if lows else empty) @ inside.T
    penalty = (1 - density_sums.to(responses)).abs()[labels]
    scores = weights[0] * (relevance @ inside.T) + relevance @ contours.T
    scores = scores - weights[1] * low_pixels[of_class] - weights[2] * penalty
    areas, image_area = masks.flatten(1).sum(dim=1), shape[0] * shape[1]
    invalid = (areas >= LARGEST_SHARE * image_area) | (areas < SMALLEST_SHARE * image_area)
    return scores.masked_fill(invalid, -torch.inf)


def _per_class(value: PerClass, num_classes: int, like: Tensor) -> Tensor:
    """(C,) values."""
    if isinstance(value, (int, float)):
        return like.new_full((num_classes,), float(value))
    if len(value) != num_classes:
        raise ValueError(f'expected a number or {num_classes} of them, one for each class, got {list(value)}')
    return like.new_tensor(list(value))


def best_proposals(scores: Tensor) -> tuple[Tensor, Tensor]:
    """The proposal of each peak: (K,) scores and (K,) int64 indices, the first of equal ones.

    Peaks without any valid proposal have the score ``-inf``.
    """
    best = scores.amax(dim=1)
    index = torch.arange(scores.shape[1], device=scores.device).expand_as(scores)
    return best, torch.where(scores == best[:, None], index, scores.shape[1]).amin(dim=1)


def mask_iou(first: Tensor, second: Tensor) -> Tensor:
    """Intersection over union of (K, H, W) and (P, H, W) bool masks, (K, P) float; 0 for two empty masks.

    Example:
        >>> mask_iou(torch.tensor([[[True, True]]]), torch.tensor([[[True, False]], [[False, False]]])).tolist()
        [[0.5, 0.0]]
    """
    a, b = first.flatten(1).float(), second.flatten(1).float()
    common = a @ b.T
    union = a.sum(dim=1)[:, None] + b.sum(dim=1) - common
    return common / union.clamp(min=1)


def mask_nms(masks: Tensor, scores: Tensor, iou_threshold: float = 0.3) -> tuple[Tensor, Tensor]:
    """Keep the best of masks that overlap, whatever their classes.

    Args:
        masks: (K, H, W) bool.
        scores: (K,).
        iou_threshold: A mask is suppressed by a better one with this intersection over union, or more.

    Returns:
        (M,) int64 indices of the masks that stay, best first, equal scores in their order; and (K,) int64, for each
        mask the position in the first result of the one that stands for it (its own, or that which suppressed it).

    Example:
        >>> masks = torch.tensor([[[1, 1, 0]], [[1, 1, 1]], [[0, 0, 1]]]).bool()
        >>> keep, owner = mask_nms(masks, torch.tensor([0.2, 0.9, 0.1]), iou_threshold=0.5)
        >>> keep.tolist(), owner.tolist()
        ([1, 2], [0, 0, 1])
    """
    order = scores.argsort(descending=True, stable=True).tolist()
    overlaps = (mask_iou(masks, masks) >= iou_threshold).cpu()
    owner = torch.full((len(order),), -1, dtype=torch.long)
    keep: list[int] = []
    for index in order:
        if owner[index] >= 0:
            continue
        owner[(owner < 0) & overlaps[index]] = len(keep)
        owner[index] = len(keep)
        keep.append(index)
    return torch.tensor(keep, dtype=torch.long, device=masks.device), owner.to(masks.device)
