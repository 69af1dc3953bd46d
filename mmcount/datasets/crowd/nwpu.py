"""NWPU-Crowd."""

import glob
import os
from typing import Any, ClassVar

import numpy as np

from mmcount.registry import DATASETS
from mmcount.utils.errors import AnnotationError

from ..formats.crowd_points import CrowdPoints, parse_location_list, parse_nwpu_json, read_annpoints_mat
from ..formats.images import IMG_EXTENSIONS
from ..formats.tables import read_text
from .crowd_dataset import CrowdDataset, CrowdImage
from .file_names import natural_key, stems

_LISTS = ('train', 'val', 'test')


@DATASETS.register_module()
class NWPUCrowd(CrowdDataset):
    """NWPU-Crowd: 3,109 + 500 + 1,500 images, 2,133,238 heads in all, with boxes; some images without people.

    Which image is in which part is decided by ``train.txt``, ``val.txt`` and ``test.txt``: the parts are not ranges of
    ids. The annotation of 'test' is not public, so its images have no points and no counts; predict on them with a
    pipeline without ``LoadCountAnnotations``.

    ``img_id`` is the id, such as '3110', as benchmark submissions want it. Further keys, where the lists have them:
    ``luminance`` and ``scene_level`` (int); with ``locations``, ``sigmas`` (N, 2) float32 (small and large, px) and
    ``levels`` (N,) int64.

    Args:
        data_root: The folder of ``images`` (or of the unpacked ``images_part*``), ``jsons`` or ``mats``, and the lists.
        locations: The list of true locations that the benchmark evaluates with (``val_gt_loc.txt`` of its sample
            code), relative to ``data_root``; its rows must be those of the annotation files, and its points replace
            theirs, from which they differ by rounding. With ``annotation_keys=('points', 'sigmas', 'levels')`` of
            `PackCountInputs`, `LocalizationMetric` then gives the numbers of the benchmark.
        **kwargs: As :class:`~mmcount.datasets.crowd.crowd_dataset.CrowdDataset`.

    Example:
        >>> dataset = NWPUCrowd(data_root='data/NWPU-Crowd', subset='val')  # doctest: +SKIP
        >>> len(dataset)  # doctest: +SKIP
        500
    """

    TITLE = 'NWPU-Crowd'
    HOMEPAGE = 'https://www.crowdbenchmark.com/nwpucrowd.html'
    LAYOUT = (
        'images/0001.jpg ... 5109.jpg (the content of all images_part*.zip)\n'
        'jsons/0001.json ... 3609.json (or mats/0001.mat ...)\n'
        'train.txt, val.txt, test.txt'
    )
    PUBLISHED: ClassVar[dict[str, int]] = {'train': 3109, 'val': 500, 'test': 1500}

    def __init__(self, data_root: str | os.PathLike = '', locations: str | None = None, **kwargs: Any) -> None:
        self.locations = locations
        self._located: dict[str, CrowdPoints] = {}
        super().__init__(data_root=data_root, **kwargs)

    def load_data_list(self) -> list[dict]:
        """Read the list of true locations, if there is one, and the images of the subset."""
        if self.locations is not None:
            file = self.path(self.locations)
            if not os.path.isfile(file):
                raise FileNotFoundError(self.help(f'list of true locations {file!r} does not exist'))
            self._located = parse_location_list(read_text(file), file)
        data_list = super().load_data_list()
        self._located = {}  # each worker would have a copy
        return data_list

    def needed_paths(self, part: str) -> list[str]:
        """The list of the part, a folder of images, and one of annotations."""
        folder = (self._image_folders() or [self.path('images')])[0]
        return [self.path(f'{part}.txt'), folder, *([] if part == 'test' else [self._ann_folder()])]

    def _image_folders(self) -> list[str]:
        folders = glob.glob(os.path.join(glob.escape(self.path('images_part')) + '*'))
        found = [self.path('images'), *sorted(folders, key=natural_key)]
        return [folder for folder in found if os.path.isdir(folder)]

    def _ann_folder(self) -> str:
        mats = self.path('mats')
        return mats if os.path.isdir(mats) and not os.path.isdir(self.path('jsons')) else self.path('jsons')

    def images_of(self, part: str) -> list[CrowdImage]:
        """The images of the list of the part."""
        paths: dict[str, str] = {}
        for folder in self._image_folders():
            paths = {**stems(folder, IMG_EXTENSIONS), **paths}
        folder = self._ann_folder()
        extension = '.mat' if folder.endswith('mats') else '.json'
        annotated = stems(folder, (extension,)) if os.path.isdir(folder) else {}
        listed = self._read_list(part)
        for other in _LISTS:
            if other != part and os.path.isfile(self.path(f'{other}.txt')):
                for name in sorted(listed.keys() & self._read_list(other).keys()):
                    self.findings.add(f'images of {part}.txt that are in {other}.txt too', 1, name)
        if part == self.parts_of(self.crowd_subset)[0]:  # the folder is that of all parts
            self.note_unused(annotated, paths, 'annotation files without an image')
        images = []
        for name in sorted(listed, key=natural_key):
            ann_path = annotated.get(name, None if part == 'test' else os.path.join(folder, name + extension))
            img_path = paths.get(name, self.path('images', f'{name}.jpg'))
            images.append(CrowdImage(name, img_path, ann_path, name, listed[name]))
        return images

    def _read_list(self, part: str) -> dict[str, dict[str, int]]:
        file = self.path(f'{part}.txt')
        found, repeated = parse_nwpu_list(read_text(file), file)
        if repeated:
            self.findings.add(f'lines of {part}.txt that repeat an earlier one', repeated, file)
        return found

    def image_id(self, image: CrowdImage) -> str:
        """The id of the benchmark."""
        return image.name

    def read_points(self, image: CrowdImage) -> CrowdPoints:
        """Read the JSON or ``.mat`` file, and join the list of true locations."""
        path = str(image.ann_path)
        heads = read_annpoints_mat(path) if path.endswith('.mat') else parse_nwpu_json(read_text(path), path)
        if self.locations is None:
            return heads
        file = self.path(self.locations)
        located = self._located.get(image.name)
        if located is None:
            raise AnnotationError(f'does not name image {image.name!r} of subset {self.crowd_subset!r}', file)
        if len(located.points) != len(heads.points):
            raise AnnotationError(
                f'lists {len(located.points)} heads of image {image.name!r}, but {path} has {len(heads.points)}', file
            )
        far = (np.abs(located.points - heads.points) > 1).any(axis=1)
        if far.any():
            index = int(far.argmax())
            raise AnnotationError(
                f'head {index} of image {image.name!r} is at {located.points[index].tolist()}, but in {path} at '
                f'{heads.points[index].tolist()}: the rows are not in the same order',
                file,
            )
        heads.points = located.points
        heads.attributes.update(located.attributes)
        return heads


def parse_nwpu_list(text: str, file: str = '') -> tuple[dict[str, dict[str, int]], int]:
    """Parse a list of images: ``id luminance scene_level`` or ``id`` a line.

    Scripts that append to the list repeat its lines; repeated lines are one image.

    Returns:
        For each id what is known of it, and how many lines repeat an earlier one.

    Raises:
        AnnotationError: A line is malformed, or an id is there twice with different values.

    Example:
        >>> parse_nwpu_list('0001 1 2' + chr(10) + '0001 1 2')
        ({'0001': {'luminance': 1, 'scene_level': 2}}, 1)
    """
    found: dict[str, dict[str, int]] = {}
    repeated = 0
    for line, row in enumerate(text.splitlines(), start=1):
        cells = row.split()
        if not cells:
            continue
        name, values = cells[0].removesuffix('.jpg'), cells[1:]
        try:
            extra = dict(zip(('luminance', 'scene_level'), map(int, values), strict=True)) if values else {}
        except ValueError:
            raise AnnotationError(f'{row[:80]!r}, expected an id, or id luminance scene_level', file, line) from None
        repeated += name in found
        if found.setdefault(name, extra) != extra:
            raise AnnotationError(f'image {name!r} is in the list twice, with different values', file, line)
    return found, repeated
