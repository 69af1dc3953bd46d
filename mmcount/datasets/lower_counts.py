"""Supervision by counts that are known only up to a limit."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from mmengine.dataset import BaseDataset

from mmcount.registry import DATASETS

from .count_dataset import CountDataset
from .data_info import total_counts

# What lower-count supervision lets through. It is a list of what is allowed, not of what is forbidden: whatever else a
# reader says of an image (boxes, masks, levels of its own) may tell how many objects there are.
LIMITED_KEYS = ('img', 'img_path', 'img_id', 'height', 'width', 'num_classes', 'sample_idx')


def limit_counts(info: Mapping[str, Any], limit: int, num_classes: int) -> dict[str, Any]:
    """Keep of an image's annotation only its counts, and of a count above the limit only that it is above.

    This is lower-count supervision (Cholakkal et al., Object Counting and Instance Segmentation with Image-level
    Supervision, CVPR 2019, sec. 3): with ``limit=4`` an annotator says 0, 1, 2, 3, 4, or "5 or more". Nothing that is
    computed from the result, a loss included, can depend on more than that.

    Args:
        info: The dict of an image.
        limit: Largest count that is told exactly.
        num_classes: C.

    Returns:
        A new dict: the image, its name and size, ``image_counts`` = min(count, limit + 1), (C,) float32, and
        ``count_limit``, the limit.

    Raises:
        AnnotationError: The image has no counts; names it.

    Example:
        >>> info = dict(img_id='a', points=[[0, 0]] * 9, labels=[0] * 7 + [1] * 2)
        >>> limited = limit_counts(info, 4, num_classes=3)
        >>> limited['image_counts'].tolist(), sorted(limited)
        ([5.0, 2.0, 0.0], ['count_limit', 'image_counts', 'img_id'])
    """
    limited = {key: info[key] for key in LIMITED_KEYS if key in info}
    limited['image_counts'] = np.minimum(total_counts(info, num_classes), np.float32(limit + 1))
    limited['count_limit'] = limit
    return limited


class _Limit:
    """First step of a pipeline: see :func:`limit_counts`. A class, as data loaders pickle pipelines."""

    def __init__(self, limit: int, num_classes: int) -> None:
        self.limit, self.num_classes = limit, num_classes

    def __call__(self, info: Mapping[str, Any]) -> dict[str, Any]:
        return limit_counts(info, self.limit, self.num_classes)


@DATASETS.register_module()
class LowerCounts:
    """Lower-count supervision with any data set of counts; for training only.

    Of an image only ``image_counts`` = min(count, limit + 1) is left, and no points, boxes, labels, counts or masks, so
    that nothing above "limit + 1 or more" can reach a transform or a loss. The wrapped data set itself is limited: its
    stored annotation is replaced, and its pipeline begins with :func:`limit_counts`. Other wrappers (repeated, joined,
    balanced data sets) go around this one.

    Args:
        dataset: A :class:`CountDataset` or its config, with its pipeline.
        limit: Largest count that is told exactly, at least 0; heads have the same ``limit``.
        lazy_init: Read annotations with the first image instead of now.

    Raises:
        ValueError: ``limit`` is no whole number of at least 0.
        TypeError: ``dataset`` is no :class:`CountDataset`, such as another wrapper.
        AnnotationError: An image has no counts; names it.

    Example:
        >>> image = dict(img=np.zeros((8, 8, 3), np.uint8), img_id='0', points=[[2, 3]] * 9, labels=[0] * 9)
        >>> reader = dict(type='mmcount.CountDataset', data_list=[image], metainfo=dict(classes=('cell',)))
        >>> dataset = LowerCounts(reader, limit=4)
        >>> dataset[0]['image_counts'].tolist(), 'points' in dataset[0]
        ([5.0], False)
    """

    def __init__(self, dataset: CountDataset | Mapping, limit: int, lazy_init: bool = False) -> None:
        if isinstance(limit, bool) or not limit >= 0 or limit % 1:
            raise ValueError(f'limit must be a whole number of at least 0, got {limit!r}')
        self.limit = int(limit)
        self.dataset: CountDataset = DATASETS.build(dataset) if isinstance(dataset, Mapping) else dataset
        if not isinstance(self.dataset, CountDataset):
            raise TypeError(
                f'LowerCounts needs a CountDataset, got {type(self.dataset).__name__}: wrap each data set by itself, '
                "e.g. dict(type='RepeatDataset', dataset=dict(type='mmcount.LowerCounts', dataset=dict(...)))"
            )
        self._fully_initialized = False
        if not lazy_init:
            self.full_init()

    def full_init(self) -> None:
        """Read the annotation and forget what is above the limit."""
        if self._fully_initialized:
            return
        self.dataset.full_init()
        step = _Limit(self.limit, self.num_classes)
        self.dataset.pipeline.transforms.insert(0, step)
        # readers that make their images on demand store how, and no annotation
        if type(self.dataset).get_data_info is BaseDataset.get_data_info:
            self.dataset.replace_data([step(self.dataset.get_data_info(index)) for index in range(len(self.dataset))])
        self._fully_initialized = True

    @property
    def metainfo(self) -> dict[str, Any]:
        """Meta information of the data set."""
        return self.dataset.metainfo

    @property
    def num_classes(self) -> int:
        """Number of classes of ``metainfo``."""
        return self.dataset.num_classes

    def __len__(self) -> int:
        return len(self.dataset)

    def get_data_info(self, idx: int) -> dict[str, Any]:
        """The dict of an image, as :func:`limit_counts` leaves it."""
        self.full_init()
        return limit_counts(self.dataset.get_data_info(idx), self.limit, self.num_classes)

    def __getitem__(self, idx: int) -> Any:
        self.full_init()
        return self.dataset[idx]

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the classes that an image shows, each once (for class-balanced sampling)."""
        self.full_init()
        return sorted(set(self.dataset.get_cat_ids(idx)))

    def class_counts(self) -> np.ndarray:
        """Return min(count, limit + 1) of each class in every image, shape (num_images, C), int64."""
        self.full_init()
        return np.minimum(self.dataset.class_counts(), self.limit + 1)
