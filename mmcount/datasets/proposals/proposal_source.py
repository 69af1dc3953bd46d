"""Mask proposals: what every source of them offers, and the COCO run lengths that they are stored as."""

import json
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine import fileio
from pycocotools import mask as coco_mask

from mmcount.utils.errors import AnnotationError
from mmcount.utils.run_lengths import checked_runs

from ..formats.coco_masks import encode_mask


class MaskProposals(NamedTuple):
    """Candidate masks of one image, the most promising first.

    Attributes:
        masks: (K, H, W) bool, at the resolution of the image file.
        scores: (K,) float32, falling; of no particular scale.
    """

    masks: np.ndarray
    scores: np.ndarray


def ranked(masks: np.ndarray, scores: np.ndarray | None, limit: int | None = None) -> MaskProposals:
    """Proposals in falling order of their scores (equal ones as they came), at most ``limit``.

    Without scores the order that they came in is their rank, and the scores are ``1, 1 - 1/K, ...``.
    """
    number = len(masks)
    if scores is None:
        scores = 1 - np.arange(number) / max(1, number)
    values = np.asarray(scores, dtype=np.float32)
    order = np.argsort(-values, kind='stable')[:limit]
    return MaskProposals(np.asarray(masks, dtype=bool)[order], values[order])


class ProposalSource(ABC):
    """Base of the sources of mask proposals; registered in ``TASK_UTILS``."""

    @abstractmethod
    def __call__(self, results: Mapping[str, Any], limit: int | None = None) -> MaskProposals:
        """The proposals of an image.

        Args:
            results: Of the pipeline, right after the image was loaded: ``img`` (H, W, 3) uint8 BGR, and ``img_path``
                or ``img_id``.
            limit: Most proposals that are wanted.
        """

    #: Whether the answer depends on nothing but the pixels, so that it can be stored.
    cacheable: bool = False

    def __repr__(self) -> str:
        fields = ', '.join(f'{key}={value!r}' for key, value in sorted(vars(self).items()) if not key.startswith('_'))
        return f'{type(self).__name__}({fields})'


def image_key(results: Mapping[str, Any]) -> str:
    """Return the stem of the files of an image: the name of the image file without its suffix, or ``img_id``.

    Raises:
        ValueError: The results name neither.
    """
    if results.get('img_path') is not None:
        return Path(str(results['img_path'])).stem
    if results.get('img_id') is not None:
        return str(results['img_id'])
    raise ValueError("an image without 'img_path' and 'img_id' has no file of proposals")


def read_json(path: str) -> Any:
    """The content of a JSON file.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: It is no JSON.
    """
    try:
        return json.loads(fileio.get_text(path))
    except FileNotFoundError as error:
        raise FileNotFoundError(f'file of proposals not found: {path}') from error
    except (ValueError, UnicodeDecodeError) as error:
        raise AnnotationError(f'not a JSON file: {error}', file=path) from error


def encode_rle(mask: np.ndarray) -> dict[str, Any]:
    """A mask as COCO's compressed run lengths, ready for JSON.

    Example:
        >>> decode_rle(encode_rle(np.eye(2, dtype=bool))).tolist()
        [[True, False], [False, True]]
    """
    code = encode_mask(mask)
    return {'size': [int(side) for side in code['size']], 'counts': code['counts'].decode('ascii')}


def decode_rle(code: Any) -> np.ndarray:
    """An (H, W) bool mask from COCO's run lengths, compressed or as a list.

    Raises:
        ValueError: ``code`` is no such thing, or its runs do not add up to its size.
    """
    runs = checked_runs(code)
    mask: np.ndarray = coco_mask.decode(coco_mask.frPyObjects(runs, *runs['size']))
    return mask.astype(bool)


def check_size(masks: Sequence[np.ndarray], results: Mapping[str, Any], path: str) -> None:
    """Compare the masks of a file with the image that they belong to.

    Raises:
        AnnotationError: A mask is of another size; names the file and the entry.
    """
    shape = results['img'].shape[:2] if results.get('img') is not None else results.get('ori_shape')
    for index, mask in enumerate(masks):
        if shape is not None and tuple(mask.shape) != tuple(shape[:2]):
            raise AnnotationError(
                f'proposal {index} is of {mask.shape} (height, width), the image is of {tuple(shape[:2])}', file=path
            )
        shape = mask.shape if shape is None else shape


def stack(masks: Sequence[np.ndarray], results: Mapping[str, Any]) -> np.ndarray:
    """(K, H, W) bool; (0, H, W) where there are none."""
    if len(masks):
        return np.stack(masks).astype(bool)
    shape = results['img'].shape[:2] if results.get('img') is not None else results.get('ori_shape', (0, 0))
    return np.zeros((0, *shape[:2]), dtype=bool)


def join(folder: str | os.PathLike, name: str) -> str:
    """A path, in a folder of any MMEngine file backend."""
    return fileio.join_path(os.fspath(folder), name)
