"""Boxes for heads of which only points were published."""

import os

import numpy as np

from mmcount.utils.errors import AnnotationError, did_you_mean

from ..formats.points_table import read_points_csv

# two digits are enough in a file that people read, half a pixel would be another head
_TOLERANCE = 0.02


class BoxesFile:
    """A table ``image,x,y,x1,y1,x2,y2`` with a box for every head, such as ``pseudo_boxes.py`` writes.

    The heads of an image have to be in the order of the annotation: (x, y) tells when they are not.

    Args:
        path: The table.

    Raises:
        FileNotFoundError: It does not exist.
        AnnotationError: It is malformed, or has no boxes; names the line.
    """

    def __init__(self, path: str) -> None:
        if not os.path.isfile(path):
            raise FileNotFoundError(f'boxes file {path!r} does not exist; tools/dataset_converters/pseudo_boxes.py')
        table = read_points_csv(path)
        if table.boxes is None:
            raise AnnotationError('has no boxes: expected the columns image,x,y,x1,y1,x2,y2', path, 1)
        self.path = path
        self.points, self.boxes = table.points, table.boxes
        rows: dict[str, list[int]] = {}
        for index, image in enumerate(table.images):
            rows.setdefault(image, []).append(index)
        self._rows = {image: np.array(index) for image, index in rows.items()}

    def boxes_of(self, image: str, points: np.ndarray) -> np.ndarray:
        """The boxes of an image.

        Args:
            image: As the table calls it.
            points: (N, 2) of its heads, px, pixel centres at integers.

        Returns:
            (N, 4) float64 xyxy in pixel edges.

        Raises:
            AnnotationError: The table has no boxes of the image, another number of them, or of other heads.
        """
        if not len(points):
            return np.zeros((0, 4))
        rows = self._rows.get(image)
        if rows is None:
            raise AnnotationError(f'has no boxes of image {image!r}{did_you_mean(image, self._rows)}', self.path)
        if len(rows) != len(points):
            raise AnnotationError(f'has {len(rows)} boxes of image {image!r}, which has {len(points)} heads', self.path)
        far = (np.abs(self.points[rows] - points) > _TOLERANCE).any(axis=1)
        if far.any():
            index = int(far.argmax())
            raise AnnotationError(
                f'box {index} of image {image!r} belongs to the point {self.points[rows[index]].tolist()}, but head '
                f'{index} is at {points[index].tolist()}: it was made for another annotation',
                self.path,
            )
        return self.boxes[rows]
