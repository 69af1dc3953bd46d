"""From a pipeline's results to the target of a network and to the data contract."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmcv.transforms import BaseTransform, to_tensor
from mmdet.structures.bbox import BaseBoxes
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from mmcount.codecs.base import CountCodec, build_codec
from mmcount.registry import TRANSFORMS
from mmcount.structures import CountDataSample, CountedBoxes, Objects, PointBoxes

from .annotation_frame import annotation_mismatch, check_resized
from .loading import image_name


@TRANSFORMS.register_module()
class GenerateTarget(BaseTransform):
    """Encode the ground truth with the codec that the head decodes with.

    Boxes give the points at their centres. Ignored instances are left out; what becomes of objects outside of the image
    is the codec's rule. Put it last, before `PackCountInputs`: a later geometric transform would not move the maps.

    Required keys: ``gt_bboxes``, ``gt_bboxes_labels``, ``img`` or ``img_shape``; optional ``gt_ignore_flags``,
    ``halo``, ``num_classes``. Added keys: ``gt_map``, the target maps by name, (K, h, w) float32 each; and ``codec``,
    by which the head sees that it has the same.

    Args:
        codec: The codec or its config.

    Raises:
        ValueError: The codec has another number of classes than the data, or needs boxes but points were loaded.
    """

    def __init__(self, codec: CountCodec | dict) -> None:
        self.codec = build_codec(codec)

    def transform(self, results: dict) -> dict:
        """Add the targets to ``results``."""
        if results.get('gt_bboxes') is None:
            raise ValueError(
                f"{image_name(results)} has no 'gt_bboxes' to encode; load them, e.g. with LoadCountAnnotations("
                "geometry='points')"
            )
        num_classes = results.get('num_classes', self.codec.num_classes)
        if num_classes != self.codec.num_classes:
            raise ValueError(
                f'{image_name(results)} comes from a data set of {num_classes} classes, but the codec '
                f'{type(self.codec).__name__} has num_classes={self.codec.num_classes}'
            )
        height, width = results['img'].shape[:2] if 'img' in results else results['img_shape'][:2]
        try:
            grid = self.codec.grid((height, width), results.get('halo', 0))
            results['gt_map'] = self.codec.encode(target_objects(results), grid)
        except ValueError as error:
            raise ValueError(f'{image_name(results)}: {error}') from error
        results['codec'] = repr(self.codec)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(codec={self.codec!r})'


def target_objects(results: dict) -> Objects:
    """The objects of ``results`` that are not ignored."""
    boxes, index = results['gt_bboxes'], np.flatnonzero(~_ignore_flags(results))
    # Through float32, the type of the boxes: a point on the border of a pixel stays on its side.
    points = boxes.convert_to('point').tensor.numpy()[index].astype(np.float32)
    return Objects(
        points,
        np.asarray(results['gt_bboxes_labels'])[index],
        None if isinstance(boxes, PointBoxes) else boxes.convert_to('hbox').tensor.numpy()[index].astype(np.float32),
        boxes.counts.numpy()[index] if isinstance(boxes, CountedBoxes) else None,
    )


@TRANSFORMS.register_module()
class PackCountInputs(BaseTransform):
    """Pack an image and its annotations into the contract of `CountDataSample`.

    ``gt_instances`` gets ``labels``, ``counts`` (N,) int64 and ``points`` (N, 2), or, where the geometry is boxes,
    ``bboxes`` (N, 4) instead of points, and ``masks`` where there are any; ignored instances go to
    ``ignored_instances``. Everything is a plain tensor. Counts without geometry
    (``LoadCountAnnotations(geometry='none')``) are packed with ``image_counts='annotations'``. ``gt_void_mask`` is
    packed as it is, (H, W) bool. Mask proposals become ``proposals`` (``masks``, ``scores``), at the resolution of the
    image file. What mmdet's ``PackDetInputs`` packs for its detectors is packed likewise: ``gt_seg_map`` as
    ``gt_sem_seg`` (``sem_seg`` (1, H, W)), box proposals as ``proposals`` (``bboxes``, ``scores``), and as meta
    information the ``border`` of ``RandomCenterCropPad`` and the prompts of text-prompted detectors. Without
    annotations (inference) only the image and the meta information are packed.

    Args:
        meta_keys: Keys of the results that become meta information, where they are present.
        image_counts: Where ``gt_counts`` comes from. 'recompute' (training) drops the instances outside of the image
            and sums up what is left. 'annotations' (validation and test) takes the annotated counts of the whole
            image and keeps every instance, in the coordinates in which it was loaded: there the annotations are
            loaded after the image was resized, and an annotator's slip over the border is still an object. It is
            right in training too, as long as no transform cuts a part of the image away.
        min_visible_fraction: For boxes with counts: of a group that was cut, nobody knows how many objects are left.
            With this, ``count_weights`` (N,) float32 says which counts may be learnt: 0 for boxes of several objects
            of which less than this share of the area is inside of the image, 1 for the others; boxes are cut at the
            border here. The transforms before must leave them whole (``bbox_clip_border=False``), and nothing may pad
            the image after a crop. None packs no weights: heads take every count as true. Only with 'recompute'.
        annotation_keys: Keys of the data set with an entry for every annotated object that go into ``gt_instances``
            beside the geometry, as they are annotated: ('points', 'sigmas', 'levels') for the protocol of NWPU-Crowd
            where the geometry is boxes. Images without them go without. Only with 'annotations'.

    Raises:
        ValueError: The number of classes, or the annotated counts that are asked for, are not known, an argument is
            out of range, or the pixels are neither uint8 nor float32.
    """

    def __init__(
        self,
        meta_keys: Sequence[str] = (
            'img_id',
            'img_path',
            'ori_shape',
            'img_shape',
            'scale_factor',
            'flip',
            'flip_direction',
            'halo',
            'count_limit',
            'border',
            'text',
            'caption_prompt',
            'custom_entities',
            'tokens_positive',
            'dataset_mode',
        ),
        image_counts: str = 'recompute',
        min_visible_fraction: float | None = None,
        annotation_keys: Sequence[str] = (),
    ) -> None:
        if min_visible_fraction is not None and (image_counts != 'recompute' or not 0 <= min_visible_fraction <= 1):
            raise ValueError(
                f"min_visible_fraction must be in 0..1 and needs image_counts='recompute', got {min_visible_fraction} "
                f'with {image_counts!r}'
            )
        if image_counts not in ('recompute', 'annotations'):
            raise ValueError(f"image_counts must be 'recompute' or 'annotations', got {image_counts!r}")
        if isinstance(annotation_keys, str):
            raise ValueError(f'annotation_keys must be a sequence of keys, got {annotation_keys!r}')
        if annotation_keys and image_counts != 'annotations':
            raise ValueError(
                f"annotation_keys need image_counts='annotations', got {image_counts!r}: transforms do not move them"
            )
        self.annotation_keys = tuple(annotation_keys)
        self.meta_keys = tuple(meta_keys)
        self.image_counts = image_counts
        self.min_visible_fraction = min_visible_fraction

    def transform(self, results: dict) -> dict[str, Any]:
        """Pack ``results``.

        Returns:
            ``inputs``: (C, H, W) contiguous tensor of the type of the image; ``data_samples``: `CountDataSample`.
        """
        packed: dict[str, Any] = {}
        if 'img' in results:
            packed['inputs'] = _image_tensor(results)
        sample = CountDataSample()
        if results.get('gt_bboxes') is not None:
            self._pack_instances(results, sample)
        elif results.get('raw_counts') is not None:
            self._pack_counts(results, sample)
        if results.get('gt_void_mask') is not None:
            sample.set_field(torch.from_numpy(np.ascontiguousarray(results['gt_void_mask'])), 'gt_void_mask')
        if results.get('proposal_masks') is not None:
            sample.proposals = _proposals(results)
        elif results.get('proposals') is not None:
            sample.proposals = _box_proposals(results)
        if results.get('gt_seg_map') is not None:
            sample.gt_sem_seg = _semantic_map(results)
        if results.get('gt_map'):
            targets = {name: to_tensor(target) for name, target in results['gt_map'].items()}
            sample.gt_map = PixelData(metainfo=dict(codec=results.get('codec')), **targets)
        # mmdet's detectors ask for the scale to undo, also where no transform changed it.
        meta = {'scale_factor': (1.0, 1.0), **results}
        sample.set_metainfo({key: meta[key] for key in self.meta_keys if key in meta})
        mismatch = annotation_mismatch(results)
        if mismatch is not None:
            sample.set_metainfo(dict(gt_mismatch=mismatch))
        packed['data_samples'] = sample
        return packed

    def _pack_instances(self, results: dict, sample: CountDataSample) -> None:
        instances = _instances(results['gt_bboxes'], results)
        self._add_annotated(instances, results)
        ignored = _ignore_flags(results)
        keep = np.ones_like(ignored)
        if self.image_counts == 'recompute':
            if tuple(results.get('scale_factor', (1.0, 1.0))) != (1.0, 1.0):
                check_resized(results, image_name(results))
            img_shape = results['img'].shape[:2] if 'img' in results else results['img_shape']
            keep = _visible(results['gt_bboxes'], img_shape)
            if self.min_visible_fraction is not None and 'bboxes' in instances:
                instances.bboxes, shares = _cut_at_border(instances.bboxes, img_shape)
                # what is left of one object still is one
                instances.count_weights = ((shares >= self.min_visible_fraction) | (instances.counts == 1)).float()
        sample.gt_instances = instances[np.flatnonzero(keep & ~ignored)]
        sample.ignored_instances = instances[np.flatnonzero(keep & ignored)]
        sample.gt_counts = self._image_counts(results, sample.gt_instances)

    def _add_annotated(self, instances: InstanceData, results: dict) -> None:
        for key in self.annotation_keys:
            if results.get(key) is None or key in instances:
                continue
            ids, values = results.get('gt_annotation_ids'), np.asarray(results[key])
            if ids is None or len(ids) != len(instances):
                raise ValueError(
                    f"'{key}' of {image_name(results)} cannot be told apart: annotation_keys need "
                    'LoadCountAnnotations, and no transform that drops objects after it'
                )
            if len(ids) and len(values) <= ids.max():
                raise ValueError(
                    f"'{key}' of {image_name(results)} has {len(values)} entries for object {int(ids.max())}"
                )
            instances[key] = torch.from_numpy(values[ids])

    def _pack_counts(self, results: dict, sample: CountDataSample) -> None:
        if self.image_counts == 'recompute':
            raise ValueError(
                f'{image_name(results)} has counts of the whole image and no objects to recompute them from; set '
                "image_counts='annotations' of PackCountInputs, and use no transform that cuts a part of the image away"
            )
        sample.gt_counts = torch.as_tensor(results['raw_counts'], dtype=torch.float32)

    def _image_counts(self, results: dict, instances: InstanceData) -> Tensor:
        if self.image_counts == 'annotations':
            if results.get('raw_counts') is None:
                raise ValueError(
                    f"{image_name(results)} has no 'raw_counts': image_counts='annotations' needs LoadCountAnnotations"
                )
            return torch.as_tensor(results['raw_counts'], dtype=torch.float32)
        if results.get('num_classes') is None:
            raise ValueError(
                f"number of classes unknown for {image_name(results)}: expected 'num_classes' in the results, which "
                'LoadCountAnnotations sets'
            )
        counts = torch.zeros(results['num_classes'])
        return counts.index_add_(0, instances.labels, instances.counts.float())

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(meta_keys={self.meta_keys}, image_counts={self.image_counts!r}, '
            f'min_visible_fraction={self.min_visible_fraction}, annotation_keys={self.annotation_keys})'
        )


def _ignore_flags(results: dict) -> np.ndarray:
    """(N,) bool; none is ignored where the results do not say."""
    flags = results.get('gt_ignore_flags')
    return np.zeros(len(results['gt_bboxes']), dtype=bool) if flags is None else np.asarray(flags).astype(bool)


def _image_tensor(results: dict) -> Tensor:
    """(C, H, W), contiguous, of the type of the image."""
    img = results['img']
    # Of other types nobody knows the range: 16 bits would be read as a picture that is all white.
    if img.dtype not in (np.uint8, np.float32):
        raise ValueError(
            f'{image_name(results)} has pixels of type {img.dtype}, expected uint8 in 0..255, or float32 that '
            'transforms made of it: scale them to 8 bits first; image files are scaled by mmcount.LoadImage'
        )
    if img.ndim == 2:
        img = img[..., None]
    return torch.from_numpy(np.ascontiguousarray(img.transpose(2, 0, 1)))


def _instances(boxes: BaseBoxes, results: dict) -> InstanceData:
    """All instances, visible or not, ignored or not."""
    instances = InstanceData()
    if isinstance(boxes, PointBoxes):
        instances.points = boxes.tensor
    else:
        instances.bboxes = boxes.convert_to('hbox').tensor
    instances.labels = torch.as_tensor(np.asarray(results['gt_bboxes_labels']), dtype=torch.int64)
    instances.counts = boxes.counts if isinstance(boxes, CountedBoxes) else torch.ones(len(boxes), dtype=torch.int64)
    if results.get('gt_masks') is not None:
        instances.masks = results['gt_masks']
    return instances


def _proposals(results: dict) -> InstanceData:
    """Mask proposals at the resolution of the image file."""
    masks = results['proposal_masks']
    bitmaps = BitmapMasks(masks.astype(np.uint8), *masks.shape[1:])
    return InstanceData(masks=bitmaps, scores=torch.from_numpy(np.asarray(results['proposal_scores'], np.float32)))


def _box_proposals(results: dict) -> InstanceData:
    """Box proposals in px of the network's input, as `PackDetInputs` packs them."""
    boxes = results['proposals']
    boxes = boxes.tensor if isinstance(boxes, BaseBoxes) else to_tensor(boxes)
    return InstanceData(bboxes=boxes, scores=to_tensor(results['proposals_scores']))


def _semantic_map(results: dict) -> PixelData:
    """``sem_seg`` (1, H, W), with ``ignore_index`` where the results say it."""
    found = PixelData(sem_seg=to_tensor(np.ascontiguousarray(results['gt_seg_map'])[None]))
    if 'ignore_index' in results:
        found.set_metainfo(dict(ignore_index=results['ignore_index']))
    return found


def _cut_at_border(bboxes: Tensor, img_shape: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """(N, 4) boxes cut at the border of the image, and the share of the area of each that is left, (N,)."""
    limits = bboxes.new_tensor([img_shape[1], img_shape[0]] * 2)
    cut = torch.minimum(bboxes.clamp(min=0), limits)
    area, left = (boxes[:, 2:].sub(boxes[:, :2]).prod(dim=1) for boxes in (bboxes, cut))
    return cut, torch.where(area > 0, left / area, torch.zeros_like(area))


def _visible(boxes: BaseBoxes, img_shape: tuple[int, int]) -> np.ndarray:
    """(N,) bool: inside the image, and not clipped to nothing."""
    return (boxes.is_inside(img_shape[:2]) & (boxes.widths > 0) & (boxes.heights > 0)).numpy()
