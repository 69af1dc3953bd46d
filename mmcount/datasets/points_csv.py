"""A user's own folder of images with a table of points."""

import os
from collections import Counter
from typing import Any

import numpy as np

from mmcount.registry import DATASETS
from mmcount.utils.errors import AnnotationError

from .formats.images import image_size
from .formats.points_table import parse_points_csv
from .table_dataset import TableDataset

# A point this far outside the image (px) is rounding of the labelling tool and is moved onto the border.
_BORDER_TOLERANCE = 0.5


@DATASETS.register_module()
class PointsCSVDataset(TableDataset):
    r"""Images and one table ``image,x,y[,class]`` with a line for every object.

    Which images are labelled is decided by the folder (or a list file), never by the table: an image without a line
    in the table has **zero** objects. Use a list where the folder also holds images that nobody has labelled.

    The table may be separated by commas, semicolons or tabs, with or without quotes and byte order mark; the order of
    columns and the case of their names do not matter. ``image`` is the path below the image folder. Where the table
    also has the columns x1, y1, x2 and y2, each object has its box (``bboxes``).

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
        """Read the list of images, then the table, and join them."""
        table = parse_points_csv(self._read_table('points file'), self.ann_file)
        names = self._image_names()
        labels = self._labels(table)
        rows = self._rows_by_image(table, names)
        # float64 until here: half a pixel must not be lost to rounding of large coordinates
        points = table.points - (0.5 if self.origin == 'corner' else 0.0)
        moved = 0
        data_list = []
        for name in names:
            index = np.array(rows.get(name, ()), dtype=np.int64)
            img_path = os.path.join(self.data_prefix['img'], name)
            info: dict[str, Any] = {'img_path': img_path, 'img_id': self.make_img_id(img_path), 'labels': labels[index]}
            inside = points[index].astype(np.float32)
            if self.check_bounds:
                height, width = image_size(img_path)
                lines = [table.lines[i] for i in index]
                inside = self._onto_image(points[index], height, width, name, lines)
                moved += int((inside != points[index].astype(np.float32)).any(axis=1).sum())
                info.update(height=height, width=width)
            if table.boxes is not None:
                info['bboxes'] = table.boxes[index]
            data_list.append({**info, 'points': inside})
        self._warn(moved, 'points up to half a pixel outside their image were moved onto its border')
        # a tool that saves twice doubles every object
        keys = Counter(zip(table.images, map(tuple, table.points.tolist()), labels.tolist(), strict=True))
        self._warn(len(table.images) - len(keys), 'points repeat an earlier line exactly; each counts as one object')
        return data_list

    def _onto_image(self, points: np.ndarray, height: int, width: int, name: str, lines: list[int]) -> np.ndarray:
        """Return float32 points inside the image, or raise for one that is not near it."""
        low = np.array([-0.5, -0.5])
        high = np.array([width - 0.5, height - 0.5])
        outside = ((points < low - _BORDER_TOLERANCE) | (points > high + _BORDER_TOLERANCE)).any(axis=1)
        if outside.any():
            first = int(outside.argmax())
            x, y = points[first]
            swapped = (points[:, ::-1] >= low).all() and (points[:, ::-1] < high).all()
            raise AnnotationError(
                f'point ({x:g}, {y:g}) is outside image {name!r} of {width}x{height} px (width x height)'
                + ('; are x and y swapped?' if swapped else ''),
                self.ann_file,
                lines[first],
            )
        # the image's area is half open, so the last place inside is the float before its edge
        last = np.nextafter(high.astype(np.float32), np.float32(-1), dtype=np.float32)
        return np.clip(points.astype(np.float32), low.astype(np.float32), last)
