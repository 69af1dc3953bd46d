"""FDST."""

import os
from typing import Any, ClassVar

from mmcount.registry import DATASETS

from ..formats.crowd_points import CrowdPoints, parse_via_json
from ..formats.images import IMG_EXTENSIONS
from ..formats.tables import read_text
from .crowd_dataset import CrowdImage
from .file_names import natural_key, stems
from .seeded_val import SeededValDataset


@DATASETS.register_module()
class FDST(SeededValDataset):
    """FDST: 60 + 40 videos of 150 frames, 394,081 heads in all, with boxes.

    Further keys: ``video`` (str) and ``frame`` (str). There are no official validation videos: 'val' is a seeded share
    of the 60, as whole videos, since the frames of one are almost the same picture.

    Args:
        data_root: The folder of ``train_data`` and ``test_data``.
        num_val: Validation videos, or their share.
        **kwargs: As :class:`~mmcount.datasets.crowd.seeded_val.SeededValDataset` (``val_list`` names videos) and
            :class:`~mmcount.datasets.crowd.crowd_dataset.CrowdDataset` (``exclude`` names frames, such as '12/001').

    Example:
        >>> dataset = FDST(data_root='data/FDST', subset='test')  # doctest: +SKIP
        >>> len(dataset)  # doctest: +SKIP
        6000
    """

    TITLE = 'FDST'
    HOMEPAGE = 'https://github.com/sweetyy83/Lstn_fdst_dataset'
    LAYOUT = 'train_data/<video>/001.jpg ... and train_data/<video>/001.json ...\ntest_data/ ... likewise'
    PUBLISHED: ClassVar[dict[str, int]] = {'train': 9000, 'test': 6000}

    def needed_paths(self, part: str) -> list[str]:
        """The folder of the videos."""
        return [self.path(f'{part}_data')]

    def images_of(self, part: str) -> list[CrowdImage]:
        """``<video>/001.jpg`` with ``<video>/001.json``."""
        root = self.path(f'{part}_data')
        videos = [name for name in os.listdir(root) if os.path.isdir(os.path.join(root, name)) and name[0] != '.']
        images = []
        for video in sorted(videos, key=natural_key):
            folder = os.path.join(root, video)
            paths = stems(folder, IMG_EXTENSIONS)
            self.note_unused(stems(folder, ('.json',)), paths, 'annotation files without an image')
            for frame, path in paths.items():
                extra: dict[str, Any] = {'video': video, 'frame': frame}
                ann_path = os.path.join(folder, f'{frame}.json')
                images.append(CrowdImage(f'{video}/{frame}', path, ann_path, video, extra))
        return images

    def read_points(self, image: CrowdImage) -> CrowdPoints:
        """Read the rectangles of the JSON file."""
        path = str(image.ann_path)
        return parse_via_json(read_text(path), path)
