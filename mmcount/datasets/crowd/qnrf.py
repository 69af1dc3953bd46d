"""UCF-QNRF."""

from typing import Any, ClassVar

from mmcount.registry import DATASETS

from ..formats.crowd_points import CrowdPoints, read_annpoints_mat
from ..formats.images import IMG_EXTENSIONS
from .crowd_dataset import CrowdImage
from .file_names import stems
from .seeded_val import SeededValDataset

_ANN_SUFFIX = '_ann'


@DATASETS.register_module()
class UCFQNRF(SeededValDataset):
    """UCF-QNRF: 1,201 + 334 large images of dense crowds, 1,251,642 heads in all, points only.

    There are no official validation images: 'val' is a seeded share of the 1,201, and 'trainval' all of them. Names
    repeat in both parts, so ``img_id`` is the path below ``data_root``.

    Args:
        data_root: The folder ``UCF-QNRF_ECCV18``.
        num_val: Validation images, or their share; published code takes 0.2.
        **kwargs: As :class:`~mmcount.datasets.crowd.seeded_val.SeededValDataset` and
            :class:`~mmcount.datasets.crowd.crowd_dataset.CrowdDataset`.

    Example:
        >>> dataset = UCFQNRF(data_root='data/UCF-QNRF_ECCV18', subset='test')  # doctest: +SKIP
        >>> len(dataset)  # doctest: +SKIP
        334
    """

    TITLE = 'UCF-QNRF'
    HOMEPAGE = 'https://www.crcv.ucf.edu/data/ucf-qnrf/'
    LAYOUT = 'Train/img_0001.jpg ... and Train/img_0001_ann.mat ...\nTest/ ... likewise'
    PUBLISHED: ClassVar[dict[str, int]] = {'train': 1201, 'test': 334}

    def __init__(self, data_root: Any = '', num_val: int | float = 0.2, **kwargs: Any) -> None:
        super().__init__(data_root=data_root, num_val=num_val, **kwargs)

    def needed_paths(self, part: str) -> list[str]:
        """The folder of images and annotations."""
        return [self.path(part.capitalize())]

    def images_of(self, part: str) -> list[CrowdImage]:
        """``img_0001.jpg`` with ``img_0001_ann.mat``."""
        folder = self.path(part.capitalize())
        paths = stems(folder, IMG_EXTENSIONS)
        annotated = (name.removesuffix(_ANN_SUFFIX) for name in stems(folder, ('.mat',)))
        self.note_unused(annotated, paths, 'annotation files without an image')
        return [
            CrowdImage(name, path, self.path(part.capitalize(), f'{name}{_ANN_SUFFIX}.mat'), name)
            for name, path in paths.items()
        ]

    def read_points(self, image: CrowdImage) -> CrowdPoints:
        """Read ``annPoints`` of the ``.mat`` file."""
        return read_annpoints_mat(str(image.ann_path))
