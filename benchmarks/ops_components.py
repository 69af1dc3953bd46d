"""Cases of ``find_components``: blobs of known number, noise, and float maps with one threshold or a map of them.

Blobs are discs on a jittered grid, one per cell, so that a case has exactly as many components as its name says. Every
peer's boxes, areas and centroids are checked to equal the op's before they are timed. ``cv2 reused labels`` gets the
memory of its label image from outside; the others allocate as their callers do.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from ops import Case
from scipy import ndimage

from mmcount.ops import find_components
from mmcount.ops.find_components import Components

SIZES = {'1080p': (1080, 1920), '4K': (2160, 3840)}
Stats = tuple[np.ndarray, np.ndarray]


def discs(height: int, width: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Mask of ``count`` separate discs, covering about a quarter of the image."""
    mask = np.zeros((height, width), np.uint8)
    columns = int(np.ceil(np.sqrt(count * width / height)))
    rows = int(np.ceil(count / columns))
    cell = np.array([height / rows, width / columns])
    for k in range(count):
        radius = rng.uniform(0.2, 0.38) * cell.min()
        slack = cell / 2 - radius - 1
        y, x = (np.array(divmod(k, columns)) + 0.5) * cell + rng.uniform(-1, 1, 2) * slack
        top, left = int(y - radius), int(x - radius)
        ys, xs = np.ogrid[top : int(y + radius) + 2, left : int(x + radius) + 2]
        inside = (ys - y) ** 2 + (xs - x) ** 2 <= radius * radius
        mask[top : top + len(ys), left : left + xs.shape[1]] |= inside.astype(np.uint8)
    return mask


def opencv(mask: np.ndarray, connectivity: int, algorithm: int = cv2.CCL_DEFAULT) -> Stats:
    """Boxes with areas, and centroids, without the background."""
    _, _, stats, centroids = cv2.connectedComponentsWithStatsWithAlgorithm(mask, connectivity, cv2.CV_32S, algorithm)
    return stats[1:], centroids[1:]


def scipy_label(mask: np.ndarray, connectivity: int) -> Stats:
    """SciPy labels, slices of the components, and sums by bincount."""
    labels, count = ndimage.label(mask, np.ones((3, 3)) if connectivity == 8 else None)
    ys, xs = np.nonzero(labels)
    ids = labels[ys, xs]
    areas = np.bincount(ids, minlength=count + 1)[1:]
    sums = [np.bincount(ids, weights=values, minlength=count + 1)[1:] for values in (xs, ys)]
    boxes = [(x.start, y.start, x.stop - x.start, y.stop - y.start) for y, x in ndimage.find_objects(labels, count)]
    return np.column_stack((boxes, areas)), np.column_stack(sums) / areas[:, None]


def check(name: str, found: Components, stats: np.ndarray, centroids: np.ndarray) -> None:
    """Fail unless a peer found the same components, whatever their order."""
    x1, y1, x2, y2 = found.bboxes.numpy().T
    own = np.column_stack((x1, y1, x2 - x1, y2 - y1, found.areas.numpy(), found.centroids.numpy()))
    peer = np.column_stack((stats, centroids))
    if own.shape != peer.shape or not np.array_equal(own[np.lexsort(own.T)], peer[np.lexsort(peer.T)]):
        raise RuntimeError(f'{name} disagrees with find_components')


def case(name: str, op: Callable[[], Components], peers: dict[str, Callable[[], Stats]], target: dict) -> Case:
    """Check all peers, then make the case."""
    for peer, call in peers.items():
        check(f'{name}: {peer}', op(), *call())
    return Case(name, op, peers, target)


def mask_case(name: str, mask: np.ndarray, connectivity: int, wanted: float, slow: bool) -> Case:
    """A uint8 mask."""
    tensor = torch.from_numpy(mask)
    labels = np.empty(mask.shape, np.int32)

    def reused() -> Stats:
        _, _, stats, centroids = cv2.connectedComponentsWithStats(mask, labels, connectivity=connectivity)
        return stats[1:], centroids[1:]

    peers: dict[str, Callable[[], Stats]] = {
        'cv2 default': lambda: opencv(mask, connectivity),
        'cv2 reused labels': reused,
    }
    if connectivity == 8:
        peers['cv2 BBDT'] = lambda: opencv(mask, 8, cv2.CCL_BBDT)
    if slow:
        peers['scipy label + bincount'] = lambda: scipy_label(mask, connectivity)
    return case(name, lambda: find_components(tensor, connectivity=connectivity), peers, {'best': wanted})


def float_case(name: str, mask: np.ndarray, rng: np.random.Generator, use_map: bool, wanted: float) -> Case:
    """A float32 map that thresholds to the mask; the op also averages the map inside each component."""
    prob = (mask * 0.5 + rng.random(mask.shape, np.float32) * 0.49).astype(np.float32)
    bound = np.full_like(prob, 0.5) if use_map else 0.5
    prob_tensor = torch.from_numpy(prob)
    bound_tensor = torch.from_numpy(bound) if use_map else bound

    def where() -> Stats:
        binary = torch.where(prob_tensor >= bound_tensor, torch.ones_like(prob_tensor), torch.zeros_like(prob_tensor))
        return opencv(binary.numpy().astype(np.uint8), 4)

    peers = {
        'numpy threshold + cv2': lambda: opencv((prob >= bound).view(np.uint8), 4),
        'torch.where + cv2': where,
    }
    return case(name, lambda: find_components(prob_tensor, bound_tensor), peers, {'best': wanted})


def cases() -> Iterator[Case]:
    """All cases, small images first."""
    rng = np.random.default_rng(0)
    for size, (height, width) in SIZES.items():
        for count, wanted in ((200, 7.0), (5000, 7.0), (20000, 4.0)):
            mask = discs(height, width, count, rng)
            slow = size == '1080p' and count == 5000
            yield mask_case(f'components {size} {count} blobs 4c', mask, 4, wanted, slow)
            yield mask_case(f'components {size} {count} blobs 8c', mask, 8, 4.0, slow=False)
            if count > 200:
                yield float_case(f'components {size} {count} blobs 4c float32', mask, rng, False, 5.0)
                yield float_case(f'components {size} {count} blobs 4c threshold map', mask, rng, True, 5.0)
    noise = (rng.random(SIZES['1080p']) < 0.5).astype(np.uint8)
    for connectivity in (4, 8):
        yield mask_case(f'components 1080p noise {connectivity}c', noise, connectivity, 1.5, slow=False)
