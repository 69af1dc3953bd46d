"""ShanghaiTech, parts A and B."""

import os
from typing import ClassVar

from mmcount.registry import DATASETS

from ..formats.crowd_points import CrowdPoints, read_shanghaitech_mat
from ..formats.images import IMG_EXTENSIONS
from .crowd_dataset import CrowdImage
from .file_names import stems
from .seeded_val import SeededValDataset

# the release and its mirrors differ
_ANN_FOLDERS = ('ground-truth', 'ground_truth')


class _ShanghaiTech(SeededValDataset):
    HOMEPAGE = 'https://github.com/desenzhou/ShanghaiTechDataset'
    LAYOUT = (
        'train_data/images/IMG_1.jpg ...\n'
        'train_data/ground-truth/GT_IMG_1.mat ... (or ground_truth)\n'
        'test_data/ ... likewise'
    )

    def needed_paths(self, part: str) -> list[str]:
        """Folder of the images and folder of the annotations."""
        return [self.path(f'{part}_data', 'images'), self._ann_folder(part)]

    def _ann_folder(self, part: str) -> str:
        folders = [self.path(f'{part}_data', name) for name in _ANN_FOLDERS]
        return next((folder for folder in folders if os.path.isdir(folder)), folders[0])

    def images_of(self, part: str) -> list[CrowdImage]:
        """``IMG_k.jpg`` with ``GT_IMG_k.mat``."""
        folder = self._ann_folder(part)
        paths = stems(self.path(f'{part}_data', 'images'), IMG_EXTENSIONS)
        self.note_unused(
            (name.removeprefix('GT_') for name in stems(folder, ('.mat',))), paths, 'annotation files without an image'
        )
        return [CrowdImage(name, path, os.path.join(folder, f'GT_{name}.mat'), name) for name, path in paths.items()]

    def read_points(self, image: CrowdImage) -> CrowdPoints:
        """Read ``image_info`` of the ``.mat`` file."""
        return read_shanghaitech_mat(str(image.ann_path))


@DATASETS.register_module()
class ShanghaiTechA(_ShanghaiTech):
    """ShanghaiTech part A: 300 + 182 images of dense crowds from the web, 241,677 heads in all, points only.

    There are no official validation images: 'val' is a seeded share of the 300, and 'trainval' all of them. Names are
    ``IMG_k`` in both parts, so ``img_id`` is the path below ``data_root``.

    Args:
        data_root: The folder ``part_A`` (in some copies ``part_A_final``).
        **kwargs: As :class:`~mmcount.datasets.crowd.seeded_val.SeededValDataset` and
            :class:`~mmcount.datasets.crowd.crowd_dataset.CrowdDataset`.

    Example:
        >>> dataset = ShanghaiTechA(data_root='data/ShanghaiTech/part_A', subset='test')  # doctest: +SKIP
        >>> len(dataset)  # doctest: +SKIP
        182
    """

    TITLE = 'ShanghaiTech part A'
    PUBLISHED: ClassVar[dict[str, int]] = {'train': 300, 'test': 182}


@DATASETS.register_module()
class ShanghaiTechB(_ShanghaiTech):
    """ShanghaiTech part B: 400 + 316 images of 1024x768 px of streets, 88,488 heads in all, points only.

    Like :class:`ShanghaiTechA`. The annotation of ``IMG_108`` of the training images is wrong;
    ``exclude=('IMG_108',)`` leaves it out.

    Args:
        data_root: The folder ``part_B`` (in some copies ``part_B_final``).
        **kwargs: As :class:`~mmcount.datasets.crowd.seeded_val.SeededValDataset` and
            :class:`~mmcount.datasets.crowd.crowd_dataset.CrowdDataset`.

    Example:
        >>> dataset = ShanghaiTechB(data_root='data/ShanghaiTech/part_B', subset='test')  # doctest: +SKIP
        >>> len(dataset)  # doctest: +SKIP
        316
    """

    TITLE = 'ShanghaiTech part B'
    PUBLISHED: ClassVar[dict[str, int]] = {'train': 400, 'test': 316}
    KNOWN_BAD: ClassVar[dict[str, tuple[str, ...]]] = {'train': ('IMG_108',)}
