"""Boxes that features can be pooled at."""

import torch
from torch import Tensor


def poolable_boxes(boxes: Tensor, img_shape: tuple[int, int], min_size: float = 1.0) -> Tensor:
    """Boxes cut to the image, finite and at least ``min_size`` wide and high.

    Untrained detectors predict infinite, inverted and far-away boxes, on which RoIAlign aborts or asks for all memory.

    Args:
        boxes: (N, 4) xyxy, px; anything.
        img_shape: (height, width) of the image, px.
        min_size: Smallest side, px; images smaller than it give boxes as large as the image.

    Returns:
        (N, 4) float, a copy.

    Example:
        >>> boxes = torch.tensor([[-5.0, 2.0, float('inf'), 4.0], [9.0, 9.0, 3.0, float('nan')]])
        >>> poolable_boxes(boxes, (8, 10)).tolist()
        [[0.0, 2.0, 10.0, 4.0], [3.0, 7.0, 9.0, 8.0]]
    """
    height, width = img_shape[:2]
    limits = boxes.new_tensor([width, height])
    # NaN is anywhere: the far corner is as good as any, and keeps inverted boxes what they are.
    corners = torch.nan_to_num(boxes.reshape(-1, 2, 2).float(), nan=float(max(height, width)))
    corners = torch.minimum(corners.clamp(min=0), limits)
    low, high = corners.amin(dim=1), corners.amax(dim=1)
    side = torch.minimum(limits, torch.full_like(limits, min_size))
    low = torch.minimum(low, limits - side)
    high = torch.maximum(high, low + side)
    return torch.cat([low, high], dim=1)


def jitter_boxes(boxes: Tensor, copies: int, shift: float = 0.15, scale: float = 0.2) -> Tensor:
    """Copies of boxes, moved and resized at random.

    Args:
        boxes: (N, 4) xyxy, px.
        copies: K, copies of each box.
        shift: Largest shift of the centre, either way, as a share of width and height.
        scale: Largest change of width and height, either way, as a share of them.

    Returns:
        (K * N, 4) xyxy, px.

    Raises:
        ValueError: ``copies`` or ``shift`` is negative, or ``scale`` not in 0..1.
    """
    if copies < 0 or shift < 0 or not 0 <= scale < 1:
        raise ValueError(
            f'copies and shift must not be negative and scale must be in [0, 1), got {copies}, {shift}, {scale}'
        )
    boxes = boxes.repeat(copies, 1)
    centres, sizes = (boxes[:, :2] + boxes[:, 2:]) / 2, boxes[:, 2:] - boxes[:, :2]
    noise = torch.rand(2, *centres.shape, device=boxes.device, dtype=boxes.dtype) * 2 - 1
    centres = centres + noise[0] * shift * sizes
    halves = sizes * (1 + noise[1] * scale) / 2
    return torch.cat([centres - halves, centres + halves], dim=1)
