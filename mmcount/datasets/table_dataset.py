"""What all folders of images with a table of statements about them share."""

import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmcount.utils.errors import AnnotationError, did_you_mean

from .count_dataset import CountDataset
from .formats.images import IMG_EXTENSIONS, list_images
from .formats.tables import ImageRows, parse_image_list, read_text


class TableDataset(CountDataset):
    """Base of data sets of one folder of images (or a list of them) and one table.

    Args:
        ann_file: The table, relative to ``data_root``.
        images: ``None`` or 'folder' for every image below the image folder, or a text file (relative to
            ``data_root``) with one labelled image per line.
        **kwargs: As :class:`CountDataset`; ``data_prefix=dict(img=...)`` is the image folder below ``data_root``.
    """

    def __init__(self, ann_file: str, images: str | None = None, **kwargs: Any) -> None:
        self.images = images
        super().__init__(ann_file=ann_file, **kwargs)

    def _read_table(self, what: str) -> str:
        if not os.path.isfile(self.ann_file):
            raise FileNotFoundError(f'{what} {self.ann_file!r} does not exist')
        return read_text(self.ann_file)

    def _image_names(self) -> list[str]:
        folder = self.data_prefix['img']
        if self.images in (None, 'folder'):
            names = list_images(folder)
            if not names:
                raise FileNotFoundError(f'no image below {folder!r}; looked for {", ".join(IMG_EXTENSIONS)}')
            return names
        list_file = os.path.join(self.data_root or '', str(self.images))
        if not os.path.isfile(list_file):
            raise FileNotFoundError(f'list of images {list_file!r} does not exist')
        listed = parse_image_list(read_text(list_file), list_file)
        for name, line in listed:
            if not os.path.isfile(os.path.join(folder, name)):
                hint = did_you_mean(name, list_images(folder))
                raise AnnotationError(f'image {name!r} does not exist below {folder!r}{hint}', list_file, line)
        return sorted(name for name, _ in listed)

    def _labels(self, table: ImageRows, columns: Sequence[str] | None = None) -> np.ndarray:
        """Return the label of every row, after fixing the classes if metainfo names none.

        Args:
            table: The rows.
            columns: The classes in the order of their columns, where the table has one for each.
        """
        if 'classes' not in self._metainfo:
            found = list(columns or sorted(set(table.classes or ()))) or ['object']
            self.set_classes(found)
            print_log(f'{self.ann_file}: classes {tuple(found)}', logger='current')
        classes = self._metainfo['classes']
        if table.classes is None:
            if len(classes) > 1:
                raise AnnotationError(
                    f'has no class column, but metainfo has {len(classes)} classes {classes}', self.ann_file, 1
                )
            return np.zeros(len(table.images), dtype=np.int64)
        labels = {name: label for label, name in enumerate(classes)}
        for name, line in zip(table.classes, table.lines, strict=True):
            if name not in labels:
                hint = did_you_mean(name, classes)
                raise AnnotationError(
                    f'class {name!r} is unknown, expected one of {classes}{hint}', self.ann_file, line
                )
        return np.array([labels[name] for name in table.classes], dtype=np.int64)

    def _rows_by_image(self, table: ImageRows, names: list[str]) -> dict[str, list[int]]:
        known = set(names)
        rows: dict[str, list[int]] = {}
        for index, (name, line) in enumerate(zip(table.images, table.lines, strict=True)):
            if name not in known:
                where = (
                    f'below {self.data_prefix["img"]!r}' if self.images in (None, 'folder') else 'in the list of images'
                )
                raise AnnotationError(
                    f'image {name!r} is not {where} ({len(names)} images){did_you_mean(name, names)}',
                    self.ann_file,
                    line,
                )
            rows.setdefault(name, []).append(index)
        return rows

    def _warn(self, number: int, what: str) -> None:
        if number:
            print_log(f'{self.ann_file}: {number} {what}', logger='current', level=logging.WARNING)
