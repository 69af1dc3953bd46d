"""PASCAL VOC as a counting data set."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from mmcount.registry import DATASETS
from mmcount.utils.errors import AnnotationError

from .count_dataset import CountDataset
from .formats.coco_masks import encode_mask
from .formats.voc_annotations import (
    VOCObjects,
    mask_boxes,
    read_index_image,
    read_voc_list,
    read_voc_xml,
    segmentation_train_names,
    split_instances,
)

# In the order of the indices in SegmentationClass. mmdet.datasets has them too, but importing it prints.
VOC_CLASSES = (
    'aeroplane', 'bicycle', 'bird', 'boat', 'bottle', 'bus', 'car', 'cat', 'chair', 'cow',
    'diningtable', 'dog', 'horse', 'motorbike', 'person', 'pottedplant', 'sheep', 'sofa', 'train', 'tvmonitor',
)  # fmt: skip
_FOLDERS = {
    'img': 'JPEGImages',
    'ann': 'Annotations',
    'instances': 'SegmentationObject',
    'classes': 'SegmentationClass',
}


@DATASETS.register_module()
class VOCCounts(CountDataset):
    """VOC 2007 or 2012 with counts of the 20 classes, boxes, and on demand masks.

    Counts come from the annotation files themselves, before any filter. Objects marked *difficult* are not counted by
    default, in training, validation and test alike, so an image that shows a class only in difficult objects counts
    zero of it; some publications count them.

    Args:
        ann_file: The list of images, relative to ``data_root``.
        data_root: The folder of the year, such as ``data/VOCdevkit/VOC2007``.
        count_difficult: Count difficult objects too. Otherwise they are kept with ``ignore_flags``.
        with_mask: Take the objects from the images in ``SegmentationObject`` and ``SegmentationClass``, which only the
            images of ``ImageSets/Segmentation`` have: ``masks`` (COCO run lengths), with their boxes and labels.
            ``image_counts`` stay those of the annotation file, where difficult objects are marked. The pixels
            that VOC leaves open (index 255, the rims of objects) belong to no mask and are given as ``void_mask``.
        data_prefix: Folders below ``data_root``: ``img``, ``ann``, ``instances``, ``classes``.
        **kwargs: As :class:`CountDataset`. Classes of one's own in ``metainfo`` must be all that the files name.

    Raises:
        FileNotFoundError: The list or an annotation file does not exist.
        AnnotationError: A file is malformed; names the file, and the line or the object.

    Example:
        >>> dataset = VOCCounts('ImageSets/Main/test.txt', 'data/VOCdevkit/VOC2007')  # doctest: +SKIP
        >>> dataset.class_counts().shape  # doctest: +SKIP
        (4952, 20)
    """

    METAINFO: ClassVar[dict] = {'classes': VOC_CLASSES}

    def __init__(
        self,
        ann_file: str = 'ImageSets/Main/train.txt',
        data_root: str | os.PathLike = '',
        count_difficult: bool = False,
        with_mask: bool = False,
        data_prefix: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        self.count_difficult, self.with_mask = count_difficult, with_mask
        super().__init__(
            ann_file=ann_file, data_root=data_root, data_prefix={**_FOLDERS, **(data_prefix or {})}, **kwargs
        )

    def load_data_list(self) -> list[dict]:
        """Read the annotation file of every image of the list."""
        return [self._load_image(name) for name, _ in read_voc_list(self.ann_file)]

    def _path(self, folder: str, name: str, extension: str) -> str:
        return os.path.join(self.data_prefix[folder], name + extension)

    def _load_image(self, name: str) -> dict:
        labels = {kind: label for label, kind in enumerate(self._metainfo['classes'])}
        objects = read_voc_xml(self._path('ann', name, '.xml'), labels)
        ignored = objects.difficult & (not self.count_difficult)
        info = self._info(name, objects.size)
        info['image_counts'] = np.bincount(objects.labels[~ignored], minlength=self.num_classes)
        if self.with_mask:
            return {**info, **self._instances(name, objects)}
        return {**info, 'bboxes': objects.bboxes, 'labels': objects.labels, 'ignore_flags': ignored}

    def _info(self, name: str, size: tuple[int, int] | None) -> dict[str, Any]:
        info: dict[str, Any] = {'img_path': self._path('img', name, '.jpg'), 'img_id': name}
        if size is not None:
            info['height'], info['width'] = size
        return info

    def _instances(self, name: str, objects: VOCObjects | None = None) -> dict[str, Any]:
        """Boxes, labels and masks of the segmentation images."""
        path = self._path('instances', name, '.png')
        pixels = read_index_image(path)
        if objects is not None and objects.size not in (None, pixels.shape):
            raise AnnotationError(f'is {pixels.shape} (height, width), but its annotation says {objects.size}', path)
        classes = read_index_image(self._path('classes', name, '.png'))
        masks, labels, void = split_instances(pixels, classes, self.num_classes, path)
        return {
            'height': pixels.shape[0],
            'width': pixels.shape[1],
            'bboxes': mask_boxes(masks),
            'labels': labels,
            'masks': [encode_mask(mask) for mask in masks],
            'void_mask': encode_mask(void),
        }


@DATASETS.register_module()
class VOCSegmentationTrain(VOCCounts):
    """The 10,582 images of VOC 2012 that weakly supervised segmentation is trained on, with counts.

    Images of ``Main/trainval`` that SBD annotates too are counted in their annotation files, difficult objects
    included; those that only ``Segmentation/train`` adds are counted in their masks. No image of
    ``Segmentation/val`` is used. See :func:`mmcount.datasets.formats.voc_annotations.segmentation_train_names`.

    Args:
        sbd_lists: Lists of the images of SBD, relative to ``data_root`` (``train.txt`` and ``val.txt`` of its
            release). SBD's own annotation is not needed.
        count_difficult: Count difficult objects in the annotation files.
        **kwargs: As :class:`VOCCounts`, without ``ann_file``.

    Raises:
        FileNotFoundError: A list, an annotation file or a segmentation image does not exist.
        AnnotationError: A file is malformed.
    """

    def __init__(
        self,
        sbd_lists: str | Sequence[str] = ('sbd/train.txt', 'sbd/val.txt'),
        count_difficult: bool = True,
        **kwargs: Any,
    ) -> None:
        if kwargs.get('with_mask'):
            raise ValueError('with_mask=True: most of these images have no segmentation in VOC')
        self.sbd_lists = [sbd_lists] if isinstance(sbd_lists, str) else list(sbd_lists)
        super().__init__(ann_file='ImageSets/Main/trainval.txt', count_difficult=count_difficult, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Join the lists and count in annotation files and masks."""

        def names(path: str) -> list[str]:
            return [name for name, _ in read_voc_list(os.path.join(self.data_root or '', path))]

        boxed, masked = segmentation_train_names(
            names('ImageSets/Main/trainval.txt'),
            [name for path in self.sbd_lists for name in names(path)],
            names('ImageSets/Segmentation/train.txt'),
            names('ImageSets/Segmentation/val.txt'),
        )
        data_list = [self._load_image(name) for name in boxed]
        for name in masked:
            info = {**self._info(name, None), **self._instances(name)}
            data_list.append({key: value for key, value in info.items() if key not in ('masks', 'void_mask')})
        return sorted(data_list, key=lambda info: info['img_id'])
