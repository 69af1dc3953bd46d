"""Salient object subitizing: images of a few objects that stand out, and how many they are."""

import logging
import os
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
from mmengine.logging import print_log

from mmcount.registry import DATASETS
from mmcount.utils.errors import AnnotationError

from .coco import COCOCounts
from .count_dataset import CountDataset
from .formats.images import image_size
from .formats.img_idx import read_img_idx

SUBSETS = ('train', 'val', 'trainval', 'test')


class _SalientObjects(CountDataset):
    """Base of the two data sets: an index file and a label from 0 to 4, where 4 means 4 or more."""

    METAINFO: ClassVar[dict] = {'classes': ('salient',)}
    #: Of the index, and the folder of the images.
    FIELDS: ClassVar[tuple[str, ...]] = ('name', 'label')
    FOLDER: ClassVar[str] = ''

    def __init__(self, ann_file: str = 'imgIdx.mat', data_prefix: Mapping | None = None, **kwargs: Any) -> None:
        super().__init__(ann_file=ann_file, data_prefix=data_prefix or {'img': self.FOLDER}, **kwargs)

    def _images(self) -> list[dict[str, Any]]:
        """The rows of the index, checked."""
        rows = read_img_idx(self.ann_file, self.FIELDS)
        for number, row in enumerate(rows, 1):
            if not 0 <= row['label'] <= 4:
                raise AnnotationError(f'label of image {number} is {row["label"]}, expected 0..4', self.ann_file)
        lost = [row['name'] for row in rows if not os.path.isfile(self._path(row['name']))]
        if lost:
            raise FileNotFoundError(
                f'{len(lost)} of the {len(rows)} images of {self.ann_file} are not in {self.data_prefix["img"]!r}, '
                f'the first is {lost[0]!r}'
            )
        return rows

    def _path(self, name: str) -> str:
        return os.path.join(self.data_prefix['img'], name)

    def _info(self, row: dict[str, Any]) -> dict[str, Any]:
        return {
            'img_path': self._path(row['name']),
            'img_id': row['name'],
            'image_counts': np.array([row['label']], dtype=np.float32),
        }


@DATASETS.register_module()
class SOS(_SalientObjects):
    """Salient Object Subitizing: 6,900 images with 0, 1, 2, 3, or 4 and more objects (Zhang et al., CVPR 2015).

    The folder holds ``imgIdx.mat`` and the images. 5,520 images train and 1,380 test, as the file says; 'val' is a
    seeded share of the training images, and 'trainval' all of them. A count of 4 means 4 or more; places are
    not annotated.

    Args:
        subset: 'train', 'val', 'trainval' or 'test'.
        val_fraction: Share of the training images that validate.
        seed: Of their choice.
        **kwargs: As :class:`CountDataset`; ``ann_file='imgIdx.mat'`` is the index.

    Raises:
        AnnotationError: The index is damaged; names the file and the image.
        FileNotFoundError: The index or an image is missing.

    Example:
        >>> dataset = SOS(data_root='data/SOS', subset='test')  # doctest: +SKIP
        >>> len(dataset)  # doctest: +SKIP
        1380
    """

    FIELDS = ('name', 'label', 'istest')

    def __init__(self, subset: str = 'train', val_fraction: float = 0.1, seed: int = 0, **kwargs: Any) -> None:
        if subset not in SUBSETS:
            raise ValueError(f'subset must be one of {SUBSETS}, got {subset!r}')
        if not 0 < val_fraction < 1:
            raise ValueError(f'val_fraction must be between 0 and 1, got {val_fraction}')
        self.salient_subset, self.val_fraction, self.seed = subset, val_fraction, seed
        super().__init__(**kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the index and take the images of the subset."""
        rows = self._images()
        chosen = [row for row in rows if bool(row['istest']) == (self.salient_subset == 'test')]
        if self.salient_subset in ('train', 'val'):
            order = np.random.default_rng(self.seed).permutation(len(chosen))
            held_out = set(order[: max(1, round(self.val_fraction * len(chosen)))].tolist())
            wanted = self.salient_subset == 'val'
            chosen = [row for index, row in enumerate(chosen) if (index in held_out) == wanted]
        return [self._info(row) for row in chosen]


@DATASETS.register_module()
class MSO(_SalientObjects):
    """Multiple Salient Objects: 1,224 test images of SOS with a box around every object; for testing only.

    The folder holds ``imgIdx.mat`` and ``img/``. Boxes are read as corners of pixels counted from 1, clipped to the
    image, and turned into edges; boxes without a pixel are left out and reported. The label says how many objects there
    are; where it disagrees with the number of boxes (4 or more being one), the label counts and the images are
    reported.

    Args:
        **kwargs: As :class:`CountDataset`; ``ann_file='imgIdx.mat'`` is the index, and the images are in ``img``.

    Raises:
        AnnotationError: The index is damaged; names the file and the image.
        FileNotFoundError: The index or an image is missing.

    Example:
        >>> dataset = MSO(data_root='data/MSO')  # doctest: +SKIP
        >>> len(dataset)  # doctest: +SKIP
        1224
    """

    FIELDS = ('name', 'label', 'anno')
    FOLDER = 'img'

    def load_data_list(self) -> list[dict]:
        """Read the index with its boxes."""
        data_list, disagreeing, empty = [], [], []
        for row in self._images():
            info = self._info(row)
            height, width = image_size(info['img_path'])
            boxes = row['anno'] - np.array([1, 1, 0, 0])
            boxes = np.clip(boxes, 0, [width, height, width, height])
            has_area = (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
            empty += [row['name']] * int((~has_area).sum())
            boxes = boxes[has_area]
            if min(len(boxes), 4) != row['label']:
                disagreeing.append(row['name'])
            labels = np.zeros(len(boxes), dtype=np.int64)
            data_list.append({**info, 'bboxes': boxes, 'labels': labels, 'height': height, 'width': width})
        if empty:
            print_log(
                f'MSO: {len(empty)} boxes hold no pixel of their image and are left out, for example of {empty[0]}',
                logger='current',
                level=logging.WARNING,
            )
        if disagreeing:
            print_log(
                f'MSO: the label of {len(disagreeing)} images is not their number of boxes, for example of '
                f'{disagreeing[0]}; the label counts',
                logger='current',
                level=logging.WARNING,
            )
        return data_list


@DATASETS.register_module()
class SalientCoco(COCOCounts):
    """A COCO-format file whose images say in ``count_label`` how many objects they hold.

    :func:`mmcount.apis.dataset_converters.salient_to_coco` writes such files. The label is the count, boxes only say
    where objects are; an image with a label and no boxes says nothing of that.

    Args:
        ann_file: The JSON file, relative to ``data_root``.
        **kwargs: As :class:`COCOCounts`.

    Raises:
        AnnotationError: The file is malformed or an image has no label; names the record.
        ValueError: The file has more than one category.
    """

    def _info(self, image: dict, annotations: list[tuple[int, dict]], labels: Mapping[int, int]) -> dict:
        if self.num_classes != 1:
            raise ValueError(f'count_label is of one class, {self.ann_file} has {self.num_classes}')
        info = super()._info(image, annotations, labels)
        label = _count_label(image, self.ann_file)
        info['image_counts'] = np.array([label], dtype=np.float32)
        if label and not annotations:
            for key in ('bboxes', 'labels', 'ignore_flags'):
                info.pop(key, None)
        return info


def _count_label(image: Mapping[str, Any], file: str) -> int:
    """The number of objects that a record of an image says.

    Raises:
        AnnotationError: It says none, or no whole number of at least 0.
    """
    label = image.get('count_label')
    if isinstance(label, bool) or not isinstance(label, int) or label < 0:
        raise AnnotationError(
            f'image {image["id"]} has the count_label {label!r}, expected a whole number of at least 0', file
        )
    return label
