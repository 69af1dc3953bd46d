"""Cases of ``find_peaks`` and ``peak_stimulation``. Every peer is our own write-up of its formulation.

Inputs are float32 noise, smoothed for the large maps. No two pixels of a map are equal, so all peers find
the same peaks whatever their tie rule; that is checked before they are timed. ``skimage`` alone differs for radius > 1
(its spacing rule keeps fewer), and is timed unchecked there.
"""

from collections.abc import Callable, Iterator

import cv2
import numpy as np
import torch
from ops import Case
from scipy import ndimage
from skimage.feature import peak_local_max
from torch import Tensor
from torch.nn import functional

from mmcount.ops import find_peaks, peak_stimulation


def slicing_max(x: Tensor) -> Tensor:
    """Radius 1: maximum of the eight shifted copies of a padded map."""
    height, width = x.shape[2:]
    padded = functional.pad(x, (1, 1, 1, 1), value=-torch.inf)
    around = None
    for dy in range(3):
        for dx in range(3):
            if (dy, dx) != (1, 1):
                shifted = padded[:, :, dy : dy + height, dx : dx + width]
                around = shifted if around is None else torch.maximum(around, shifted)
    return (x > around).nonzero()


def pool_equal(x: Tensor, radius: int) -> Tensor:
    """Max-pool and compare, as key-point detectors do."""
    return (functional.max_pool2d(x, 2 * radius + 1, 1, radius) == x).nonzero()


def separable_pool_equal(x: Tensor, radius: int) -> Tensor:
    """Row pool, column pool and compare."""
    rows = functional.max_pool2d(x, (1, 2 * radius + 1), 1, (0, radius))
    return (functional.max_pool2d(rows, (2 * radius + 1, 1), 1, (radius, 0)) == x).nonzero()


def unfold_max(x: Tensor) -> Tensor:
    """Radius 1: non-maximum suppression by one convolution that gathers the eight neighbours (kornia's way)."""
    batch, channels, height, width = x.shape
    kernel = torch.eye(9)[torch.arange(9) != 4].view(8, 1, 3, 3)
    padded = functional.pad(x, (1, 1, 1, 1), value=-1e30).view(batch * channels, 1, height + 2, width + 2)
    around = functional.conv2d(padded, kernel).amax(1).view_as(x)
    return (x > around).nonzero()


def pool_indices_mask(x: Tensor, radius: int) -> Tensor:
    """Peaks where the arg-max index of a padded max-pool is the pixel's own, the peak response mapping way."""
    batch, channels, height, width = x.shape
    padded = functional.pad(x, (radius,) * 4, value=-torch.inf)
    _, indices = functional.max_pool2d(padded, 2 * radius + 1, 1, return_indices=True)
    own = torch.arange(padded.shape[2] * padded.shape[3]).view(padded.shape[2:])
    return indices == own[radius : radius + height, radius : radius + width].expand(batch, channels, height, width)


class PoolIndicesStimulation(torch.autograd.Function):
    """Mean of the median-filtered peaks, gradient to each of them."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        """Scores (N, C)."""
        mask = pool_indices_mask(x, 1)
        median = x.flatten(2).median(dim=2).values[..., None, None]
        peaks = (mask & (x >= median)).to(x.dtype)
        ctx.save_for_backward(peaks)
        return (x * peaks).flatten(2).sum(2) / peaks.flatten(2).sum(2)

    @staticmethod
    def backward(ctx, grad: Tensor) -> Tensor:
        """Gradient of the sum."""
        (peaks,) = ctx.saved_tensors
        return peaks * grad[..., None, None]


def per_map(x: Tensor, find: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """``find`` on every map; rows ``(n, c, y, x)``."""
    found = []
    for n, c in np.ndindex(*x.shape[:2]):
        points = find(x[n, c].numpy())
        found.append(np.concatenate([np.full((len(points), 2), (n, c)), points], 1))
    return np.concatenate(found)


def by_dilation(image: np.ndarray, radius: int) -> np.ndarray:
    """cv2.dilate and compare."""
    dilated = cv2.dilate(image, np.ones((2 * radius + 1, 2 * radius + 1), np.uint8))
    return np.argwhere(image == dilated)


def by_dilation_idx(image: np.ndarray, radius: int) -> np.ndarray:
    """cv2.dilate, cv2.compare and cv2.findNonZero: the same without numpy's slow steps; points are (x, y)."""
    dilated = cv2.dilate(image, np.ones((2 * radius + 1, 2 * radius + 1), np.uint8))
    return cv2.findNonZero(cv2.compare(image, dilated, cv2.CMP_EQ))[:, 0, ::-1]


def by_maximum_filter(x: Tensor, radius: int) -> np.ndarray:
    """scipy.ndimage.maximum_filter and compare."""
    maps = x.numpy()
    size = (1, 1, 2 * radius + 1, 2 * radius + 1)
    return np.argwhere(maps == ndimage.maximum_filter(maps, size, mode='constant', cval=-np.inf))


def by_skimage(image: np.ndarray, radius: int) -> np.ndarray:
    """skimage.feature.peak_local_max."""
    return peak_local_max(image, min_distance=radius, threshold_abs=-np.inf, exclude_border=False)


def check_same(name: str, expected: Tensor, found: object) -> None:
    """Raise unless a peer found the very same peaks, in any order."""
    rows = {tuple(row) for row in np.asarray(found).tolist()}
    if rows != {tuple(row) for row in expected.tolist()}:
        raise AssertionError(f'{name} found {len(rows)} peaks, mmcount {len(expected)}, or others')


def class_map_case(x: Tensor) -> Case:
    """All peaks of a batch of class maps, radius 1."""
    peers = {
        'torch slicing max': lambda: slicing_max(x),
        'torch unfold by conv': lambda: unfold_max(x),
        'max_pool2d ==': lambda: pool_equal(x, 1),
        'max_pool2d separable ==': lambda: separable_pool_equal(x, 1),
        'max_pool2d indices': lambda: pool_indices_mask(x, 1).nonzero(),
        'cv2.dilate ==': lambda: per_map(x, lambda image: by_dilation_idx(image, 1)),
        'scipy maximum_filter ==': lambda: by_maximum_filter(x, 1),
        'skimage peak_local_max': lambda: per_map(x, lambda image: by_skimage(image, 1)),
    }

    def check() -> None:
        expected, _ = find_peaks(x, 1)
        for name, peer in peers.items():
            check_same(name, expected, peer())

    return Case(f'find_peaks {list(x.shape)} r=1', lambda: find_peaks(x, 1), peers, {'best': 5.0}, check)


def image_case(x: Tensor, radius: int, target: float, label: str) -> Case:
    """All peaks of one large map."""
    image = x[0, 0].numpy()
    peers = {
        'cv2.dilate ==': lambda: by_dilation_idx(image, radius),
        'cv2.dilate == (numpy)': lambda: by_dilation(image, radius),
        'skimage peak_local_max': lambda: by_skimage(image, radius),
        'scipy maximum_filter ==': lambda: by_maximum_filter(x, radius),
        'max_pool2d separable ==': lambda: separable_pool_equal(x, radius),
    }

    def check() -> None:
        expected = find_peaks(x, radius)[0]
        for name, peer in peers.items():
            if radius > 1 and name.startswith('skimage'):
                continue
            offset = 0 if 'cv2' not in name and 'skimage' not in name else 2
            check_same(name, expected[:, offset:], peer())

    wanted = {'cv2.dilate ==': target, 'skimage peak_local_max': 20.0} if target else {}
    return Case(f'find_peaks 1080p {label} r={radius}', lambda: find_peaks(x, radius), peers, wanted, check)


def stimulation_case(x: Tensor) -> Case:
    """Class scores with the median filter, forward and backward."""
    x = x.clone().requires_grad_()

    def run(score: Callable[[Tensor], Tensor]) -> Tensor:
        x.grad = None
        score(x).sum().backward()
        return x.grad

    def ours() -> Tensor:
        return run(lambda maps: peak_stimulation(maps).scores)

    def theirs() -> Tensor:
        return run(PoolIndicesStimulation.apply)

    def check() -> None:
        if not torch.equal(ours(), theirs()):
            raise AssertionError('gradients differ')

    name = 'max_pool2d indices + median'
    return Case(f'peak_stimulation {list(x.shape)} fwd+bwd', ours, {name: theirs}, {name: 12.0}, check)


def distinct_noise(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """White noise in [0, 2) without equal values; exact in float32 for up to 2 ** 24 of them."""
    number = int(np.prod(shape))
    return (torch.randperm(number, generator=generator).float() / 2**20).view(shape)


def cases() -> Iterator[Case]:
    """All cases."""
    generator = torch.Generator().manual_seed(0)
    maps = [distinct_noise(shape, generator) for shape in ((16, 80, 28, 28), (16, 20, 56, 56))]
    yield from map(class_map_case, maps)
    yield from map(stimulation_case, maps)
    noise = distinct_noise((1, 1, 1080, 1920), generator)
    blurred = torch.from_numpy(cv2.GaussianBlur(noise[0, 0].numpy(), (0, 0), 3.0))
    # Ranks instead of values: the same hills, without the few equal neighbours that rounding makes.
    smooth = (blurred.flatten().argsort().argsort().float() / 2**20).view(1, 1, 1080, 1920)
    for radius, target in ((1, 3.0), (7, 1.8), (15, 3.0)):
        yield image_case(smooth, radius, target, 'smooth')
    yield image_case(noise, 7, 0.0, 'noise')
