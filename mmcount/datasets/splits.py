"""Repeated random splits, the protocol of small counting data sets."""

from dataclasses import dataclass

import numpy as np

SUBSETS = ('train', 'val', 'test')


@dataclass(frozen=True)
class CountSplit:
    """Draw training, validation and test images from one list of images.

    The images (sorted by name) are shuffled once with ``np.random.default_rng(seed).permutation``. Training takes the
    first ``num_train``, validation the next ``num_val``, and test a fixed number **from the end**, so the test images
    of a seed stay the same for every training size, and smaller training sets are contained in larger ones. Images in
    the middle are unused. Within a subset the images are in name order again.

    This is the protocol of `Count-ception <https://arxiv.org/abs/1703.08710>`_ (Sec. 4), where "N" labelled images
    mean ``num_train = num_val = N``.

    Args:
        num_train: Training images, N; below 1 a share of all images, for data sets of any size.
        num_val: Validation images, or a share; ``None`` takes as many as for training.
        num_test: Test images, or a share.
        seed: One seed is one split.

    Raises:
        ValueError: A size or the seed is negative, or a share is not below 1.
        TypeError: A size is not a number, or the seed is not an integer.

    Example:
        >>> split = CountSplit(num_train=3, num_test=4, seed=0)
        >>> [len(split.indices(12, subset)) for subset in ('train', 'val', 'test')]
        [3, 3, 4]
    """

    num_train: int | float = 32
    num_val: int | float | None = None
    num_test: int | float = 100
    seed: int = 0

    def __post_init__(self) -> None:
        if self.num_val is None:
            object.__setattr__(self, 'num_val', self.num_train)
        for name in ('num_train', 'num_val', 'num_test', 'seed'):
            value = getattr(self, name)
            share = isinstance(value, float) and name != 'seed'
            if isinstance(value, bool) or not (share or isinstance(value, int | np.integer)):
                raise TypeError(f'{name} of a split must be an integer, got {value!r}')
            if not value >= 0:
                raise ValueError(f'{name} of a split must not be negative, got {value}')
            if share and value >= 1:
                raise ValueError(f'{name} of a split must be an integer or a share below 1, got {value}')

    def sizes(self, total: int) -> tuple[int, int, int]:
        """Images of the three subsets out of ``total``; a share that is not 0 gets at least one image.

        Example:
            >>> CountSplit(num_train=0.6, num_val=0.2, num_test=0.2).sizes(51)
            (31, 10, 10)
        """
        num_train, num_val, num_test = (
            max(1, round(value * total)) if isinstance(value, float) and value > 0 else int(value)
            for value in (self.num_train, self.num_val or 0, self.num_test)
        )
        if isinstance(self.num_train, float):
            # Rounding may ask for one image too many: training gives way.
            num_train = min(num_train, max(total - num_val - num_test, 0))
        return num_train, num_val, num_test

    def indices(self, total: int, subset: str) -> list[int]:
        """Return the positions of a subset's images in the sorted list, ascending.

        Args:
            total: Number of images in the list.
            subset: 'train', 'val' or 'test'.

        Raises:
            ValueError: The three subsets do not fit into ``total`` images, or ``subset`` is unknown.
        """
        if subset not in SUBSETS:
            raise ValueError(f'subset must be one of {SUBSETS}, got {subset!r}')
        num_train, num_val, num_test = self.sizes(total)
        needed = num_train + num_val + num_test
        if needed > total:
            raise ValueError(
                f'a split of {num_train} training + {num_val} validation + {num_test} test images needs '
                f'{needed} images, but there are only {total}'
            )
        order = np.random.default_rng(self.seed).permutation(total)
        chosen = {
            'train': order[:num_train],
            'val': order[num_train : num_train + num_val],
            'test': order[total - num_test :],
        }[subset]
        return sorted(int(index) for index in chosen)
