"""JHU-Crowd++."""

import os
from typing import Any, ClassVar

import numpy as np

from mmcount.registry import DATASETS
from mmcount.utils.errors import AnnotationError

from ..formats.crowd_points import CrowdPoints, parse_jhu_txt
from ..formats.images import IMG_EXTENSIONS
from ..formats.tables import read_text
from .checks import STATED
from .crowd_dataset import CrowdDataset, CrowdImage
from .file_names import stems

_WEATHERS = ('none', 'fog', 'rain', 'snow')


@DATASETS.register_module()
class JHUCrowd(CrowdDataset):
    """JHU-Crowd++: 2,272 + 500 + 1,600 images with boxes, in several weathers; some without people.

    Further keys: ``occlusions`` (N,) int64 (1 visible, 2 partial, 3 full), ``blurs`` (N,) int64 (0 or 1), and, where
    ``image_labels.txt`` is there, ``scene`` (str), ``weather`` ('none', 'fog', 'rain' or 'snow') and ``distractor``
    (bool: many things that look like people).

    Args:
        data_root: The folder ``jhu_crowd_v2.0``.
        square_boxes: Make boxes as published IIM code does: a square of the longer side that begins at the box's top
            left corner, so that its centre is not the head's where width and height differ. Needed to compare
            localisation with its results.
        **kwargs: As :class:`~mmcount.datasets.crowd.crowd_dataset.CrowdDataset`.

    Example:
        >>> dataset = JHUCrowd(data_root='data/jhu_crowd_v2.0', subset='val')  # doctest: +SKIP
        >>> len(dataset)  # doctest: +SKIP
        500
    """

    TITLE = 'JHU-Crowd++'
    HOMEPAGE = 'http://www.crowd-counting.com/'
    LAYOUT = 'train/images/0001.jpg ..., train/gt/0001.txt ... and train/image_labels.txt\nval/ and test/ ... likewise'
    PUBLISHED: ClassVar[dict[str, int]] = {'train': 2272, 'val': 500, 'test': 1600}

    def __init__(self, data_root: str | os.PathLike = '', square_boxes: bool = False, **kwargs: Any) -> None:
        self.square_boxes = square_boxes
        super().__init__(data_root=data_root, **kwargs)

    def needed_paths(self, part: str) -> list[str]:
        """Folder of the images and folder of the annotations."""
        return [self.path(part, 'images'), self.path(part, 'gt')]

    def images_of(self, part: str) -> list[CrowdImage]:
        """``images/0001.jpg`` with ``gt/0001.txt``."""
        paths = stems(self.path(part, 'images'), IMG_EXTENSIONS)
        self.note_unused(stems(self.path(part, 'gt'), ('.txt',)), paths, 'annotation files without an image')
        file = self.path(part, 'image_labels.txt')
        labels: dict[str, dict] = {}
        if os.path.isfile(file):
            labels = parse_image_labels(read_text(file, may_be_empty=True), file)
            self.note_unused(paths, labels, f'images that {file} does not name')
        else:
            self.warn(f'{file!r} does not exist: scene, weather and distractor are not known')
        return [
            CrowdImage(name, path, self.path(part, 'gt', f'{name}.txt'), name, labels.get(name, {}))
            for name, path in paths.items()
        ]

    def read_points(self, image: CrowdImage) -> CrowdPoints:
        """Read the lines of the text file; none is an image without heads."""
        path = str(image.ann_path)
        heads = parse_jhu_txt(read_text(path, may_be_empty=True), path)  # an empty file: no heads
        if self.square_boxes and heads.bboxes is not None:
            corner = heads.bboxes[:, :2]
            side = (heads.bboxes[:, 2:] - corner).max(axis=1, keepdims=True)
            heads.bboxes = np.concatenate([corner, corner + side], axis=1)
        return heads

    def _info(self, image: CrowdImage) -> dict[str, Any]:
        info = super()._info(image)
        stated = info.pop('stated_count', None)
        if stated is not None and self.duplicates != 'drop' and self.outside != 'drop':
            different = stated != len(info['points'])
            self.findings.add(STATED, int(different), f'{image.name} ({stated} stated, {len(info["points"])} listed)')
        return info


def parse_image_labels(text: str, file: str = '') -> dict[str, dict[str, Any]]:
    """Parse ``image_labels.txt``: ``name, total count, scene, weather, distractor`` a line.

    Returns:
        For each name ``stated_count``, ``scene``, ``weather`` and ``distractor``.

    Raises:
        AnnotationError: A line is malformed, or a name is there twice with different labels.

    Example:
        >>> parse_image_labels('0003,12,street,2,0')['0003']
        {'stated_count': 12, 'scene': 'street', 'weather': 'rain', 'distractor': False}
    """
    found: dict[str, dict[str, Any]] = {}
    for line, row in enumerate(text.splitlines(), start=1):
        cells = [cell.strip() for cell in row.split(',')]
        if not any(cells):
            continue
        try:
            # a scene may have commas of its own
            name, count, *scene, weather, distractor = cells
            labels = {
                'stated_count': int(count),
                'scene': ', '.join(scene),
                'weather': _WEATHERS[('0', '1', '2', '3').index(weather)],
                'distractor': bool(('0', '1').index(distractor)),
            }
        except ValueError:
            raise AnnotationError(
                f'{row[:80]!r}, expected name, total count, scene, weather (0 to 3), distractor (0 or 1)', file, line
            ) from None
        name = os.path.splitext(name)[0]
        if found.setdefault(name, labels) != labels:
            raise AnnotationError(f'image {name!r} is in the list twice, with different labels', file, line)
    return found
