"""Data sets annotated by dots: one marked pixel per object, in an image beside the photo."""

import logging
import os
import posixpath
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from mmengine.logging import print_log

from mmcount.registry import DATASETS
from mmcount.utils.errors import AnnotationError

from .count_dataset import CountDataset
from .formats.dots import (
    blob_points,
    check_dot_colours,
    colour_points,
    describe_blobs,
    describe_marks,
    dot_mask,
    label_points,
    mask_points,
    read_dot_image,
)
from .formats.images import image_size, list_images

MARKS = ('dots', 'pixels', 'blobs', 'labels')


@DATASETS.register_module()
class DotImageDataset(CountDataset):
    """Photos and, for each, an image of the same size in which every dot pixel is one object.

    Every marked pixel counts, so objects whose dots touch stay two objects; dots must therefore be one pixel large, and
    areas are refused unless ``marks`` says what they are.
    An annotation image without any dot is an image with zero objects; a missing annotation image is an error.

    Args:
        img_suffix: End of the photos' names, e.g. 'cell.png'; empty for every image file.
        ann_suffix: What replaces ``img_suffix`` (or, where that is empty, the extension) in the annotation's name;
            empty where photo and annotation have the same name in two folders.
        data_prefix: Folders ``img`` and ``ann`` below ``data_root``; sub-folders are searched too.
        dot_rule: Which pixels are dots: 'red' (red above 127), 'red>t', 'value>t' (brightest channel) or 'nonzero'.
            JPEG files need a threshold, since compression leaves no exact zeros.
        dot_colors: Class to (r, g, b), for several classes in one annotation image; replaces ``dot_rule``.
        color_tolerance: Largest difference to a class's colour in any channel.
        marks: What one object is: 'dots', one pixel, and areas are an error; 'pixels', one pixel, whatever touches;
            'blobs', a group of pixels that touch (objects that touch are then one); 'labels', one value of a label
            mask, 0 being background. The object is at the centre of mass. The last two know one class.
        max_dot_fraction: More dots than this part of the pixels is an error: the rule does not fit the file.
        **kwargs: As :class:`CountDataset`.

    Raises:
        ValueError: The rule or the colours are wrong; photos and annotations cannot be told apart.
        FileNotFoundError: No photo was found, or a photo has no annotation file (both are named).
        AnnotationError: An annotation has another size than its photo, no image has a dot though some have marks, or
            almost everything in it is a dot.
    """

    METAINFO: ClassVar[dict] = {'classes': ('object',), 'palette': [(220, 20, 60)]}

    def __init__(
        self,
        img_suffix: str = '',
        ann_suffix: str = '',
        data_prefix: Mapping | None = None,
        dot_rule: str = 'red',
        dot_colors: Mapping[str, Sequence[int]] | None = None,
        color_tolerance: int = 40,
        marks: str = 'dots',
        max_dot_fraction: float = 0.5,
        metainfo: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        prefix = {'img': '', 'ann': '', **(data_prefix or {})}
        if img_suffix == ann_suffix and posixpath.normpath(prefix['img']) == posixpath.normpath(prefix['ann']):
            raise ValueError(
                'photos and annotations have the same names in the same folder; give img_suffix and ann_suffix, or '
                "data_prefix=dict(img='images', ann='annotations')"
            )
        if marks not in MARKS:
            raise ValueError(f'marks must be one of {MARKS}, got {marks!r}')
        if dot_colors is not None and marks in ('blobs', 'labels'):
            raise ValueError(f"marks={marks!r} knows one class: drop dot_colors, or draw dots and give marks='dots'")
        self.marks = marks
        dot_mask(np.zeros((1, 1), np.uint8), dot_rule)
        if dot_colors is not None:
            check_dot_colours(dot_colors, color_tolerance)
            metainfo = self._classes_of_colours(dot_colors, metainfo)
        self.img_suffix, self.ann_suffix = img_suffix, ann_suffix
        self.dot_rule, self.dot_colors, self.color_tolerance = dot_rule, dot_colors, color_tolerance
        self.max_dot_fraction = max_dot_fraction
        super().__init__(data_prefix=prefix, metainfo=metainfo, **kwargs)

    @classmethod
    def _classes_of_colours(cls, dot_colors: Mapping[str, Sequence[int]], metainfo: Mapping | None) -> dict:
        given = {'classes': tuple(dot_colors), **(metainfo or {})}
        classes = cls._load_metainfo({'classes': given['classes']})['classes']
        if classes != tuple(dot_colors):
            raise ValueError(
                f'metainfo classes {classes} must be the classes of dot_colors {tuple(dot_colors)}, in this order'
            )
        palette = [tuple(colour) for colour in dot_colors.values()]
        return {'palette': palette, **given}

    def pair_names(self, names: Sequence[str], ann_names: Sequence[str]) -> list[tuple[str, str]]:
        """Pair photos with annotations by name.

        Args:
            names: Image files in the photo folder, relative to it.
            ann_names: Image files in the annotation folder, relative to it.

        Returns:
            (photo, annotation) names, in the order of ``names``; the annotation may not exist.
        """
        same_folder = os.path.abspath(self.data_prefix['img']) == os.path.abspath(self.data_prefix['ann'])
        pairs = []
        for name in names:
            is_annotation = same_folder and self.ann_suffix and name.endswith(self.ann_suffix)
            if not name.endswith(self.img_suffix) or (is_annotation and not self.img_suffix):
                continue
            if not self.ann_suffix:
                pairs.append((name, name))
            elif self.img_suffix:
                pairs.append((name, name[: -len(self.img_suffix)] + self.ann_suffix))
            else:
                pairs.append((name, posixpath.splitext(name)[0] + self.ann_suffix))
        return pairs

    def load_data_list(self) -> list[dict]:
        """Read every annotation image."""
        img_dir, ann_dir = self.data_prefix['img'], self.data_prefix['ann']
        names, ann_names = list_images(img_dir), list_images(ann_dir)
        pairs = self.pair_names(names, ann_names)
        if not pairs:
            raise FileNotFoundError(
                f'{type(self).__name__}: no photo below {img_dir!r} ({len(names)} image files there, '
                f'img_suffix={self.img_suffix!r})'
            )
        known = set(ann_names)
        self._unfit: list[tuple[str, str]] = []
        data_list = []
        for name, ann_name in pairs:
            img_path, ann_path = os.path.join(img_dir, name), os.path.join(ann_dir, ann_name)
            if ann_name not in known:
                raise FileNotFoundError(
                    f'{img_path}: its annotation {ann_path} does not exist; an image without objects needs an '
                    'annotation image without dots'
                )
            data_list.append(self._read_pair(img_path, ann_path))
        self._check_unfit(data_list)
        self._warn_unused(pairs, ann_names)
        return data_list

    def _read_pair(self, img_path: str, ann_path: str) -> dict:
        height, width = image_size(img_path)
        pixels = read_dot_image(ann_path)
        if pixels.shape[:2] != (height, width):
            raise AnnotationError(
                f'the dot image is {pixels.shape[1]}x{pixels.shape[0]} px (width x height), but its photo {img_path} '
                f'is {width}x{height} px',
                ann_path,
            )
        if self.dot_colors is not None:
            points, labels = colour_points(pixels, self.dot_colors, self.color_tolerance)
            mask = np.zeros((height, width), bool)
            mask[tuple(points[:, ::-1].astype(int).T)] = True
            self._check_dots(pixels, mask, ann_path)
        else:
            if self.dot_rule == 'nonzero' and ann_path.lower().endswith(('.jpg', '.jpeg')):
                raise AnnotationError(
                    "dot_rule='nonzero' cannot read a JPEG, whose background is not exactly zero; use 'value>127'",
                    ann_path,
                )
            points = self._points(pixels, ann_path)
            labels = np.zeros(len(points), dtype=np.int64)
        marks = '' if len(points) else describe_marks(pixels, ann_path)
        if marks:
            self._unfit.append((ann_path, marks))
        if len(points) > self.max_dot_fraction * height * width:
            raise AnnotationError(
                f'{len(points)} of {height * width} pixels would be dots (more than '
                f'max_dot_fraction={self.max_dot_fraction}): the rule does not fit this file, or it is inverted',
                ann_path,
            )
        return {
            'img_path': img_path,
            'img_id': self.make_img_id(img_path),
            'height': height,
            'width': width,
            'points': points,
            'labels': labels,
        }

    def _points(self, pixels: np.ndarray, ann_path: str) -> np.ndarray:
        """(N, 2) float32 points of one class, as ``marks`` says what an object is."""
        if self.marks == 'labels':
            try:
                return label_points(pixels)
            except ValueError as error:
                raise AnnotationError(f"{error}, which marks='labels' cannot read", ann_path) from None
        mask = dot_mask(pixels, self.dot_rule)
        if self.marks == 'blobs':
            return blob_points(mask)
        self._check_dots(pixels, mask, ann_path)
        return mask_points(mask)

    def _check_dots(self, pixels: np.ndarray, mask: np.ndarray, ann_path: str) -> None:
        """Refuse areas where dots are expected."""
        if self.marks == 'dots' and mask.sum() <= self.max_dot_fraction * mask.size:
            blobs = describe_blobs(mask)
            if blobs:
                values = len(np.unique(pixels[mask], axis=0))
                raise AnnotationError(
                    f'{blobs} with {values} different value{"s" if values > 1 else ""}: these are areas or a label '
                    "mask, not dots of one pixel; give marks='blobs' to count groups, marks='labels' to count values "
                    "(both of one class), or marks='pixels' if each pixel is an object",
                    ann_path,
                )

    def _check_unfit(self, data_list: Sequence[dict]) -> None:
        """Name marks that fit no rule: an error if no image has a dot, a warning otherwise."""
        if not self._unfit:
            return
        path, marks = self._unfit[0]
        rule = f'dot_rule={self.dot_rule!r}' if self.dot_colors is None else f'dot_colors={dict(self.dot_colors)}'
        message = (
            f'{marks}, but none fits {rule}, so that the image would count zero ({len(self._unfit)} of '
            f"{len(data_list)} annotation images); give a dot_rule that fits, such as 'nonzero'"
        )
        if not any(len(info['points']) for info in data_list):
            raise AnnotationError(message, path)
        print_log(f'{path}: {message}', logger='current', level=logging.WARNING)

    def _warn_unused(self, pairs: Sequence[tuple[str, str]], ann_names: Sequence[str]) -> None:
        used = {name for pair in pairs for name in pair}
        unused = [name for name in ann_names if name not in used]
        if unused:
            print_log(
                f'{type(self).__name__}: {len(unused)} image files below {self.data_prefix["ann"]!r} belong to no '
                f'photo, e.g. {unused[0]!r}',
                logger='current',
                level=logging.WARNING,
            )


@DATASETS.register_module()
class VGGCells(DotImageDataset):
    """The 200 synthetic fluorescence images of the VGG cells data set: ``NNNcell.png`` with ``NNNdots.png``.

    256x256 px, 175.96 +- 61.24 cells per image, 35,192 in total. 445 groups of dots touch, so connected components
    would lose 451 cells.
    """

    METAINFO: ClassVar[dict] = {'classes': ('cell',), 'palette': [(220, 20, 60)]}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{'img_suffix': 'cell.png', 'ann_suffix': 'dots.png', 'dot_rule': 'red', **kwargs})


@DATASETS.register_module()
class MBMCells(DotImageDataset):
    """The 44 bone marrow images of MBM: ``<slide>_<part>.png`` with ``<slide>_dots_<part>.png`` (1 bit).

    600x600 px, 126.20 +- 33.13 nuclei per image, 5,553 in total. The parts of one slide are quarters of one picture,
    so a random split puts neighbours on both sides.
    """

    METAINFO: ClassVar[dict] = {'classes': ('cell nucleus',), 'palette': [(220, 20, 60)]}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{'img_suffix': '.png', 'ann_suffix': '_dots.png', 'dot_rule': 'nonzero', **kwargs})

    def pair_names(self, names: Sequence[str], ann_names: Sequence[str]) -> list[tuple[str, str]]:
        """Pair ``<slide>_<part>.png`` with ``<slide>_dots_<part>.png``."""
        pairs = []
        for name in names:
            head, _, part = name.rpartition('_')
            if name.endswith('.png') and head and '_dots' not in posixpath.basename(name):
                pairs.append((name, f'{head}_dots_{part}'))
        return pairs


@DATASETS.register_module()
class AdipocyteCells(DotImageDataset):
    """The 200 human adipose tissue images (GTEx): ``images/NAME.jpeg`` with ``annotations/NAME.jpeg``.

    150x150 px, 155.09 +- 35.86 adipocytes per image, 31,017 in total. The dots are red in JPEGs of quality 100, where
    any threshold between 64 and 250 reads the same dots.
    """

    METAINFO: ClassVar[dict] = {'classes': ('adipocyte',), 'palette': [(220, 20, 60)]}

    def __init__(self, **kwargs: Any) -> None:
        prefix = {'img': 'images', 'ann': 'annotations'}
        super().__init__(**{'data_prefix': prefix, 'dot_rule': 'red', **kwargs})
