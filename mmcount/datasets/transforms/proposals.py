"""Mask proposals as part of a pipeline."""

import hashlib
import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
from mmcv.transforms import BaseTransform
from mmengine.logging import print_log

from mmcount.registry import TASK_UTILS, TRANSFORMS
from mmcount.utils.atomic import write_atomic
from mmcount.utils.errors import AnnotationError

from ..proposals.files import read_rle
from ..proposals.proposal_source import MaskProposals, ProposalSource, encode_rle, image_key, read_json, stack
from .loading import image_name


@TRANSFORMS.register_module()
class LoadMaskProposals(BaseTransform):
    """Give an image its mask proposals, computed or read.

    Put it right after the image is loaded: proposals belong to the image as it is in its file, and no transform moves
    them. `PackCountInputs` packs them into ``data_sample.proposals``.

    Required keys: ``img``, and ``img_path`` or ``img_id`` for sources that read files. Added keys:
    ``proposal_masks`` (K, H, W) bool and ``proposal_scores`` (K,) float32, falling.

    Args:
        source: Config or instance of a `ProposalSource`.
        max_proposals: Most proposals that are kept; None for all.
        cache_dir: Folder in which computed proposals are stored, one JSON file for each image in the layout of
            ``RLEProposals``. Their names depend on the pixels and on the source's options, so a change of either
            makes new ones. Sources that read files are not stored again.
        on_error: 'raise', or 'empty' to log a warning once for each image and go on without proposals, where a file
            is missing or malformed.

    Raises:
        ValueError: The image was resized or cropped before, or an option is unknown.
        AnnotationError: A file of proposals is malformed; names the file and the entry.
    """

    def __init__(
        self,
        source: dict | ProposalSource = dict(type='mmcount.HierarchicalProposals'),  # noqa: B006
        max_proposals: int | None = 100,
        cache_dir: str | os.PathLike | None = None,
        on_error: str = 'raise',
    ) -> None:
        if on_error not in ('raise', 'empty'):
            raise ValueError(f"on_error must be 'raise' or 'empty', got {on_error!r}")
        if max_proposals is not None and max_proposals < 1:
            raise ValueError(f'max_proposals must be at least 1 or None, got {max_proposals}')
        self.source: Any = TASK_UTILS.build(source) if isinstance(source, dict) else source
        self.max_proposals = max_proposals
        self.cache_dir = None if cache_dir is None else Path(cache_dir)
        self.on_error = on_error
        self._warned: set[str] = set()

    def transform(self, results: dict) -> dict:
        """Add the proposals to ``results``."""
        name = image_name(results)
        shape = tuple(results['img'].shape[:2])
        if tuple(results.get('ori_shape', shape)[:2]) != shape:
            raise ValueError(
                f'{name} is {shape} (height, width) and its file is {tuple(results["ori_shape"][:2])}: put '
                'LoadMaskProposals before the transforms that resize or crop'
            )
        try:
            proposals = self._proposals(results)
        except (OSError, AnnotationError) as error:
            if self.on_error == 'raise':
                raise
            if name not in self._warned:
                self._warned.add(name)
                print_log(f'{name} goes without proposals: {error}', logger='current', level=30)
            proposals = MaskProposals(stack([], results), np.zeros(0, np.float32))
        results['proposal_masks'] = proposals.masks[: self.max_proposals]
        results['proposal_scores'] = proposals.scores[: self.max_proposals]
        return results

    def _proposals(self, results: dict) -> MaskProposals:
        if self.cache_dir is None or not getattr(self.source, 'cacheable', False):
            return self.source(results, self.max_proposals)
        file = self.cache_dir / self._cache_name(results)
        if file.is_file():
            try:
                return read_rle(list(enumerate(read_json(str(file)))), results, str(file), self.max_proposals)
            except AnnotationError as error:
                print_log(f'Making proposals again: {error}', logger='current', level=30)
        proposals = self.source(results, self.max_proposals)
        entries = [
            {'segmentation': encode_rle(mask), 'score': float(score)}
            for mask, score in zip(proposals.masks, proposals.scores, strict=True)
        ]
        write_atomic(file, json.dumps(entries))
        return proposals

    def _cache_name(self, results: dict) -> str:
        """The image's name, for people, and a digest of all that the proposals depend on."""
        img = np.ascontiguousarray(results['img'])
        digest = hashlib.sha256(f'{self.source!r} {self.max_proposals} {img.dtype} {img.shape}'.encode())
        digest.update(img.tobytes())
        try:
            key = image_key(results)
        except ValueError:
            key = 'image'
        return f'{re.sub(r"[^A-Za-z0-9_-]+", "_", key)[:80]}-{digest.hexdigest()[:16]}.json'

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(source={self.source!r}, max_proposals={self.max_proposals}, '
            f'cache_dir={str(self.cache_dir)!r}, on_error={self.on_error!r})'
        )
