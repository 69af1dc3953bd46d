"""Flaws of the annotated heads of crowd images, and their cures."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from mmcount.utils.errors import AnnotationError

from ..formats.crowd_points import CrowdPoints

OUTSIDE_RULES = ('keep', 'snap', 'clip', 'drop', 'error')
DUPLICATE_RULES = ('keep', 'drop', 'error')

#: What is subtracted from points and from boxes, for each place where (0, 0) or (1, 1) may be.
ORIGINS: Mapping[str, tuple[float, float]] = {'center': (0.0, 0.0), 'corner': (0.5, 0.0), 'one': (1.0, 1.0)}

# A point this far outside the image (px) is rounding of the labelling tool.
_NEAR = 1.0


@dataclass
class Finding:
    """Number and first example of a flaw.

    Attributes:
        number: Of heads, files or images, as its name says.
        images: Images that it was found in.
        example: The first of them.
    """

    number: int = 0
    images: int = 0
    example: str = ''


@dataclass
class Findings(Mapping):
    """Flaws of the annotation of a data set, by name.

    Example:
        >>> findings = Findings()
        >>> findings.add('heads outside of their image', 2, 'IMG_1.jpg')
        >>> findings['heads outside of their image'].number
        2
    """

    found: dict[str, Finding] = field(default_factory=dict)

    def add(self, name: str, number: int, example: str) -> None:
        """Count ``number`` more of ``name``, found in ``example``; zero is not recorded."""
        if number:
            one = self.found.setdefault(name, Finding(example=example))
            one.number += int(number)
            one.images += 1

    def number(self, name: str) -> int:
        """Return the number of ``name``, 0 if there is none."""
        return self.found[name].number if name in self.found else 0

    def __getitem__(self, name: str) -> Finding:
        return self.found[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    def lines(self) -> list[str]:
        """One sentence about each finding."""
        lines = []
        for name, one in self.found.items():
            where = '' if one.number == one.images else f', in {one.images} image{"s" * (one.images != 1)}'
            lines.append(f'{one.number} {name}{where}, e.g. {one.example}')
        return lines


OUTSIDE = 'heads outside of their image'
DUPLICATES = 'heads at the very place of an earlier one'
REVERSED = 'boxes with corners in reverse order, put right'
EMPTY_BOXES = 'boxes without area'
STATED = 'files that state another number of heads than they list (the list counts)'
TURNED = 'images that their heads would fit after an exchange of x and y (turned by EXIF?)'
# Both are of use together: they tell apart coordinates that begin at 0 and at 1.
FIRST = 'heads within half a pixel of 0'
LAST = 'heads within half a pixel of the width or the height'


def clean_points(
    heads: CrowdPoints,
    size: tuple[int, int],
    name: str,
    findings: Findings,
    outside: str = 'keep',
    duplicates: str = 'keep',
    origin: str = 'center',
) -> CrowdPoints:
    """Bring heads into the contract of the data sets, and note what was found.

    Boxes are never clipped, as a head's size would change.

    Args:
        heads: As the file has them.
        size: Height and width of the image, px.
        name: What messages call the image.
        findings: Gets what was found.
        outside: What becomes of heads outside of the image, which ends half a pixel beyond its outermost pixels'
            centres: 'keep' leaves them; 'snap' moves those up to one pixel outside onto the border and leaves the
            others; 'clip' moves all of them there; 'drop' leaves them out; 'error' raises.
        duplicates: What becomes of a head at exactly the place of an earlier one: 'keep', 'drop' or 'error'.
        origin: A key of :data:`ORIGINS`.

    Returns:
        Points and boxes as float32.

    Raises:
        AnnotationError: A head is outside, or a duplicate, and the rule says so.

    Example:
        >>> found = Findings()
        >>> clean_points(CrowdPoints(np.array([[3.0, 9.0]])), (8, 8), 'a', found, outside='clip').points.tolist()
        [[3.0, 7.499999523162842]]
        >>> found.lines()
        ['1 heads outside of their image, e.g. a']
    """
    of_points, of_boxes = ORIGINS[origin]
    points = heads.points - of_points
    if heads.stated is not None and heads.stated != len(points):
        findings.add(STATED, 1, f'{name} ({heads.stated} stated, {len(points)} listed)')
    keep = _duplicate_rule(points, name, findings, duplicates)
    points, inside = _outside_rule(points, size, name, findings, outside)
    keep &= inside
    boxes = None
    if heads.bboxes is not None:
        boxes = _ordered_boxes(heads.bboxes - of_boxes, name, findings)[keep].astype(np.float32)
    attributes = {key: values[keep] for key, values in heads.attributes.items()}
    return CrowdPoints(points[keep], boxes, heads.stated, attributes)


def _duplicate_rule(points: np.ndarray, name: str, findings: Findings, rule: str) -> np.ndarray:
    """Return (N,) bool: True for the heads that stay."""
    keep = np.ones(len(points), dtype=bool)
    if len(points):
        _, first = np.unique(points, axis=0, return_index=True)
        repeated = np.ones(len(points), dtype=bool)
        repeated[first] = False
        findings.add(DUPLICATES, int(repeated.sum()), name)
        if repeated.any() and rule == 'error':
            index = int(repeated.argmax())
            raise AnnotationError(f'head {index} is at {points[index].tolist()}, where an earlier one is', name)
        if rule == 'drop':
            keep = ~repeated
    return keep


def _outside_rule(
    points: np.ndarray, size: tuple[int, int], name: str, findings: Findings, rule: str
) -> tuple[np.ndarray, np.ndarray]:
    """Points as float32, and which of them stay, (N,) bool."""
    points = points.astype(np.float32)  # as everyone compares them later
    low, high = np.array([-0.5, -0.5]), np.array([size[1] - 0.5, size[0] - 0.5])
    outside = np.any((points < low) | (points >= high), axis=1)
    findings.add(OUTSIDE, int(outside.sum()), name)
    findings.add(FIRST, int(((points >= low) & (points < 0.5)).any(axis=1).sum()), name)
    findings.add(LAST, int(((points >= high) & (points <= high + 1)).any(axis=1).sum()), name)
    if not outside.any():
        return points, ~outside
    swapped = points[:, ::-1]
    findings.add(TURNED, int(((swapped >= low) & (swapped < high)).all()), name)
    if rule == 'error':
        index = int(outside.argmax())
        raise AnnotationError(
            f'head {index} is at {points[index].tolist()}, outside of the image of {size[1]}x{size[0]} px (width x '
            'height)',
            name,
        )
    far = ((points < low - _NEAR) | (points > high + _NEAR)).any(axis=1)
    to_move = {'snap': outside & ~far, 'clip': outside}.get(rule, np.zeros(len(points), dtype=bool))
    # the image's area is half open, so the last place inside is the float before its edge
    last = np.nextafter(high.astype(np.float32), np.float32(-1), dtype=np.float32)
    points[to_move] = np.clip(points[to_move], low.astype(np.float32), last)
    return points, ~outside if rule == 'drop' else np.ones(len(points), dtype=bool)


def _ordered_boxes(boxes: np.ndarray, name: str, findings: Findings) -> np.ndarray:
    low, high = np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])
    findings.add(REVERSED, int((boxes[:, :2] > boxes[:, 2:]).any(axis=1).sum()), name)
    findings.add(EMPTY_BOXES, int((low == high).any(axis=1).sum()), name)
    return np.concatenate([low, high], axis=1)
