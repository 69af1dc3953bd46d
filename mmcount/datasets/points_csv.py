"""A user's own folder of images with a table of points."""

import logging
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine.logging import print_log

from mmcount.registry import DATASETS
from mmcount.utils.errors import AnnotationError

from .formats.images import image_size
from .formats.points_table import read_points_csv
from .table_dataset import TableDataset

# A point this far outside the image (px) is rounding of the labelling tool and is moved onto the border.
_BORDER_TOLERANCE = 0.5


@DATASETS.register_module()
class PointsCSVDataset(TableDataset):
    r"""Images and one table ``image,x,y[,class]`` with a line for every object.

    Which images are labelled is decided by the folder (or a list file), never by the table: an image without a line
    in the table, or with a line of nothing else (``a.png,,``), has **zero** objects. Use a list where the folder also
    holds images without labels.

    The table may be separated by commas, semicolons or tabs, with or without quotes and byte order mark; the order of
    columns and the case of their names do not matter. ``image`` is the path below the image folder. Where the table
    also has the columns x1, y1, x2 and y2, each object has its box (``bboxes``).

    A table of another format needs a function that reads it into a :class:`~mmcount.datasets.formats.PointTable`::

        @DATASETS.register_module()
        class PointsXMLDataset(PointsCSVDataset):
            read = staticmethod(read_points_xml)

    Args:
        ann_file: The table, relative to ``data_root``.
        images: ``None`` or 'folder' for every image below the image folder, or a text file (relative to
            ``data_root``) with one labelled image per line.
        origin: 'center' where (0, 0) is the centre of the first pixel, 'corner' where it is its outer corner, as in
            tools that draw on a continuous canvas; the latter is moved by half a pixel. Boxes are in edges of pixels
            and never moved.
        check_bounds: Compare every point with its image's size. A point up to half a pixel outside is moved onto the
            border; anything farther is an error.
        metainfo: ``dict(classes=(...))`` fixes classes and their order. Without it the classes are those of the
            table, sorted (training and validation tables with different classes then disagree: name the classes).
        **kwargs: As :class:`CountDataset`; ``data_prefix=dict(img=...)`` is the image folder below ``data_root``.

    Raises:
        AnnotationError: Table or list are malformed or do not fit the images; names file and line.
        FileNotFoundError: The table, the list or the folder does not exist, or the folder has no image.

    Example:
        >>> import tempfile, cv2, numpy as np
        >>> with tempfile.TemporaryDirectory() as root:
        ...     _ = cv2.imwrite(f'{root}/a.png', np.zeros((8, 8, 3), np.uint8))
        ...     _ = cv2.imwrite(f'{root}/b.png', np.zeros((8, 8, 3), np.uint8))
        ...     with open(f'{root}/points.csv', 'w') as stream:
        ...         _ = stream.write('image,x,y\na.png,2,3\na.png,4,4\n')
        ...     dataset = PointsCSVDataset(data_root=root, metainfo=dict(classes=('cell',)))
        >>> dataset.class_counts().tolist()
        [[2], [0]]
    """

    #: Reads the table at a path.
    read = staticmethod(read_points_csv)

    def __init__(
        self,
        ann_file: str = 'points.csv',
        images: str | None = None,
        origin: str = 'center',
        check_bounds: bool = True,
        **kwargs: Any,
    ) -> None:
        if origin not in ('center', 'corner'):
            raise ValueError(f"origin must be 'center' or 'corner', got {origin!r}")
        self.origin = origin
        self.check_bounds = check_bounds
        super().__init__(ann_file=ann_file, images=images, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the table and join it with the images."""
        table = self.read(self.ann_file)
        labels = self._labels(table)
        # float64 until here: half a pixel must not be lost to rounding of large coordinates
        points = table.points - (0.5 if self.origin == 'corner' else 0.0)
        moved = 0
        data_list = []
        for image, index in self._join(table):
            info = {**image, 'points': points[index].astype(np.float32), 'labels': labels[index]}
            if table.boxes is not None:
                info['bboxes'] = table.boxes[index]
            if self.check_bounds:
                info['height'], info['width'] = image_size(info['img_path'])
                inside = self._onto_image(points[index], info, [table.lines[one] for one in index])
                moved += int((inside != info['points']).any(axis=1).sum())
                info['points'] = inside
            data_list.append(info)
        # a tool that saves twice doubles every object
        different = len(set(zip(table.images, map(tuple, table.points.tolist()), labels.tolist(), strict=True)))
        for number, what in (
            (moved, 'points up to half a pixel outside their image were moved onto its border'),
            (len(points) - different, 'points repeat an earlier line exactly; each counts as one object'),
        ):
            if number:
                print_log(f'{self.ann_file}: {number} {what}', logger='current', level=logging.WARNING)
        return data_list

    def _onto_image(self, points: np.ndarray, info: Mapping[str, Any], lines: Sequence[int]) -> np.ndarray:
        """Return (N, 2) float32 points inside the image, or raise for one that is not near it."""
        low = np.array([-0.5, -0.5])
        high = np.array([info['width'] - 0.5, info['height'] - 0.5])
        outside = ((points < low - _BORDER_TOLERANCE) | (points > high + _BORDER_TOLERANCE)).any(axis=1)
        if outside.any():
            first = int(outside.argmax())
            x, y = points[first]
            name = os.path.relpath(info['img_path'], self.data_prefix['img'])
            swapped = (points[:, ::-1] >= low).all() and (points[:, ::-1] < high).all()
            raise AnnotationError(
                f'point ({x:g}, {y:g}) is outside image {name!r} of {info["width"]}x{info["height"]} px '
                f'(width x height){"; are x and y swapped?" if swapped else ""}',
                self.ann_file,
                lines[first],
            )
        # the image's area is half open, so the last place inside is the float before its edge
        last = np.nextafter(high.astype(np.float32), np.float32(-1), dtype=np.float32)
        return np.clip(points.astype(np.float32), low.astype(np.float32), last)
