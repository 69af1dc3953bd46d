"""Base of the crowd data sets: official parts, checks, and errors that say what to download."""

import logging
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from mmengine.logging import print_log

from mmcount.utils.errors import AnnotationError, did_you_mean

from ..count_dataset import CountDataset
from ..formats.crowd_points import CrowdPoints
from ..formats.images import image_size
from .boxes_file import BoxesFile
from .checks import DUPLICATE_RULES, FIRST, LAST, ORIGINS, OUTSIDE_RULES, Findings, clean_points

SUBSETS = ('train', 'val', 'trainval', 'test')
MISSING_RULES = ('error', 'skip')


@dataclass(frozen=True)
class CrowdImage:
    """One image of a crowd data set and its files.

    Attributes:
        name: What users call it, such as 'IMG_1' or '3110'; the same for image and annotation.
        img_path: The image file.
        ann_path: Its annotation file; None if none was published.
        group: Images of one group are never divided by a seeded split.
        extra: What else is known of the image; goes into its dict.
    """

    name: str
    img_path: str
    ann_path: str | None
    group: str
    extra: dict[str, Any] = field(default_factory=dict)


class CrowdDataset(CountDataset):
    """Base of the crowd data sets, each read from its original files.

    Of every image there are ``points`` (N, 2), ``labels`` (all 0: 'head'), ``height`` and ``width``, and, where the
    set has them and ``with_boxes`` asks for them, ``bboxes`` (N, 4); further keys are named by each data set. By
    default nothing is changed: heads outside of the image and repeated ones are counted, as the authors of the sets
    count them. What was found is in :attr:`findings` and in one warning each.

    Args:
        data_root: The folder of the data set as it was downloaded.
        subset: 'train', 'val', 'trainval' or 'test'.
        outside: What becomes of heads outside of the image: 'keep', 'snap', 'clip', 'drop' or 'error', see
            :func:`mmcount.datasets.crowd.checks.clean_points`. Kept ones take no part in training (no transform shows
            their place) and in full in evaluation.
        duplicates: What becomes of a head at exactly the place of an earlier one: 'keep', 'drop' or 'error'.
        origin: 'center' where (0, 0) is the centre of the first pixel; 'corner' where it is its outer corner; 'one'
            where the centre of the first pixel is (1, 1), as MATLAB counts. The data sets do not say which it is;
            published code and the lists that benchmarks evaluate with take the coordinates as they are, which is the
            default.
        with_boxes: Read boxes where there are any.
        boxes_file: A table ``image,x,y,x1,y1,x2,y2`` (relative to ``data_root``) with a box for every head, in place of
            those of the data set: pseudo boxes for sets that have none, see
            ``tools/dataset_converters/pseudo_boxes.py``. Images are called by their path below ``data_root``.
        exclude: Names of images to leave out, after any split.
        on_missing: 'error', or 'skip' to leave out images whose files are not there (a part of a download).
        **kwargs: As :class:`CountDataset`, without ``split``.

    Raises:
        FileNotFoundError: The folder, a list, or files of an image do not exist; says what to download and where to
            put it.
        AnnotationError: An annotation file is malformed; names file and entry.
        ValueError: An argument is wrong.
    """

    METAINFO: ClassVar[dict] = {'classes': ('head',), 'palette': [(220, 20, 60)]}

    TITLE: ClassVar[str] = ''
    HOMEPAGE: ClassVar[str] = ''
    #: What ``data_root`` holds, for messages.
    LAYOUT: ClassVar[str] = ''
    #: Number of images of the official parts.
    PUBLISHED: ClassVar[dict[str, int]] = {}
    #: Images with a wrong annotation that is known of, by official part.
    KNOWN_BAD: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __init__(
        self,
        data_root: str | os.PathLike = '',
        subset: str = 'train',
        outside: str = 'keep',
        duplicates: str = 'keep',
        origin: str = 'center',
        with_boxes: bool = True,
        boxes_file: str | None = None,
        exclude: Sequence[str] = (),
        on_missing: str = 'error',
        **kwargs: Any,
    ) -> None:
        for name, value, known in (
            ('subset', subset, SUBSETS),
            ('outside', outside, OUTSIDE_RULES),
            ('duplicates', duplicates, DUPLICATE_RULES),
            ('origin', origin, tuple(ORIGINS)),
            ('on_missing', on_missing, MISSING_RULES),
        ):
            if value not in known:
                raise ValueError(f'{name} must be one of {known}, got {value!r}')
        if kwargs.get('split') is not None:
            raise ValueError(f'{type(self).__name__} has its own parts: choose one by subset, and drop split')
        if isinstance(exclude, str):
            raise ValueError(f'exclude must be a sequence of names, got {exclude!r}; write exclude=({exclude!r},)')
        if boxes_file is not None and not with_boxes:
            raise ValueError(f'boxes_file={boxes_file!r} gives boxes, which with_boxes=False leaves out: drop one')
        self.boxes_file = boxes_file
        self._boxes: BoxesFile | None = None
        self.outside, self.duplicates, self.origin = outside, duplicates, origin
        self.with_boxes, self.exclude, self.on_missing = with_boxes, tuple(exclude), on_missing
        self.crowd_subset = subset
        self.findings = Findings()
        super().__init__(data_root=data_root, **kwargs)

    # What a data set has to say -------------------------------------------------------------------------------------

    def needed_paths(self, part: str) -> list[str]:
        """Files and folders without which an official part cannot be read."""
        raise NotImplementedError

    def images_of(self, part: str) -> list[CrowdImage]:
        """The images of an official part in the order of their names, whether or not their files exist."""
        raise NotImplementedError

    def read_points(self, image: CrowdImage) -> CrowdPoints:
        """Read the annotation file of an image."""
        raise NotImplementedError

    def parts_of(self, subset: str) -> tuple[str, ...]:
        """The official parts that a subset is taken from."""
        return {'trainval': ('train', 'val')}.get(subset, (subset,))

    def choose(self, images: list[CrowdImage]) -> list[CrowdImage]:
        """The images of the subset, out of those of its parts."""
        return images

    # What is the same for all ---------------------------------------------------------------------------------------

    def path(self, *names: str) -> str:
        """A path below ``data_root``."""
        return os.path.join(self.data_root or '', *names)

    def load_data_list(self) -> list[dict]:
        """Find the images of the subset and read their annotations."""
        self.findings = Findings()
        self._boxes = None if self.boxes_file is None else BoxesFile(self.path(self.boxes_file))
        images: list[CrowdImage] = []
        for part in self.parts_of(self.crowd_subset):
            for path in self.needed_paths(part):
                if not os.path.exists(path):
                    raise FileNotFoundError(self.help(f'{path!r} does not exist'))
            found = self.images_of(part)
            published = self.PUBLISHED.get(part, len(found))
            if len(found) != published:
                self.warn(f'{len(found)} images in {part}, the published set has {published}')
            images += found
        self._warn_of_names(images)
        images = [image for image in self.choose(images) if image.name not in self.exclude]
        data_list = [self._info(image) for image in self._present(images)]
        self._boxes = None  # each worker would have a copy
        self._report()
        return data_list

    def help(self, problem: str) -> str:
        """A message about what is missing, with what there is and what there should be."""
        root = self.data_root or '.'
        there = sorted(os.listdir(root))[:10] if os.path.isdir(root) else 'no such folder'
        return (
            f'{self.TITLE}: {problem}. In data_root={root!r} there is: {there}. Download the data set from '
            f'{self.HOMEPAGE} and set data_root to the folder that holds\n{self.LAYOUT}'
        )

    def warn(self, message: str) -> None:
        """Log a warning about the data."""
        print_log(f'{self.TITLE} ({self.crowd_subset}): {message}', logger='current', level=logging.WARNING)

    def note_unused(self, names: Iterable[str], used: Iterable[str], what: str) -> None:
        """Record the files that belong to no image, or the images that nothing names."""
        unused = sorted(set(names) - set(used))
        if unused:
            self.findings.add(what, len(unused), unused[0])

    def _warn_of_names(self, images: Sequence[CrowdImage]) -> None:
        """Warn of names to exclude that do not exist, and of images that had better be excluded."""
        names = {image.name for image in images}
        for name in self.exclude:
            if name not in names:
                self.warn(f'exclude names {name!r}, which does not exist{did_you_mean(name, names)}')
        for part in self.parts_of(self.crowd_subset):
            for name in self.KNOWN_BAD.get(part, ()):
                if name in names and name not in self.exclude:
                    self.warn(f'{name} is known to have a wrong annotation; exclude=({name!r},) leaves it out')

    def _present(self, images: list[CrowdImage]) -> list[CrowdImage]:
        """The images whose files exist; raises about the others, or leaves them out."""
        missing = [
            (image, path)
            for image in images
            for path in (image.img_path, image.ann_path)
            if path is not None and not os.path.isfile(path)
        ]
        if not missing:
            return images
        lost = {image.name for image, _ in missing}
        message = (
            f'{len(missing)} files of {len(lost)} of the {len(images)} images of subset {self.crowd_subset!r} do not '
            f'exist, e.g. {missing[0][1]!r}'
        )
        if self.on_missing == 'error' or len(lost) == len(images):
            raise FileNotFoundError(self.help(f"{message} (on_missing='skip' leaves these images out)"))
        self.warn(f'{message}; these images are left out')
        return [image for image in images if image.name not in lost]

    def _info(self, image: CrowdImage) -> dict[str, Any]:
        height, width = image_size(image.img_path)
        info = {
            'img_path': image.img_path,
            'img_id': self.image_id(image),
            'height': height,
            'width': width,
            **image.extra,
        }
        if image.ann_path is None:
            return {**info, 'unlabelled': True}
        heads = self.read_points(image)
        if self._boxes is not None:
            of_points, of_boxes = ORIGINS[self.origin]
            name = self.make_img_id(image.img_path)
            heads.bboxes = self._boxes.boxes_of(name, heads.points - of_points) + of_boxes
        if heads.bboxes is not None and len(heads.bboxes) != len(heads.points):
            if self.with_boxes:
                raise AnnotationError(
                    f'{len(heads.points)} points but {len(heads.bboxes)} boxes, expected one each; with_boxes=False '
                    'reads the points alone',
                    image.ann_path,
                )
            heads.bboxes = None
        heads = clean_points(
            heads, (height, width), image.ann_path, self.findings, self.outside, self.duplicates, self.origin
        )
        info.update(points=heads.points, labels=np.zeros(len(heads.points), dtype=np.int64), **heads.attributes)
        if heads.bboxes is not None and self.with_boxes:
            info['bboxes'] = heads.bboxes
        self.findings.add('images without heads', int(not len(heads.points)), image.name)
        return info

    def image_id(self, image: CrowdImage) -> str:
        """Return the id of an image in predictions: its path below ``data_root``, as names repeat in some sets."""
        return self.make_img_id(image.img_path)

    def _report(self) -> None:
        first, last = self.findings.number(FIRST), self.findings.number(LAST)
        if last and not first and self.origin != 'one':
            self.warn(
                f'{last} {LAST}, and none within half a pixel of 0: coordinates may begin at 1, which '
                "origin='one' corrects"
            )
        for line in self.findings.lines():
            if not line.split(' ', 1)[1].startswith((FIRST, LAST)):
                self.warn(f'{line} (outside={self.outside!r}, duplicates={self.duplicates!r})')
