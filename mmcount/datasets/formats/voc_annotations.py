"""PASCAL VOC's files: objects in XML, instances and classes in palette images, lists of image names."""

import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, UnidentifiedImageError

from mmcount.utils.errors import AnnotationError, did_you_mean

from .tables import read_text

VOID = 255


@dataclass
class VOCObjects:
    """The objects of one image.

    Attributes:
        bboxes: (N, 4) float32 xyxy px; an object covers the pixels from x1 to x2 - 1.
        labels: (N,) int64.
        difficult: (N,) bool.
        size: (height, width), or None where the file does not say it.
    """

    bboxes: np.ndarray = field(default_factory=lambda: np.zeros((0, 4), dtype=np.float32))
    labels: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    difficult: np.ndarray = field(default_factory=lambda: np.zeros(0, dtype=bool))
    size: tuple[int, int] | None = None


def read_voc_xml(path: str, labels: Mapping[str, int]) -> VOCObjects:
    """Read the objects of an annotation file.

    VOC numbers pixels from 1 and boxes include their last pixel, so (xmin, ymin, xmax, ymax) becomes
    (xmin - 1, ymin - 1, xmax, ymax). Parts of persons (head, hand, foot) are not objects.

    Args:
        path: The file.
        labels: Class name to label.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: It is no XML, or an object has no known class or no proper box; the message names the object.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except FileNotFoundError:
        raise FileNotFoundError(f'annotation file {path!r} does not exist') from None
    except ElementTree.ParseError as error:
        raise AnnotationError(f'is no well-formed XML ({error})', path, error.position[0]) from error
    boxes, kinds, difficult = [], [], []
    for index, element in enumerate(root.findall('object')):
        name = (element.findtext('name') or '').strip()
        if name not in labels:
            hint = did_you_mean(name, labels)
            raise AnnotationError(f'object {index} is of class {name!r}, expected one of {tuple(labels)}{hint}', path)
        boxes.append(_box(element, f'object {index} ({name})', path))
        kinds.append(labels[name])
        difficult.append((element.findtext('difficult') or '0').strip() == '1')
    return VOCObjects(
        bboxes=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        labels=np.array(kinds, dtype=np.int64),
        difficult=np.array(difficult, dtype=bool),
        size=_size(root),
    )


def _box(element: ElementTree.Element, what: str, path: str) -> list[float]:
    texts = [element.findtext(f'bndbox/{key}') for key in ('xmin', 'ymin', 'xmax', 'ymax')]
    try:
        x1, y1, x2, y2 = (float(text or 'nothing') for text in texts)
    except ValueError:
        raise AnnotationError(f'the bndbox of {what} is {texts}, expected xmin, ymin, xmax, ymax', path) from None
    if not all(map(math.isfinite, (x1, y1, x2, y2))) or x2 < x1 or y2 < y1:
        raise AnnotationError(f'the bndbox of {what} is {texts}, expected xmin <= xmax and ymin <= ymax', path)
    return [x1 - 1, y1 - 1, x2, y2]


def _size(root: ElementTree.Element) -> tuple[int, int] | None:
    height, width = (root.findtext(f'size/{key}') or '' for key in ('height', 'width'))
    # some tools write 0 where they did not look
    return (int(height), int(width)) if height.isdecimal() and width.isdecimal() and int(height) * int(width) else None


def read_voc_list(path: str) -> list[tuple[str, int]]:
    """Read image names, the first word of each line; the lists of one class have a label in the second.

    Returns:
        (name, line number) in file order.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: The list is empty or names an image twice.
    """
    first_lines: dict[str, int] = {}
    for line, words in enumerate((raw.split() for raw in read_text(path, 'list of images').splitlines()), start=1):
        if not words:
            continue
        if words[0] in first_lines:
            raise AnnotationError(f'image {words[0]!r} is already on line {first_lines[words[0]]}', path, line)
        first_lines[words[0]] = line
    return list(first_lines.items())


def read_index_image(path: str) -> np.ndarray:
    """Read a palette (or grey) image as its indices.

    Returns:
        Shape (H, W), uint8.

    Raises:
        FileNotFoundError: The file does not exist.
        AnnotationError: The file cannot be read or holds colours.
    """
    try:
        with Image.open(path) as image:
            if image.mode not in ('P', 'L'):
                raise AnnotationError(f'has pixels of kind {image.mode}, expected a palette image of indices', path)
            return np.array(image)
    except FileNotFoundError:
        raise FileNotFoundError(f'segmentation image {path!r} does not exist') from None
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise AnnotationError(f'cannot be read as an image ({error})', path) from error


def split_instances(
    instances: np.ndarray, classes: np.ndarray, num_classes: int, file: str = ''
) -> tuple[list[np.ndarray], np.ndarray, np.ndarray]:
    """Separate the instances of a pair of VOC segmentation images.

    Args:
        instances: (H, W), 0 for background, 255 for void, else the number of the instance.
        classes: (H, W), 0 for background, 255 for void, else label + 1.
        num_classes: C.
        file: The file, for messages.

    Returns:
        N masks (H, W) bool, labels (N,) int64, and the void pixels (H, W) bool.

    Raises:
        AnnotationError: The images differ in size, or an instance has no class.

    Example:
        >>> masks, labels, void = split_instances(np.array([[1, 2, 255]]), np.array([[3, 3, 255]]), 20)
        >>> [mask.tolist() for mask in masks], labels.tolist(), void.tolist()
        ([[[True, False, False]], [[False, True, False]]], [2, 2], [[False, False, True]])
    """
    if instances.shape != classes.shape:
        raise AnnotationError(f'is {instances.shape} (height, width), but its image of classes {classes.shape}', file)
    masks, labels = [], []
    for number in np.unique(instances):
        if number in (0, VOID):
            continue
        mask = instances == number
        votes = np.bincount(classes[mask], minlength=VOID + 1)
        votes[[0, VOID]] = 0
        label = int(votes.argmax()) - 1
        if not votes.any() or label >= num_classes:
            raise AnnotationError(
                f'instance {number} has the class indices {np.unique(classes[mask]).tolist()}, expected one of '
                f'1..{num_classes}',
                file,
            )
        masks.append(mask)
        labels.append(label)
    return masks, np.array(labels, dtype=np.int64), instances == VOID


def mask_boxes(masks: list[np.ndarray]) -> np.ndarray:
    """Smallest boxes around masks that are not empty.

    Returns:
        Shape (N, 4), float32 xyxy px (edges).

    Example:
        >>> mask_boxes([np.array([[0, 1, 1], [0, 0, 1]])]).tolist()
        [[1.0, 0.0, 3.0, 2.0]]
    """
    boxes = np.zeros((len(masks), 4), dtype=np.float32)
    for box, mask in zip(boxes, masks, strict=True):
        rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
        box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes


def segmentation_train_names(
    trainval: list[str], sbd: list[str], seg_train: list[str], seg_val: list[str]
) -> tuple[list[str], list[str]]:
    """Choose the images that weakly supervised segmentation on VOC 2012 is trained on.

    They are the images of ``Main/trainval`` that SBD (Hariharan et al., Semantic Contours from Inverse Detectors,
    ICCV 2011) annotates too, and those of ``Segmentation/train``, without any of ``Segmentation/val``: 10,582 with the
    published lists.

    Args:
        trainval: ``ImageSets/Main/trainval.txt``.
        sbd: All images of SBD, training and validation.
        seg_train: ``ImageSets/Segmentation/train.txt``.
        seg_val: ``ImageSets/Segmentation/val.txt``.

    Returns:
        The names from the first rule and the names that only the second adds, each sorted.

    Example:
        >>> segmentation_train_names(['a', 'b', 'c'], ['b', 'c', 'x'], ['d', 'b'], ['c'])
        (['b'], ['d'])
    """
    first = (set(trainval) & set(sbd)) - set(seg_val)
    return sorted(first), sorted(set(seg_train) - set(seg_val) - first)
