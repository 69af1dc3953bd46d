"""Crowd data sets that were published without validation images."""

import os
from typing import Any

from mmcount.utils.errors import AnnotationError, did_you_mean

from ..formats.tables import read_image_list
from ..splits import CountSplit
from .crowd_dataset import CrowdDataset, CrowdImage


class SeededValDataset(CrowdDataset):
    """A crowd data set with official training and test images, whose validation images are drawn from the former.

    'trainval' are all official training images. A group of images (all frames of a video) stays on one side.

    Args:
        num_val: Validation images (or groups), or their share.
        seed: One seed is one split.
        val_list: A text file (relative to ``data_root``) that names the validation images (or groups) in place of a
            seed, one per line.
        **kwargs: As :class:`CrowdDataset`.
    """

    def __init__(
        self,
        data_root: str | os.PathLike = '',
        num_val: int | float = 0.1,
        seed: int = 0,
        val_list: str | None = None,
        **kwargs: Any,
    ) -> None:
        CountSplit(num_val=num_val, seed=seed)  # refuses wrong numbers before anything is read
        self.num_val, self.seed, self.val_list = num_val, seed, val_list
        super().__init__(data_root=data_root, **kwargs)

    def parts_of(self, subset: str) -> tuple[str, ...]:
        """The official part: all but 'test' are training images."""
        return ('test',) if subset == 'test' else ('train',)

    def choose(self, images: list[CrowdImage]) -> list[CrowdImage]:
        """Divide the official training images."""
        if self.crowd_subset not in ('train', 'val'):
            return images
        groups = list(dict.fromkeys(image.group for image in images))
        chosen = set(self._val_groups(groups))
        return [image for image in images if (image.group in chosen) == (self.crowd_subset == 'val')]

    def _val_groups(self, groups: list[str]) -> list[str]:
        if self.val_list is not None:
            file = self.path(self.val_list)
            listed = read_image_list(file, 'list of validation images')
            for name, line in listed:
                if name not in groups:
                    raise AnnotationError(
                        f'{name!r} is none of the {len(groups)} names of {self.TITLE}{did_you_mean(name, groups)}',
                        file,
                        line,
                    )
            return [name for name, _ in listed]
        total = len(groups)
        num_val = CountSplit(num_train=0, num_val=self.num_val, num_test=0).sizes(total)[1]
        if num_val >= total:
            raise ValueError(f'num_val={self.num_val} leaves no image to train on: {self.TITLE} has {total} to divide')
        split = CountSplit(num_train=total - num_val, num_val=num_val, num_test=0, seed=self.seed)
        return [groups[index] for index in split.indices(total, 'val')]
