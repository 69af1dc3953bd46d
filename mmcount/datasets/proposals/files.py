"""Mask proposals that were computed before: COCO run lengths, MCG and COB files, the JSON of peak response mapping."""

import base64
import binascii
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from mmengine import fileio

from mmcount.registry import TASK_UTILS
from mmcount.utils.errors import AnnotationError
from mmcount.utils.run_lengths import is_size

from ..formats.mat import read_mat
from .proposal_source import (
    MaskProposals,
    ProposalSource,
    check_size,
    decode_rle,
    image_key,
    join,
    ranked,
    read_json,
    stack,
)


@TASK_UTILS.register_module()
class RLEProposals(ProposalSource):
    """Proposals as COCO run lengths.

    ``path`` is a folder with a JSON file for each image, called as the image (``img_path`` without suffix, or
    ``img_id``): a list of ``{"segmentation": {"size": [H, W], "counts": ...}, "score": 0.9}`` or of bare run-length
    codes. Or it is one JSON file of COCO results for all images, where ``image_id`` is that name or number: what
    COCO evaluation writes for any segmentation model.

    Args:
        path: The folder, or the file.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: A file is malformed; names the file and the entry.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = os.fspath(path)
        self._entries: dict[str, list[tuple[int, Any]]] | None = None

    def __call__(self, results: Mapping[str, Any], limit: int | None = None) -> MaskProposals:
        """Read the proposals of an image."""
        key = image_key(results)
        if self.path.endswith('.json'):
            file, entries = self.path, self._of_image(key)
        else:
            file = join(self.path, f'{key}.json')
            entries = list(enumerate(_entry_list(read_json(file), file)))
        return read_rle(entries, results, file, limit)

    def _of_image(self, key: str) -> list[tuple[int, Any]]:
        if self._entries is None:
            found: dict[str, list[tuple[int, Any]]] = {}
            for index, entry in enumerate(_entry_list(read_json(self.path), self.path)):
                if not isinstance(entry, Mapping) or 'image_id' not in entry:
                    raise AnnotationError(f"proposal {index} has no 'image_id'", file=self.path)
                found.setdefault(str(entry['image_id']), []).append((index, entry))
            self._entries = found
        # COCO names its files by the id with leading zeros.
        number = str(int(key)) if key.isdigit() else key
        return self._entries.get(key, self._entries.get(number, []))


def _entry_list(content: Any, file: str) -> list[Any]:
    if not isinstance(content, list):
        raise AnnotationError(f'expected a list of proposals, found {type(content).__name__}', file=file)
    return content


def read_rle(
    entries: Sequence[tuple[int, Any]], results: Mapping[str, Any], file: str, limit: int | None = None
) -> MaskProposals:
    """Decode numbered entries of ``file``."""
    masks, scores = [], []
    for index, entry in entries:
        bare = not isinstance(entry, Mapping) or 'segmentation' not in entry
        try:
            masks.append(decode_rle(entry if bare else entry['segmentation']))
            score = None if bare else entry.get('score')
            scores.append(None if score is None else float(score))
        except (TypeError, ValueError) as error:
            raise AnnotationError(f'proposal {index}: {error}', file=file) from error
    missing = sum(score is None for score in scores)
    if 0 < missing < len(scores):
        raise AnnotationError(f'{missing} of {len(scores)} proposals have no score; give all or none', file=file)
    check_size(masks, results, file)
    values = None if missing or not scores else np.array(scores, dtype=np.float32)
    return ranked(stack(masks, results), values, limit)


@TASK_UTILS.register_module()
class PRMProposals(ProposalSource):
    """The JSON files of the published demonstration of peak response mapping.

    A list in falling order of objectness. Each entry holds the size ``[H, W]`` and the base64 code of little-endian
    32-bit pairs ``(start, length)``: runs of pixels, row by row, counted from 1. The two may be a list or the values
    of an object, whatever its keys.

    Args:
        folder: Holds ``<image name>.json``.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: A file is malformed; names the file and the entry.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = os.fspath(folder)

    def __call__(self, results: Mapping[str, Any], limit: int | None = None) -> MaskProposals:
        """Read the proposals of an image."""
        file = join(self.folder, f'{image_key(results)}.json')
        masks = []
        for index, entry in enumerate(_entry_list(read_json(file), file)[:limit]):
            try:
                masks.append(decode_runs(entry))
            except ValueError as error:
                raise AnnotationError(f'proposal {index}: {error}', file=file) from error
        check_size(masks, results, file)
        return ranked(stack(masks, results), None)


def decode_runs(entry: Any) -> np.ndarray:
    """An (H, W) bool mask from its size and its run lengths.

    Raises:
        ValueError: ``entry`` holds not exactly one size and one code, or a run leaves the mask.
    """
    values = list(entry.values()) if isinstance(entry, Mapping) else entry
    if not isinstance(values, list):
        raise ValueError(f'expected a size and a code, found {type(entry).__name__}')
    sizes, codes = [v for v in values if is_size(v)], [v for v in values if isinstance(v, str)]
    if len(sizes) != 1 or len(codes) != 1:
        raise ValueError(f'expected one size [height, width] and one base64 code, found {str(entry)[:60]}')
    height, width = sizes[0]
    try:
        data = base64.b64decode(codes[0], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f'the code is not base64: {error}') from error
    if len(data) % 8:
        raise ValueError(f'the code holds {len(data)} bytes, expected pairs of 32-bit numbers')
    pairs = np.frombuffer(data, dtype='<u4').astype(np.int64).reshape(-1, 2)
    start, stop = pairs[:, 0] - 1, pairs[:, 0] - 1 + pairs[:, 1]
    bad = np.flatnonzero((start < 0) | (stop > height * width))
    if len(bad):
        raise ValueError(f'run {bad[0]} is (start, length) {pairs[bad[0]].tolist()}, outside of {height} x {width}')
    edges = np.zeros(height * width + 1, dtype=np.int64)
    np.add.at(edges, start, 1)
    np.add.at(edges, stop, -1)
    return (np.cumsum(edges[:-1]) > 0).reshape(height, width)


@TASK_UTILS.register_module()
class MCGProposals(ProposalSource):
    """The ``.mat`` files of Multiscale Combinatorial Grouping and of Convolutional Oriented Boundaries.

    ``superpixels`` (H, W) names the leaf region of each pixel, ``labels`` lists the leaves of every proposal, and
    ``scores`` ranks them. Files of MATLAB 5 are read with SciPy, those of 7.3 (HDF5) need ``h5py``.

    Args:
        folder: Holds ``<image name>.mat``.

    Raises:
        FileNotFoundError: There is no such file.
        AnnotationError: A file is malformed; names the file and the entry.
        ImportError: The file is of version 7.3 and ``h5py`` is not installed.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.folder = os.fspath(folder)

    def __call__(self, results: Mapping[str, Any], limit: int | None = None) -> MaskProposals:
        """Read the proposals of an image."""
        file = join(self.folder, f'{image_key(results)}.mat')
        with fileio.get_local_path(file) as local:
            if not os.path.isfile(local):
                raise FileNotFoundError(f'file of proposals not found: {file}')
            superpixels, labels, scores = read_proposal_mat(local, file)
        check_size([superpixels], results, file)
        order = np.argsort(-scores, kind='stable')[:limit]
        leaves, leaf = np.unique(superpixels, return_inverse=True)
        masks = []
        for index in order:
            position = np.searchsorted(leaves, labels[index])
            known = position < len(leaves)
            if not known.all() or (leaves[position] != labels[index]).any():
                strange = np.setdiff1d(labels[index], leaves)
                raise AnnotationError(f'proposal {index} has the superpixel {strange[0]}, which is nowhere', file=file)
            chosen = np.zeros(len(leaves), dtype=bool)
            chosen[position] = True
            masks.append(chosen[leaf.reshape(superpixels.shape)])
        return ranked(stack(masks, results), scores[order])


def read_proposal_mat(path: str, name: str = '') -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Superpixels (H, W) int64, the leaves of each of K proposals, and scores (K,) float32 of a ``.mat`` file.

    Args:
        path: The file.
        name: What errors call it; ``path`` by default.

    Raises:
        AnnotationError: The file is malformed.
        ImportError: It needs ``h5py``.
    """
    name = name or path
    fields = read_mat(path, ('superpixels', 'labels', 'scores'), name)
    superpixels, scores = np.asarray(fields['superpixels']), np.asarray(fields['scores'], dtype=np.float32).ravel()
    cells = fields['labels']
    labels = [np.asarray(one).ravel().astype(np.int64) for one in (cells if isinstance(cells, list) else [*cells])]
    if superpixels.ndim != 2:
        raise AnnotationError(f'superpixels must be (height, width), found shape {superpixels.shape}', file=name)
    if len(labels) != len(scores):
        raise AnnotationError(f'{len(labels)} labels and {len(scores)} scores must be as many', file=name)
    if not np.isfinite(scores).all():
        raise AnnotationError(f'score {int(np.flatnonzero(~np.isfinite(scores))[0])} is not finite', file=name)
    return superpixels.astype(np.int64), labels, scores
