"""Connected components with OpenCV labels and NumPy sums."""

import cv2
import numpy as np
import torch
from torch import Tensor


def foreground(prob: Tensor, threshold_map: Tensor | None, threshold: float | None) -> Tensor:
    """Boolean mask of the pixels that pass, compared in float32 (float64 for float64 and integer maps)."""
    wide = prob.float() if prob.dtype in (torch.float16, torch.bfloat16) else prob
    if threshold_map is not None:
        return wide >= threshold_map.to(wide.dtype)
    if threshold is None:
        return prob != 0
    if not wide.is_floating_point():
        wide = wide.double()
    return wide >= torch.tensor(threshold, dtype=torch.float64).to(wide.dtype)


def _label(mask: np.ndarray, connectivity: int) -> np.ndarray:
    if mask.size == 0:
        return np.zeros(mask.shape, np.int32)
    # The pixel-based algorithm numbers by the first pixel in raster order; the block-based default does not.
    _, labels = cv2.connectedComponentsWithAlgorithm(
        np.ascontiguousarray(mask, np.uint8), connectivity, cv2.CV_32S, cv2.CCL_WU
    )
    return labels


def _statistics(
    labels: np.ndarray, prob: np.ndarray | None, min_area: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Boxes and areas (K, 5), means of x, y and the map (K, 3), and the renumbered labels of one image."""
    ys, xs = np.nonzero(labels)
    ids = labels[ys, xs] - 1
    count = int(ids.max()) + 1 if ids.size else 0
    areas = np.bincount(ids, minlength=count)
    bounds = np.empty((count, 4), np.int64)
    bounds[:, :2], bounds[:, 2:] = max(labels.shape), 0
    for column, values in enumerate((xs, ys)):
        np.minimum.at(bounds[:, column], ids, values)
        np.maximum.at(bounds[:, column + 2], ids, values + 1)
    sums = [np.bincount(ids, weights=v, minlength=count) for v in (xs, ys)]
    sums.append(areas if prob is None else np.bincount(ids, weights=prob[ys, xs], minlength=count))
    keep = areas >= min_area
    numbers = np.concatenate(([0], np.where(keep, np.cumsum(keep), 0))).astype(np.int32)
    means = np.stack(sums, axis=1) / np.maximum(areas, 1)[:, None]
    return np.column_stack((bounds, areas))[keep], means[keep], numbers[labels]


def find_components(
    prob: Tensor,
    threshold_map: Tensor | None,
    threshold: float | None,
    connectivity: int,
    min_area: int,
    return_labels: bool,
) -> tuple[Tensor, Tensor, Tensor]:
    """Reference of ``torch.ops.mmcount.find_components``.

    Args:
        prob: (N, H, W) map.
        threshold_map: (N, H, W) thresholds or None.
        threshold: One threshold for all pixels; None with no map takes every nonzero pixel.
        connectivity: 4 or 8.
        min_area: Smallest component kept, in pixels.
        return_labels: Whether to return the label image.

    Returns:
        (K, 6) int64 ``image, left, top, right, bottom, area``; (K, 3) float64 mean ``x, y, prob``; (N, H, W) int32
        labels, or (0, H, W) when not asked for.
    """
    masks = foreground(prob.detach(), threshold_map, threshold).cpu().numpy()
    scored = (threshold_map is not None or threshold is not None) and prob.dtype != torch.bool
    values = prob.detach().cpu().double().numpy() if scored else None
    tables, means, labels = [], [], []
    for n, mask in enumerate(masks):
        table, mean, image_labels = _statistics(
            _label(mask, connectivity), None if values is None else values[n], min_area
        )
        tables.append(np.column_stack((np.full(len(table), n), table)))
        means.append(mean)
        labels.append(image_labels)
    label_shape = (len(masks) if return_labels else 0, *masks.shape[1:])
    return (
        torch.from_numpy(np.concatenate([np.empty((0, 6), np.int64), *tables])).to(prob.device),
        torch.from_numpy(np.concatenate([np.empty((0, 3)), *means])).to(prob.device),
        torch.from_numpy(np.stack(labels) if label_shape[0] else np.empty(label_shape, np.int32)).to(prob.device),
    )
