"""The two ways in which COCO's validation images were halved for counting."""

from collections.abc import Mapping, Sequence
from typing import Any

from mmcount.utils.errors import AnnotationError

from .tables import read_image_list

SPLIT_RULES = ('cev', 'countseg')
HALVES = ('val', 'test')


def image_order(content: Mapping[str, Any], rule: str | None) -> list[int]:
    """Order the images as a split rule does; under 'countseg' images without annotation are left out.

    Args:
        content: From :func:`mmcount.utils.coco_json.read_coco`.
        rule: None for the order of the file; 'cev' for ascending ids (Chattopadhyay et al., Counting Everyday Objects
            in Everyday Scenes, CVPR 2017); 'countseg' for the order in which ids first appear among the annotations
            (Cholakkal et al., CVPR 2019, as released).

    Returns:
        Image ids.

    Example:
        >>> content = dict(images=[dict(id=2), dict(id=1), dict(id=3)])
        >>> content['annotations'] = [dict(image_id=3), dict(image_id=2), dict(image_id=3)]
        >>> image_order(content, None), image_order(content, 'cev'), image_order(content, 'countseg')
        ([2, 1, 3], [1, 2, 3], [3, 2])
    """
    if rule not in (None, *SPLIT_RULES):
        raise ValueError(f'split_rule must be None or one of {SPLIT_RULES}, got {rule!r}')
    if rule == 'countseg':
        return list(dict.fromkeys(annotation['image_id'] for annotation in content['annotations']))
    ids = [image['id'] for image in content['images']]
    return sorted(ids) if rule == 'cev' else ids


def half_of(ids: Sequence[int], half: str) -> list[int]:
    """The first half of ids, rounded down, for 'val'; the others for 'test'.

    Example:
        >>> half_of([5, 6, 7], 'val'), half_of([5, 6, 7], 'test')
        ([5], [6, 7])
    """
    if half not in HALVES:
        raise ValueError(f'val_half must be one of {HALVES}, got {half!r}')
    middle = len(ids) // 2
    return list(ids[:middle] if half == 'val' else ids[middle:])


def read_id_list(path: str, known: Sequence[int]) -> list[int]:
    """Read image ids, one per line.

    Args:
        path: The list.
        known: The ids that there are.

    Raises:
        FileNotFoundError: The list does not exist.
        AnnotationError: A line is no id of a known image, or repeats one.
    """
    there = set(known)
    first_lines: dict[int, int] = {}
    for name, line in read_image_list(path, 'list of image ids'):
        if not name.isdecimal() or int(name) not in there:
            raise AnnotationError(f'{name!r} is the id of none of the {len(there)} images', path, line)
        earlier = first_lines.setdefault(int(name), line)
        if earlier != line:
            raise AnnotationError(f'image {int(name)} is already on line {earlier}', path, line)
    return list(first_lines)
