"""COCO, and any file in its format, as a counting data set."""

import os
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from mmcount.registry import DATASETS
from mmcount.utils.coco_json import parse_box, read_coco
from mmcount.utils.errors import AnnotationError, did_you_mean
from mmcount.utils.numbers import parse_count

from .count_dataset import CountDataset
from .formats.coco_splits import HALVES, half_of, image_order, read_id_list
from .formats.images import image_size


@DATASETS.register_module()
class COCOCounts(CountDataset):
    """Images and one COCO-format file: counts of its categories, boxes, and on demand masks.

    Every annotation of an image adds one to the count of its category, or its ``count`` where it has one, whatever its
    box or area: the filters of detection data sets (tiny or clipped boxes, images without objects) do not apply here.
    Classes are the categories by ascending id, without blanks around their names. Images are found under the
    ``file_name`` of the file itself, ``img_id`` is the image's id.

    The counting work on COCO 2014 halves the validation images into validation and test in two ways:

    ============ ==================================== ============================== =======================
    split_rule   order of the images                  images without annotation      val2014: val + test
    ============ ==================================== ============================== =======================
    'cev'        ascending id                         are kept and count zero        20,252 + 20,252
    'countseg'   first appearance in ``annotations``  are left out, in training too  20,068 + 20,069
    ============ ==================================== ============================== =======================

    'cev' is that of Chattopadhyay et al. (Counting Everyday Objects in Everyday Scenes, CVPR 2017), 'countseg' that of
    the released code of Cholakkal et al. (CVPR 2019); results on one are not results on the other.

    Args:
        ann_file: The JSON file, relative to ``data_root``.
        count_crowd: Let a crowd region (``iscrowd``) count as one object. Otherwise it is kept with ``ignore_flags``,
            as in the evaluation of instance segmentation.
        with_mask: Give ``masks``, COCO segmentations. An object without one is kept as its box, with
            ``ignore_flags``; its count stays.
        split_rule: None, 'cev' or 'countseg'.
        val_half: 'val' or 'test', the first or second half of the images; None for all of them.
        image_list: A file with the ids of the images to use, one per line, in place of rule and half.
        metainfo: ``dict(classes=(...))`` selects and orders categories by name; objects of others are not counted.
        **kwargs: As :class:`CountDataset`; ``data_prefix=dict(img=...)`` is the image folder below ``data_root``.

    Raises:
        FileNotFoundError: The file or the list does not exist.
        AnnotationError: The file is malformed (names the record), or, when an image is loaded, its size is not that of
            its record.
        ValueError: The split is not given in one of these ways, or a class is no category of the file.

    Example:
        >>> dataset = COCOCounts(  # doctest: +SKIP
        ...     ann_file='annotations/instances_val2014.json', data_root='data/coco', data_prefix=dict(img='val2014'),
        ...     split_rule='cev', val_half='test',
        ... )
        >>> dataset.class_counts().shape  # doctest: +SKIP
        (20252, 80)
    """

    def __init__(
        self,
        ann_file: str = '',
        count_crowd: bool = True,
        with_mask: bool = False,
        split_rule: str | None = None,
        val_half: str | None = None,
        image_list: str | None = None,
        **kwargs: Any,
    ) -> None:
        if image_list is not None and (split_rule is not None or val_half is not None):
            raise ValueError(
                f'image_list already says which images are used: drop split_rule={split_rule!r}, val_half={val_half!r}'
            )
        if val_half is not None and split_rule is None:
            raise ValueError(f"val_half={val_half!r} needs split_rule='cev' or 'countseg'")
        image_order({'images': (), 'annotations': ()}, split_rule)  # refuses unknown rules before reading a large file
        if val_half not in (None, *HALVES):
            raise ValueError(f'val_half must be one of {HALVES}, got {val_half!r}')
        self.count_crowd, self.with_mask = count_crowd, with_mask
        self.split_rule, self.val_half, self.image_list = split_rule, val_half, image_list
        super().__init__(ann_file=ann_file, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the file and choose the images."""
        content = read_coco(self.ann_file)
        labels = self._labels_of_categories(content)
        annotations: dict[int, list[tuple[int, dict]]] = defaultdict(list)
        for index, annotation in enumerate(content['annotations']):
            annotations[annotation['image_id']].append((index, annotation))
        images = {image['id']: image for image in content['images']}
        return [self._info(images[one], annotations[one], labels) for one in self._chosen_ids(content)]

    def prepare_data(self, idx: int) -> Any:
        """Load an image, after comparing its size with that of its file: boxes fit no other."""
        info = self.get_data_info(idx)
        if 'height' in info and os.path.isfile(info['img_path']):
            height, width = image_size(info['img_path'])
            if (height, width) != (info['height'], info['width']):
                raise AnnotationError(
                    f'image {info["img_id"]} has {info["width"]}x{info["height"]} px (width x height), but its file '
                    f'{info["img_path"]} has {width}x{height} px, so that its boxes do not fit; was it resized or '
                    'turned after labelling?',
                    self.ann_file,
                )
        return super().prepare_data(idx)

    def _chosen_ids(self, content: Mapping[str, Any]) -> list[int]:
        if self.image_list is not None:
            known = [image['id'] for image in content['images']]
            return read_id_list(os.path.join(self.data_root or '', self.image_list), known)
        ids = image_order(content, self.split_rule)
        return ids if self.val_half is None else half_of(ids, self.val_half)

    def _labels_of_categories(self, content: Mapping[str, Any]) -> dict[int, int]:
        """Category id to label, after fixing the classes if metainfo names none."""
        categories = sorted(content['categories'], key=lambda category: category['id'])
        names = [str(category['name']).strip() for category in categories]
        if 'classes' not in self._metainfo:
            self.set_classes(names)
        classes = [name.strip() for name in self._metainfo['classes']]
        for name in classes:
            if name not in names:
                raise ValueError(
                    f'metainfo class {name!r} is none of the {len(names)} categories of {self.ann_file}'
                    f'{did_you_mean(name, names)}'
                )
        return {
            category['id']: classes.index(name)
            for category, name in zip(categories, names, strict=True)
            if name in classes
        }

    def _info(self, image: dict, annotations: list[tuple[int, dict]], labels: Mapping[int, int]) -> dict:
        chosen = [(index, one) for index, one in annotations if one['category_id'] in labels]
        kinds = np.array([labels[one['category_id']] for _, one in chosen], dtype=np.int64)
        counts = np.array([self._count(index, one) for index, one in chosen], dtype=np.int64)
        ignored = np.array([bool(one.get('iscrowd')) and not self.count_crowd for _, one in chosen], dtype=bool)
        info = {
            'img_path': os.path.join(self.data_prefix['img'], image['file_name']),
            'img_id': str(image['id']),
            'image_counts': np.bincount(kinds[~ignored], weights=counts[~ignored], minlength=self.num_classes),
        }
        if image.get('height') and image.get('width'):
            info.update(height=int(image['height']), width=int(image['width']))
        if any(one.get('bbox') is None for _, one in chosen):
            return info  # a file of counts: where the objects are is not known
        boxes = np.array([self._box(index, one['bbox']) for index, one in chosen], dtype=np.float32).reshape(-1, 4)
        info.update(bboxes=boxes, labels=kinds, ignore_flags=ignored)
        if any('count' in one for _, one in chosen):
            info['counts'] = counts
        if self.with_mask:
            info['masks'] = [
                one.get('segmentation') or _rectangle(box) for (_, one), box in zip(chosen, boxes, strict=True)
            ]
            info['ignore_flags'] = ignored | np.array([not one.get('segmentation') for _, one in chosen], dtype=bool)
        return info

    def _count(self, index: int, annotation: Mapping[str, Any]) -> int:
        """Objects in a box: its ``count``, or one."""
        try:
            return parse_count(annotation.get('count', 1))
        except ValueError as error:
            raise AnnotationError(f'annotations[{index}]: {error}', self.ann_file) from None

    def _box(self, index: int, box: Any) -> list[float]:
        """(x, y, width, height) as xyxy."""
        try:
            x, y, width, height = parse_box(box)
        except ValueError as error:
            raise AnnotationError(f'annotations[{index}]: {error}', self.ann_file) from None
        return [x, y, x + width, y + height]


def _rectangle(box: np.ndarray) -> list[list[float]]:
    x1, y1, x2, y2 = (float(value) for value in box)
    return [[x1, y1, x2, y1, x2, y2, x1, y2]]
