"""Counts for transforms that accept only mmdet's own boxes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import HorizontalBoxes

from mmcount.registry import TRANSFORMS
from mmcount.structures import CountedBoxes

from .loading import image_name


@TRANSFORMS.register_module()
class CountsInLabels(BaseTransform):
    """Run a transform that refuses `CountedBoxes` on plain boxes whose labels carry the counts.

    A few of mmdet's transforms take horizontal boxes only (``RandomErasing``, ``Albu``, ``GTBoxSubOne_GLIP``) or make
    boxes anew from masks (``CopyPaste``, ``RandomCrop(recompute_bbox=True)``). All of them keep a label with its box
    whatever it is. So the count of a box goes into its label, label' = label + ``num_classes`` * count, and comes back
    afterwards. Most transforms need none of this.

    Required keys: those of the wrapped transform, and ``num_classes``, as `LoadCountAnnotations` sets it. Boxes of
    other types pass as they are, so the same pipeline serves data with and without counts. Not for transforms that look
    up labels (``RandomSamplingNegPos``).

    Args:
        transform: Config of the transform, or the transform itself. Where it mixes images (``get_indexes``), the
            wrapper does too, for ``mmdet.MultiImageMixDataset``.

    Raises:
        ValueError: ``num_classes`` is not known, or a label is not below it.

    Example:
        >>> erase = dict(type='mmdet.RandomErasing', n_patches=(1, 3), ratio=(0, 0.2))
        >>> step = dict(type='mmcount.CountsInLabels', transform=erase)  # a step of a pipeline
    """

    def __init__(self, transform: dict | Callable) -> None:
        self.wrapped = TRANSFORMS.build(transform) if isinstance(transform, dict) else transform

    def __getattr__(self, name: str) -> Any:
        # MultiImageMixDataset asks whether a transform has this method.
        if name == 'get_indexes' and 'wrapped' in self.__dict__:
            return getattr(self.wrapped, name)
        raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}')

    def transform(self, results: dict) -> dict | None:
        """Apply the wrapped transform to ``results`` and its ``mix_results``."""
        parts = [results, *results.get('mix_results', ())]
        if not any(isinstance(part.get('gt_bboxes'), CountedBoxes) for part in parts):
            return self.wrapped(results)
        # Not the largest label: transforms that keep images for later ones would mix labels of several bases.
        base = results.get('num_classes')
        if base is None:
            raise ValueError(
                f"number of classes unknown for {image_name(results)}: expected 'num_classes' in the results, which "
                'LoadCountAnnotations sets'
            )
        for part in parts:
            _hide(part, base)
        after = self.wrapped(results)
        if after is not None:
            _bring_back(after, base)
        return after

    def __repr__(self) -> str:
        return f'{type(self).__name__}(transform={self.wrapped!r})'


def _hide(results: dict, base: int) -> None:
    boxes = results['gt_bboxes'].convert_to('counted')
    labels = np.asarray(results['gt_bboxes_labels'], dtype=np.int64)
    if labels.size and not 0 <= labels.min() <= labels.max() < base:
        raise ValueError(
            f'labels of {image_name(results)} must be in 0..{base - 1}, got {labels.min()}..{labels.max()}'
        )
    results['gt_bboxes'] = boxes.convert_to('hbox')
    results['gt_bboxes_labels'] = labels + base * boxes.counts.numpy()


def _bring_back(results: dict, base: int) -> None:
    counts, labels = np.divmod(np.asarray(results['gt_bboxes_labels'], dtype=np.int64), base)
    boxes = results['gt_bboxes']
    tensor = boxes.tensor if isinstance(boxes, HorizontalBoxes) else torch.as_tensor(boxes, dtype=torch.float32)
    column = torch.from_numpy(counts).to(tensor)[:, None]
    results['gt_bboxes'] = CountedBoxes(torch.cat([tensor.reshape(-1, 4), column], dim=1))
    results['gt_bboxes_labels'] = labels
