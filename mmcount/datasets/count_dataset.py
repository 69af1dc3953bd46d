"""Base of the data sets of counted images."""

import colorsys
import copy
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from mmcount.registry import DATASETS
from mmcount.utils.errors import AnnotationError
from mmcount.utils.moved_options import refuse_moved

from .data_info import check_data_info, total_counts
from .splits import CountSplit


def class_palette(num_classes: int) -> list[tuple[int, int, int]]:
    """Return well separated RGB colours, the same every time.

    Example:
        >>> class_palette(2)
        [(242, 36, 36), (36, 96, 242)]
    """
    golden = 0.618033988749895  # steps of the golden ratio keep any number of hues apart
    colours = (colorsys.hsv_to_rgb((index * golden) % 1.0, 0.85, 0.95) for index in range(num_classes))
    return [(round(r * 255), round(g * 255), round(b * 255)) for r, g, b in colours]


@DATASETS.register_module()
class CountDataset(BaseDataset):
    """Images with points, boxes or boxes with counts, in one contract for all readers.

    A reader subclasses this class and returns from ``load_data_list`` one dict per image:

    ============= ================== ====================================================================
    key           shape              meaning
    ============= ================== ====================================================================
    img_path      str                the file; or ``img``, an (H, W, 3) uint8 BGR array of generated data
    img_id        str                unique in the data set
    points        (N, 2) float32     (x, y) in px, pixel centres at integers; the boxes' centres if missing
    labels        (N,) int64         index into ``metainfo['classes']``
    bboxes        (N, 4) float32     optional, xyxy in px (edges)
    counts        (N,) int64         optional, objects of each box; 1 each where it is missing
    ignore_flags  (N,) bool          optional, objects that are not counted
    masks         N                  optional, one (H, W) array of 0 and 1 or COCO segmentation per object
    void_mask     (H, W)             optional, pixels that are not evaluated, like a mask; only with masks
    image_counts  (C,) float32       optional, objects of each class in the whole image; without it the objects
                                     above are counted. It may stand alone if places are unknown
    unlabelled    bool               optional, True for an image without annotation
    height, width int                optional
    ============= ================== ====================================================================

    Used directly, it reads ``data_list`` given in the config or code (``data_list=[dict(...), ...]``). Images without
    objects are never filtered: zero is a count.

    Args:
        data_list: The dicts above, for data that is already in memory.
        split: A :class:`CountSplit` or its arguments as a dict; the data set then is one ``subset`` of it.
        subset: 'train', 'val' or 'test'; needed exactly when ``split`` is given.
        data_prefix: Folder of the images below ``data_root`` (key ``img``).
        metainfo: ``dict(classes=...)`` with the names of the classes: a sequence, text such as 'live,dead', or a file
            with one name a line; ``palette`` with their colours, distinct ones by default.
        **kwargs: As :class:`mmengine.dataset.BaseDataset`.

    Raises:
        ValueError: ``metainfo`` has upper-case keys, no or doubled classes, or a palette of another length;
            ``filter_cfg`` is given; only one of ``split`` and ``subset`` is given; there are no images.
        TypeError: ``count_limit`` is given, which :class:`~mmcount.datasets.LowerCounts` took over.
        AnnotationError: An image's annotation breaks the contract; the message names the image.

    Example:
        >>> import numpy as np
        >>> image = dict(img=np.zeros((8, 8, 3), np.uint8), img_id='0', points=[[2, 3]], labels=[0])
        >>> dataset = CountDataset(data_list=[image], metainfo=dict(classes=('cell',)))
        >>> dataset.class_counts().tolist()
        [[1]]
    """

    METAINFO: ClassVar[dict] = {}
    _metainfo: dict[str, Any]

    def __init__(
        self,
        ann_file: str = '',
        data_root: str | os.PathLike = '',
        data_list: Sequence[dict] | None = None,
        split: CountSplit | Mapping | None = None,
        subset: str | None = None,
        data_prefix: Mapping | None = None,
        filter_cfg: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        if 'count_limit' in kwargs:
            name, limit = type(self).__name__, kwargs['count_limit']
            form = f"dict(type='mmcount.LowerCounts', limit={limit}, dataset=dict(type='mmcount.{name}', ...))"
            refuse_moved(name, {'count_limit': limit}, {'count_limit': f'wrap the data set, {form}'})
        if filter_cfg:
            raise ValueError(
                f'filter_cfg={dict(filter_cfg)} would drop images from {type(self).__name__}: images without '
                'objects count zero and are kept; remove filter_cfg'
            )
        if (split is None) != (subset is None):
            raise ValueError(f'give both split and subset, or none of them; got split={split}, subset={subset!r}')
        self.split = CountSplit(**split) if isinstance(split, Mapping) else split
        self.subset = subset
        self._given_data_list = data_list
        prefix = {'img': '', **(data_prefix or {})}
        super().__init__(ann_file=ann_file, data_root=os.fspath(data_root), data_prefix=prefix, **kwargs)

    @classmethod
    def _load_metainfo(cls, metainfo: Mapping | None = None) -> dict:
        """Check classes and palette, and fill a missing palette."""
        given = dict(metainfo or {})
        upper = [key for key in (*cls.METAINFO, *given) if not str(key).islower()]
        if upper:
            raise ValueError(f'metainfo keys must be lower-case, got {upper}; write e.g. classes=(...), palette=[...]')
        names = given.get('classes')
        if isinstance(names, str) and not os.path.isfile(names):
            if names.endswith('.txt') or os.sep in names:
                raise FileNotFoundError(
                    f'metainfo classes={names!r} is no file; write names of classes as in classes=live,dead'
                )
            given['classes'] = [name.strip() for name in names.split(',')]
        loaded = super()._load_metainfo(given)
        if 'classes' in given and 'palette' not in given:
            loaded.pop('palette', None)
        if 'classes' not in loaded:
            return loaded
        classes = tuple(str(name) for name in loaded['classes'])
        if not classes or '' in classes:
            raise ValueError(f'metainfo classes must name at least one class, and none without a name, got {classes}')
        doubled = sorted({name for name in classes if classes.count(name) > 1})
        if doubled:
            raise ValueError(f'metainfo classes must differ, got {doubled} more than once in {classes}')
        palette = loaded.get('palette') or class_palette(len(classes))
        if len(palette) != len(classes):
            raise ValueError(f'metainfo palette has {len(palette)} colours for {len(classes)} classes {classes}')
        return {**loaded, 'classes': classes, 'palette': [tuple(colour) for colour in palette]}

    @property
    def num_classes(self) -> int:
        """Number of classes of ``metainfo``."""
        if 'classes' not in self._metainfo:
            raise ValueError(f'{type(self).__name__} has no classes; give metainfo=dict(classes=(...,))')
        return len(self._metainfo['classes'])

    def set_classes(self, classes: Sequence[str]) -> None:
        """Set the classes that a reader found in the annotations."""
        metainfo = {key: value for key, value in self._metainfo.items() if key != 'palette'}
        self._metainfo = self._load_metainfo({**metainfo, 'classes': classes})

    def load_data_list(self) -> list[dict]:
        """Return the images given as ``data_list``; readers override this."""
        if self._given_data_list is None:
            raise ValueError(
                f'{type(self).__name__} reads no files; give data_list=[...] or use a reader, e.g. '
                'mmcount.PointsCSVDataset or mmcount.DotImageDataset'
            )
        given, self._given_data_list = self._given_data_list, None  # else a second copy lives in every worker
        return [copy.copy(info) for info in given]

    def filter_data(self) -> list[dict]:
        """Check every image against the contract and select the subset; nothing is filtered."""
        num_classes, data_list, seen = self.num_classes, [], set()
        for info in self.data_list:
            if 'img_id' not in info or ('img_path' not in info and 'img' not in info):
                name = str(info.get('img_path', info.get('img_id', '')))
                raise AnnotationError(f'an image needs img_id and img_path (or img), got {sorted(info)}', name)
            img_id = str(info['img_id'])
            if img_id in seen:
                raise AnnotationError('this img_id is used by more than one image, expected unique ids', img_id)
            seen.add(img_id)
            info = {**info, 'img_id': img_id, 'num_classes': num_classes}
            if not info.get('unlabelled'):  # "no points" would say that nothing is there
                if info.get('image_counts') is None:
                    info.setdefault('labels', ())
                info = check_data_info(info, num_classes)
            data_list.append(info)
        if self.split is not None and self.subset is not None:
            data_list = [data_list[index] for index in self.split.indices(len(data_list), self.subset)]
        if not data_list:
            raise ValueError(f'{type(self).__name__} has no images (split={self.split}, subset={self.subset!r})')
        self._warn_of_zeros(data_list)
        return data_list

    def _warn_of_zeros(self, data_list: Sequence[dict]) -> None:
        """Say that no image has an object, which few data sets mean and wrong labels look like."""
        labelled = [info for info in data_list if not info.get('unlabelled')]
        if labelled and not any(total_counts(info, self.num_classes).any() for info in labelled):
            where = self.ann_file or self.data_prefix.get('ann') or self.data_prefix.get('img') or 'data_list'
            print_log(
                f'{type(self).__name__}: {where}: all {len(labelled)} labelled images count zero objects of '
                f'{self._metainfo["classes"]}; check the labels if this is not meant',
                logger='current',
                level=logging.WARNING,
            )

    def replace_data(self, data_list: list[dict]) -> None:
        """Store other dicts of the same images."""
        self.data_list = data_list
        if self.serialize_data:
            self.data_bytes, self.data_address = self._serialize_data()

    def make_img_id(self, img_path: str) -> str:
        """Return the path below ``data_root`` with forward slashes: unique, even where file names repeat."""
        path, root = Path(os.path.abspath(img_path)), Path(os.path.abspath(self.data_root or '.'))
        return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels of an image's objects, or the classes that it shows (for class-balanced sampling)."""
        info = self.get_data_info(idx)
        if info.get('labels') is not None:
            return info['labels'].tolist()
        return np.flatnonzero(total_counts(info, self.num_classes)).tolist()

    def class_counts(self) -> np.ndarray:
        """Count the annotated objects of each class in every image of this (sub)set.

        These are raw annotations, before any pipeline. Their mean over the training images is the simplest counter to
        compare with: ``dataset.class_counts().mean(axis=0)``.

        Returns:
            Shape (num_images, C), int64.
        """
        totals = np.zeros((len(self), self.num_classes), dtype=np.int64)
        for index in range(len(self)):
            totals[index] = total_counts(self.get_data_info(index), self.num_classes)
        return totals
