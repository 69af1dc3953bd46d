"""Base of folders of images with a table of statements about them."""

import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmcount.utils.errors import AnnotationError, did_you_mean

from .count_dataset import CountDataset
from .formats.images import IMG_EXTENSIONS, list_images
from .formats.tables import ImageRows, read_image_list


class TableDataset(CountDataset):
    """Base of data sets of one folder of images (or a list of them) and one table.

    Which images are labelled is decided by the folder or the list, never by the table.

    Args:
        ann_file: The table, relative to ``data_root``.
        images: ``None`` or 'folder' for every image below the image folder, or a text file (relative to
            ``data_root``) with one labelled image per line.
        allow_empty: Let a table without any row say that all images count zero; otherwise it is an error.
        **kwargs: As :class:`CountDataset`; ``data_prefix=dict(img=...)`` is the image folder below ``data_root``.
    """

    def __init__(self, ann_file: str, images: str | None = None, allow_empty: bool = False, **kwargs: Any) -> None:
        self.allow_empty = allow_empty
        self.images = None if images == 'folder' else images
        super().__init__(ann_file=ann_file, **kwargs)

    def _join(self, table: ImageRows) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
        """Yield ``img_path`` and ``img_id`` of every labelled image, and which rows of the table are its own.

        Raises:
            FileNotFoundError: The folder or the list does not exist, or the folder has no image.
            AnnotationError: The table or the list names an image that does not exist (names the line), or the table
                has no row.
        """
        folder = self.data_prefix['img']
        if self.images is None:
            names, where = list_images(folder), f'below {folder!r}'
            if not names:
                raise FileNotFoundError(f'no image {where}; looked for {", ".join(IMG_EXTENSIONS)}')
        else:
            list_file = os.path.join(self.data_root or '', self.images)
            names, where = [], 'in the list of images'
            for name, line in read_image_list(list_file):
                if not os.path.isfile(os.path.join(folder, name)):
                    hint = did_you_mean(name, list_images(folder))
                    raise AnnotationError(f'image {name!r} does not exist below {folder!r}{hint}', list_file, line)
                names.append(name)
            names.sort()
        if not (table.images or table.empty or self.allow_empty):
            raise AnnotationError(
                f'the table has a header and no row, so that all {len(names)} images would count zero; if they do, '
                'give allow_empty=True',
                self.ann_file,
            )
        rows: dict[str, list[int]] = {name: [] for name in names}
        for name, line in [*zip(table.images, table.lines, strict=True), *table.empty.items()]:
            if name not in rows:
                hint = did_you_mean(name, names)
                raise AnnotationError(f'image {name!r} is not {where} ({len(names)} images){hint}', self.ann_file, line)
        for row, name in enumerate(table.images):
            rows[name].append(row)
        for name, index in rows.items():
            img_path = os.path.join(folder, name)
            yield {'img_path': img_path, 'img_id': self.make_img_id(img_path)}, np.array(index, dtype=np.int64)

    def _labels(self, table: ImageRows, columns: Sequence[str] | None = None) -> np.ndarray:
        """Return the label of every row, after fixing the classes if metainfo names none.

        Args:
            table: The rows.
            columns: The classes in the order of their columns, if the table has one for each.
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
                names = ','.join(sorted(set(table.classes)))
                raise AnnotationError(
                    f'class {name!r} is unknown, expected one of {classes}{hint}; metainfo names the classes, and in '
                    f'the configs of own data the option classes={names}',
                    self.ann_file,
                    line,
                )
        return np.array([labels[name] for name in table.classes], dtype=np.int64)
