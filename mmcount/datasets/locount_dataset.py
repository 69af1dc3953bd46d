"""Locount: goods on shelves, in boxes that say how many they hold."""

import os
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from mmcount.registry import DATASETS
from mmcount.utils.errors import AnnotationError, did_you_mean

from .counted_coco import WRONG, CountedCocoDataset
from .formats.images import image_size
from .formats.locount_classes import LOCOUNT_CLASSES
from .formats.locount_text import LocountFile, list_locount, read_locount

OTHER_FILES = 'files that are no annotation of an image'
UNREADABLE = 'images whose file or annotation cannot be read, left out'
MISSING_IMAGES = 'images that are not there, left out'


@DATASETS.register_module()
class LocountDataset(CountedCocoDataset):
    """Locount: 50,394 images of 140 classes of goods; same-class objects that overlap by more than half share a box.

    Cai et al., *Rethinking Object Detection in Retail Stores*, AAAI 2021. Every line of an annotation file is a box and
    the number of objects in it. There are training and test images, from different places, and no validation images.
    As downloaded::

        annotation_train/<digits>.txt    Locount_ImagesTrain/<digits>.jpg
        annotation_test/<digits>.txt     Locount_ImagesTest/<digits>.jpg

    ``ann_file`` is one of these folders, or a COCO-format file with a ``count`` for each annotation, as
    ``tools/dataset_converters/locount_to_coco.py`` makes it: it gives the same images.

    Args:
        ann_file: Folder of text files, or a JSON file, relative to ``data_root``.
        img_shape: (height, width) of all images, px, for the text files, which do not say it; Locount's are all of one
            size. None reads the header of each image.
        metainfo: ``dict(classes=(...))`` selects and orders classes by name; boxes of others are left out.
        **kwargs: As :class:`CountedCocoDataset`; with ``on_error='skip'`` bad lines are left out, and images that are
            not there.

    Raises:
        FileNotFoundError: The annotation or the image folder does not exist.
        AnnotationError: A line is malformed or names an unknown class (with file and line), or an image is missing.
        ValueError: An argument is out of range, or a class is none of Locount's.

    Example:
        >>> dataset = LocountDataset(  # doctest: +SKIP
        ...     ann_file='annotation_train', data_root='data/Locount',
        ...     data_prefix=dict(img='Locount_ImagesTrain'), filter_empty_gt=True)
        >>> dataset.class_counts().shape  # doctest: +SKIP
        (34022, 140)
    """

    METAINFO: ClassVar[dict] = {'classes': LOCOUNT_CLASSES}

    def __init__(self, ann_file: str = '', img_shape: Sequence[int] | None = (1080, 1920), **kwargs: Any) -> None:
        if img_shape is not None and (len(img_shape) != 2 or min(img_shape) < 1):
            raise ValueError(f'img_shape must be None or (height, width) in px, got {img_shape}')
        self.img_shape = None if img_shape is None else (int(img_shape[0]), int(img_shape[1]))
        super().__init__(ann_file=ann_file, **kwargs)

    def _read_infos(self) -> list[dict]:
        if not os.path.isdir(self.ann_file):
            return super()._read_infos()
        if self.image_list is not None or self.split_rule is not None or self.with_mask:
            raise ValueError(
                'image_list, split_rule and with_mask are for JSON files; '
                f'{self.ann_file} is a folder of text files, which tools/dataset_converters/locount_to_coco.py converts'
            )
        labels = self._selected_labels()
        files, others = list_locount(self.ann_file)
        self.findings.add(OTHER_FILES, len(others), others[0] if others else '')
        infos = []
        for one in self._with_image(files):
            try:
                infos.append(self._file_info(one, labels))
            except AnnotationError as error:
                if self.on_error == 'raise':
                    raise
                self.findings.add(UNREADABLE, 1, str(error))
        return infos

    def _selected_labels(self) -> np.ndarray:
        """(140,) label of each class of Locount in this data set, -1 for those that were not selected."""
        names = [name.strip() for name in LOCOUNT_CLASSES]
        labels = np.full(len(names), -1, dtype=np.int64)
        for label, name in enumerate(self._metainfo['classes']):
            if name.strip() not in names:
                raise ValueError(
                    f'metainfo class {name!r} is none of the {len(names)} classes of Locount{did_you_mean(name, names)}'
                )
            labels[names.index(name.strip())] = label
        return labels

    def _with_image(self, files: Sequence[LocountFile]) -> list[LocountFile]:
        folder = self.data_prefix['img']
        if not os.path.isdir(folder):
            raise FileNotFoundError(f'image folder {folder!r} does not exist')
        names = set(os.listdir(folder))
        missing = [one for one in files if f'{one.stem}.jpg' not in names]
        if missing and self.on_error == 'raise':
            raise AnnotationError(
                f'has no image {missing[0].stem}.jpg in {folder}; {len(missing)} of {len(files)} are missing '
                "(on_error='skip' leaves them out)",
                missing[0].path,
            )
        for one in missing:
            self.findings.add(MISSING_IMAGES, 1, f'{one.stem}.jpg')
        return [one for one in files if f'{one.stem}.jpg' in names]

    def _file_info(self, one: LocountFile, labels: np.ndarray) -> dict:
        skipped: list[AnnotationError] | None = None if self.on_error == 'raise' else []
        found = read_locount(one.path, skipped)
        for error in skipped or ():
            self.findings.add(WRONG, 1, str(error))
        path = os.path.join(self.data_prefix['img'], f'{one.stem}.jpg')
        height, width = self.img_shape or image_size(path)
        kinds = labels[np.array(found.labels, dtype=np.int64)]
        selected = kinds >= 0
        kinds, counts = kinds[selected], np.array(found.counts, dtype=np.int64)[selected]
        info = {
            'img_path': path,
            'img_id': str(one.image_id),
            'height': height,
            'width': width,
            'bboxes': np.array(found.boxes, dtype=np.float32).reshape(-1, 4)[selected],
            'labels': kinds,
            'counts': counts,
            'ignore_flags': np.zeros(len(kinds), dtype=bool),
            'image_counts': np.bincount(kinds, weights=counts, minlength=self.num_classes),
        }
        return self._cleaned(info)
