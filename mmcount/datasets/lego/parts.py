"""Sources of handwritten digits, split so that no handwriting is seen in two splits."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from .idx import find_idx_file, read_idx

__all__ = ['SPLITS', 'DigitParts', 'load_parts']

# The position is the split id that enters the seed of every scene.
SPLITS = ('train', 'val', 'test')

# Ends of the train and val parts of scikit-learn's 1,797 digits. They are contiguous because neighbours share writers.
_SKLEARN_ENDS = (1297, 1547)

# Fainter source pixels are paper, not ink (the scale is 0..255).
_FAINT = 24


@dataclass(frozen=True, eq=False)
class DigitParts:
    """Digit images of one split.

    Args:
        images: Ink on empty ground, (N, h, w) uint8, 255 = full ink.
        labels: Digit of each image, (N,) int64 in 0..9.
        ink_boxes: Tight box (x1, y1, x2, y2) around the ink of each image, (N, 4) int64, edge convention.
        by_digit: For each of the ten digits, the indices of its images.
    """

    images: np.ndarray
    labels: np.ndarray
    ink_boxes: np.ndarray
    by_digit: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        """Number of images."""
        return len(self.images)

    @classmethod
    def from_arrays(cls, images: np.ndarray, labels: np.ndarray, source: str) -> 'DigitParts':
        """Index digit images.

        Args:
            images: (N, h, w) uint8.
            labels: (N,) integers.
            source: What to call the origin of the arrays in errors.

        Raises:
            ValueError: The lengths differ, a label is not a digit, an image is blank or a digit is absent.
        """
        if len(images) != len(labels):
            raise ValueError(f'{source}: {len(images)} images but {len(labels)} labels')
        labels = labels.astype(np.int64)
        wrong = np.flatnonzero((labels < 0) | (labels > 9))
        if len(wrong):
            raise ValueError(f'{source}: label {labels[wrong[0]]} of image {wrong[0]} is not a digit 0..9')
        by_digit = tuple(np.flatnonzero(labels == digit) for digit in range(10))
        absent = [digit for digit, indices in enumerate(by_digit) if len(indices) == 0]
        if absent:
            raise ValueError(f'{source}: {len(images)} images, none of digit {absent[0]}; every digit is needed')
        return cls(images, labels, _ink_boxes(images, source), by_digit)


def _ink_boxes(images: np.ndarray, source: str) -> np.ndarray:
    ink_of_rows: np.ndarray = images.max(axis=2, initial=0)
    ink_of_columns: np.ndarray = images.max(axis=1, initial=0)
    rows, columns = ink_of_rows >= _FAINT, ink_of_columns >= _FAINT
    blank = np.flatnonzero(~rows.any(axis=1))
    if len(blank):
        raise ValueError(f'{source}: image {blank[0]} holds no ink')
    height, width = images.shape[1:]
    x1, y1 = columns.argmax(axis=1), rows.argmax(axis=1)
    x2, y2 = width - columns[:, ::-1].argmax(axis=1), height - rows[:, ::-1].argmax(axis=1)
    return np.stack([x1, y1, x2, y2], axis=1)


def _split_slices(num_images: int, ends: tuple[int, int]) -> dict[str, slice]:
    return {'train': slice(0, ends[0]), 'val': slice(*ends), 'test': slice(ends[1], num_images)}


def _load_sklearn(split: str) -> DigitParts:
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError(
            "digits='sklearn' needs scikit-learn (pip install scikit-learn); "
            'or give the folder of the MNIST idx files as digits'
        ) from error
    images, labels = load_digits(return_X_y=True)
    # 0..16 becomes 0..255.
    images = np.minimum(images.reshape(-1, 8, 8) * 16.0, 255.0).astype(np.uint8)
    part = _split_slices(len(images), _SKLEARN_ENDS)[split]
    return DigitParts.from_arrays(images[part], labels[part], f'scikit-learn digits, {split} part')


def _load_mnist(folder: Path, split: str) -> DigitParts:
    if not folder.is_dir():
        raise FileNotFoundError(f"digits={str(folder)!r} is neither 'sklearn' nor a folder with MNIST idx files")
    prefix = 't10k' if split == 'test' else 'train'
    image_file = find_idx_file(folder, f'{prefix}-images-idx3-ubyte')
    images = read_idx(image_file, ndim=3)
    labels = read_idx(find_idx_file(folder, f'{prefix}-labels-idx1-ubyte'), ndim=1)
    if split != 'test' and len(images) == len(labels):
        end = len(images) * 5 // 6
        part = slice(0, end) if split == 'train' else slice(end, None)
        images, labels = images[part], labels[part]
    return DigitParts.from_arrays(images, labels, f'{image_file}, {split} part')


@lru_cache(maxsize=6)
def load_parts(digits: str = 'sklearn', split: str = 'train') -> DigitParts:
    """Load the digits of one split; a second call returns the same object.

    * ``'sklearn'``: the 1,797 digits of scikit-learn (8x8, no download), cut into the first 1,297 for train, the next
      250 for val and the last 250 for test.
    * a folder: the four MNIST idx files, plain or ``.gz``; the first five sixths (50,000) of the training file for
      train, the rest (10,000) for val, the ``t10k`` file for test.

    Args:
        digits: ``'sklearn'`` or a folder.
        split: ``'train'``, ``'val'`` or ``'test'``.

    Raises:
        ValueError: Unknown split, or a damaged file.
        FileNotFoundError: The folder or one of its files is missing.
        ImportError: ``'sklearn'`` without scikit-learn.

    Example:
        >>> [len(load_parts('sklearn', split)) for split in ('train', 'val', 'test')]
        [1297, 250, 250]
    """
    if split not in SPLITS:
        raise ValueError(f'split must be one of {SPLITS}, got {split!r}')
    return _load_sklearn(split) if digits == 'sklearn' else _load_mnist(Path(digits), split)
