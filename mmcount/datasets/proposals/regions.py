"""From an image to a tree of regions: segments, groups of neighbours, and how much each looks like an object."""

import heapq
from dataclasses import dataclass

import cv2
import numpy as np

#: Bins of a colour histogram, for each of three channels.
COLOUR_BINS = 16
#: Bins of a texture histogram: orientations x strengths of the gradient.
ORIENTATIONS, STRENGTHS = 8, 4


@dataclass
class ImageFeatures:
    """Features that regions are compared by, pixel by pixel.

    Attributes:
        lab: (H, W, 3) float32, CIE Lab, each channel about 0..1.
        edges: (H, W) float32 in 0..1, strength of the gradient relative to the strong ones of the image.
        colour_bins: (H, W, 3) int64.
        texture_bins: (H, W) int64.
    """

    lab: np.ndarray
    edges: np.ndarray
    colour_bins: np.ndarray
    texture_bins: np.ndarray


def image_features(image: np.ndarray) -> ImageFeatures:
    """Features of an (H, W, 3) uint8 BGR image."""
    lab = cv2.cvtColor(image.astype(np.float32) / 255, cv2.COLOR_BGR2LAB)
    lab = (lab + np.array([0, 127, 127], np.float32)) / np.array([100, 254, 254], np.float32)
    smooth = cv2.GaussianBlur(lab, (0, 0), 0.7)
    dx = cv2.Sobel(smooth, cv2.CV_32F, 1, 0, ksize=3)
    dy = cv2.Sobel(smooth, cv2.CV_32F, 0, 1, ksize=3)
    strength = np.sqrt((dx**2 + dy**2).sum(axis=2))
    top = max(float(np.percentile(strength, 99)), 1e-6)
    edges = np.minimum(strength / top, 1).astype(np.float32)
    angle = np.arctan2(dy[..., 0], dx[..., 0]) % np.pi
    orientation = np.minimum((angle / np.pi * ORIENTATIONS).astype(np.int64), ORIENTATIONS - 1)
    level = np.minimum((edges * STRENGTHS).astype(np.int64), STRENGTHS - 1)
    colour = np.clip((lab * COLOUR_BINS).astype(np.int64), 0, COLOUR_BINS - 1)
    return ImageFeatures(lab, edges, colour, orientation * STRENGTHS + level)


def neighbours(labels: np.ndarray, reach: int = 1) -> np.ndarray:
    """(E, 2) int64 pairs ``i < j`` of labels with pixels at most ``reach`` rows or columns apart; -1 is no region."""
    pairs = []
    for step in range(1, reach + 1):
        for a, b in ((labels[step:], labels[:-step]), (labels[:, step:], labels[:, :-step])):
            differ = (a != b) & (a >= 0) & (b >= 0)
            pairs.append(np.stack([a[differ], b[differ]], axis=1))
    found = np.concatenate(pairs).astype(np.int64)
    return np.unique(np.sort(found, axis=1), axis=0)


class _Regions:
    """The regions that merge, as rows that grow."""

    def __init__(self, labels: np.ndarray, features: ImageFeatures) -> None:
        number = int(labels.max(initial=-1)) + 1
        inside = labels >= 0
        flat = labels[inside]
        self.image_area = labels.size
        self.size = np.bincount(flat, minlength=number).astype(np.float64).tolist()
        bins = [_histogram(flat, features.colour_bins[inside][:, c], number, COLOUR_BINS) for c in range(3)]
        self.colour = list(np.concatenate(bins, axis=1) / 3)
        self.texture = list(_histogram(flat, features.texture_bins[inside], number, ORIENTATIONS * STRENGTHS))
        rows, cols = np.nonzero(inside)
        self.box = np.stack(
            [_extreme(flat, one, number, last) for one, last in ((rows, 0), (cols, 0), (rows, 1), (cols, 1))], axis=1
        ).tolist()

    def similarity(self, i: int, j: int) -> float:
        """Colour, texture, smallness and how well the two fill their common box; each in 0..1."""
        total = self.size[i] + self.size[j]
        a, b = self.box[i], self.box[j]
        box = (max(a[2], b[2]) - min(a[0], b[0]) + 1) * (max(a[3], b[3]) - min(a[1], b[1]) + 1)
        colour = np.minimum(self.colour[i], self.colour[j]).sum()
        texture = np.minimum(self.texture[i], self.texture[j]).sum()
        return float(colour + texture + 1 - total / self.image_area + 1 - (box - total) / self.image_area)

    def merge(self, i: int, j: int) -> int:
        """Add the union of two regions and return its row."""
        total = self.size[i] + self.size[j]
        for rows in (self.colour, self.texture):
            rows.append((rows[i] * self.size[i] + rows[j] * self.size[j]) / total)
        a, b = self.box[i], self.box[j]
        self.box.append([min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])])
        self.size.append(total)
        return len(self.size) - 1


def _histogram(rows: np.ndarray, bins: np.ndarray, number: int, size: int) -> np.ndarray:
    """(number, size) shares."""
    counts = np.bincount(rows * size + bins, minlength=number * size).reshape(number, size).astype(np.float64)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)


def _extreme(rows: np.ndarray, values: np.ndarray, number: int, last: int) -> np.ndarray:
    out = np.full(number, -1 if last else np.iinfo(np.int64).max, dtype=np.int64)
    (np.maximum if last else np.minimum).at(out, rows, values)
    return out


def merge_regions(labels: np.ndarray, features: ImageFeatures, reach: int = 1) -> np.ndarray:
    """Join the two most similar neighbours again and again until none are left.

    A grouping in the style of selective search (Uijlings et al., IJCV 2013): similarity is colour, texture, size and
    fill. Every region that ever existed is a candidate object.

    Args:
        labels: (H, W) int, the segments 0..n-1; -1 belongs to none.
        features: Of the image.
        reach: Pixels up to which segments are neighbours.

    Returns:
        (m, n) bool, n <= m < 2 n: the segments of each region, the single ones first.
    """
    number = int(labels.max(initial=-1)) + 1
    if number < 2:
        return np.eye(number, dtype=bool)
    members = list(np.eye(number, dtype=bool))
    regions = _Regions(labels, features)
    near: dict[int, set[int]] = {index: set() for index in range(number)}
    for i, j in neighbours(labels, reach).tolist():
        near[i].add(j)
        near[j].add(i)
    # The indices in the heap make ties the same on every machine.
    heap = [(-regions.similarity(i, j), i, j) for i in near for j in sorted(near[i]) if i < j]
    heapq.heapify(heap)
    while heap:
        _, i, j = heapq.heappop(heap)
        if i not in near or j not in near:
            continue
        new = regions.merge(i, j)
        members.append(members[i] | members[j])
        around = (near.pop(i) | near.pop(j)) - {i, j}
        near[new] = around
        for other in sorted(around):
            near[other] -= {i, j}
            near[other].add(new)
            heapq.heappush(heap, (-regions.similarity(other, new), other, new))
    return np.array(members)


@dataclass
class Region:
    """A candidate object.

    Attributes:
        top: Row of the first pixel.
        left: Column of the first pixel.
        crop: (h, w) bool, the mask in its bounding box.
        area: Pixels.
    """

    top: int
    left: int
    crop: np.ndarray
    area: int

    def mask(self, shape: tuple[int, int]) -> np.ndarray:
        """(H, W) bool."""
        full = np.zeros(shape, dtype=bool)
        full[self.top : self.top + self.crop.shape[0], self.left : self.left + self.crop.shape[1]] = self.crop
        return full

    def iou(self, other: 'Region') -> float:
        """Intersection over union of two masks."""
        top, left = max(self.top, other.top), max(self.left, other.left)
        bottom = min(self.top + self.crop.shape[0], other.top + other.crop.shape[0])
        right = min(self.left + self.crop.shape[1], other.left + other.crop.shape[1])
        if top >= bottom or left >= right:
            return 0.0
        mine = self.crop[top - self.top : bottom - self.top, left - self.left : right - self.left]
        theirs = other.crop[top - other.top : bottom - other.top, left - other.left : right - other.left]
        common = int(np.count_nonzero(mine & theirs))
        return common / (self.area + other.area - common)


def cut_regions(labels: np.ndarray, members: np.ndarray, limits: tuple[float, float]) -> list[Region]:
    """The regions of :func:`merge_regions` with a number of pixels in ``limits``."""
    number = members.shape[1]
    inside = labels >= 0
    flat = labels[inside]
    rows, cols = np.nonzero(inside)
    size = np.bincount(flat, minlength=number)
    edges = [_extreme(flat, one, number, last) for one, last in ((rows, 0), (cols, 0), (rows, 1), (cols, 1))]
    found = []
    for row, area in zip(members, members @ size, strict=True):
        if not limits[0] <= area <= limits[1]:
            continue
        top, left = (int(one[row].min()) for one in edges[:2])
        bottom, right = (int(one[row].max()) + 1 for one in edges[2:])
        window = labels[top:bottom, left:right]
        found.append(Region(top, left, row[window] & (window >= 0), int(area)))
    return found


def objectness(region: Region, features: ImageFeatures, margin: int = 3) -> float:
    """Return a score of how much a region looks like an object: sharp borders, and unlike its surroundings.

    The product of the mean edge strength along the contour, of the distance of its mean colour from that of the ring
    around it relative to their spread, of the share of its outline that is not the border of the image, and of its
    area to the power of 1/4: a whole object has the same borders as its parts, and more of them.
    """
    height, width = features.edges.shape
    top, left = max(0, region.top - margin), max(0, region.left - margin)
    bottom = min(height, region.top + region.crop.shape[0] + margin)
    right = min(width, region.left + region.crop.shape[1] + margin)
    mask = np.zeros((bottom - top, right - left), dtype=np.uint8)
    y, x = region.top - top, region.left - left
    mask[y : y + region.crop.shape[0], x : x + region.crop.shape[1]] = region.crop
    kernel = np.ones((3, 3), np.uint8)
    contour = cv2.morphologyEx(mask, cv2.MORPH_GRADIENT, kernel) > 0
    wide = np.ones((2 * margin + 1, 2 * margin + 1), np.uint8)
    inside = mask > 0
    ring = (cv2.dilate(mask, wide) > 0) & ~inside
    if not ring.any():
        return 0.0
    lab = features.lab[top:bottom, left:right]
    core, around = lab[inside], lab[ring]
    gap = np.linalg.norm(core.mean(axis=0) - around.mean(axis=0))
    spread = core.std(axis=0).sum() + around.std(axis=0).sum()
    edge = float(features.edges[top:bottom, left:right][contour].mean())
    outline = np.count_nonzero(inside & contour)
    touching = sum(
        np.count_nonzero(side)
        for side, at_border in (
            (inside[0], top == 0),
            (inside[-1], bottom == height),
            (inside[:, 0], left == 0),
            (inside[:, -1], right == width),
        )
        if at_border
    )
    free = 1 - min(1.0, touching / max(1, outline))
    share = region.area / features.edges.size
    return float(edge * gap / (gap + spread + 0.02) * free * share**0.25)


def distinct(regions: list[Region], scores: np.ndarray, overlap: float, limit: int) -> tuple[list[Region], np.ndarray]:
    """The best ``limit`` regions, none of which overlaps a better one by more than ``overlap``."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind='stable'):
        region = regions[index]
        if all(
            min(region.area, regions[other].area) <= overlap * max(region.area, regions[other].area)
            or region.iou(regions[other]) <= overlap
            for other in kept
        ):
            kept.append(int(index))
            if len(kept) == limit:
                break
    return [regions[index] for index in kept], scores[kept]
