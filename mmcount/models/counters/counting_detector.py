"""Counts for any detector: a wrapper that reads the number of objects off the features of each detected box."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox2roi
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmcount.codecs import BoxAttributeCodec, BoxCountCodec
from mmcount.models.roi_heads.boxes import jitter_boxes, poolable_boxes
from mmcount.registry import MODELS, TASK_UTILS
from mmcount.structures import CountDataSample
from mmcount.structures.sample_fields import SCORE_THR, count_instances

from .detector_features import check_levels, given_features
from .detector_kinds import detected_classes
from .detector_limits import detection_cap
from .detector_wrapper import DetectorWrapper
from .size_groups import predict_by_size
from .value_readers import counted_sample, value_readers

SOURCES = ('gt', 'pred', 'both')


@MODELS.register_module()
class CountingDetector(DetectorWrapper):
    """A detector of mmdet, given by config, and a count head on the features of its boxes.

    The detector is trained and tested by its own code. Its backbone runs once: features are computed first, and
    handed to the detector in place of its ``extract_feat``. The count is read at the detected box, so neither the kind
    of detector nor its non-maximum suppression matters. (CLCNet reads it at the box that its last stage refines.)

    Predictions are those of the detector plus ``pred_instances.counts`` (N,) int64, ``count_scores`` (N,) and
    ``label_names``, 'cup x12', which mmdet's visualizer shows; ``pred_counts`` (C,), the sums of the counts of boxes
    that score ``count_test_cfg.score_thr`` or more; and ``saturated``, whether so many boxes were kept, or a counted
    box holds so many objects, that there may be more.

    Args:
        detector: The config of an mmdet model; or the name of a config, or a dict with a name as ``_base_`` and what
            differs from it, see :func:`resolve_detector`. Its ``init_cfg=dict(type='Pretrained', checkpoint=...)``
            loads checkpoints of the plain detector.
        roi_extractor: Config; by default mmdet's ``SingleRoIExtractor`` of 7 x 7 cells. ``featmap_strides`` are those
            of the first feature levels of the detector, which are the ones used.
        count_head: Config, by default of :class:`mmcount.models.roi_heads.RoICountHead`.
        num_classes: C, given to all heads of the detector; None takes the detector's.
        classes: Names of the classes, for ``label_names``; by default ``dataset_meta``, which inferencers set.
        attribute: Field of ``gt_instances`` that is learned and of ``pred_instances`` that is predicted. Other
            attributes than 'counts' need a codec that fits (``ValueCodec``, ``LabelCodec``) and a pipeline that fills
            the field; scores are called ``{attribute}_scores``, and ``pred_counts`` counts boxes as the detector does.
            ``count_weights`` (or ``{attribute}_weights``) of ``gt_instances``, where they are, say how much a value
            teaches: 0 for a group that a crop has cut, see ``PackCountInputs(min_visible_fraction=...)``.
        freeze_detector: Train the count head only. The detector stays in evaluation mode and costs no gradients.
        detach_feats: Keep the gradients of the count head from the features of a detector that is trained.
        count_train_cfg: ``source``: the boxes of the count head in training, 'gt' (ground truth with ``copies``
            jittered by ``shift`` and ``scale``, see :func:`jitter_boxes`), 'pred' (what the detector predicts) or
            'both'; ground-truth boxes themselves take part too. ``assigner`` and ``sampler``: configs, by default an
            overlap of 0.5 and up to 256 boxes of an image; boxes that are assigned to no ground truth teach nothing.
        count_test_cfg: ``score_thr``: lowest score of a box that is part of ``pred_counts``.
        backbone: What differs in the backbone of the detector, a further way to say it: mmdet's ``init_detector``
            looks for a backbone at the top of a model.
        data_preprocessor: Config; None takes the detector's.
        init_cfg: Initialisation of the wrapper.

    Raises:
        ValueError: An option is none of those named, the classes do not fit, or the detector finds no boxes.

    Example:
        >>> model = CountingDetector(
        ...     detector=dict(_base_='mmdet::retinanet/retinanet_r50_fpn_1x_coco.py', backbone=dict(init_cfg=None)),
        ...     roi_extractor=dict(featmap_strides=[8, 16, 32, 64]),
        ...     count_head=dict(codec=dict(type='mmcount.DigitCodec', max_count=56, base=10)),
        ...     num_classes=140,
        ... )
        >>> type(model.detector).__name__, model.num_classes
        ('RetinaNet', 140)
    """

    def __init__(
        self,
        detector: Mapping[str, Any] | str,
        roi_extractor: Mapping[str, Any],
        count_head: Mapping[str, Any],
        num_classes: int | None = None,
        classes: Sequence[str] | None = None,
        attribute: str = 'counts',
        freeze_detector: bool = False,
        detach_feats: bool = False,
        count_train_cfg: Mapping[str, Any] | None = None,
        count_test_cfg: Mapping[str, Any] | None = None,
        backbone: Mapping[str, Any] | None = None,
        data_preprocessor: Mapping[str, Any] | nn.Module | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        if classes is not None:
            num_classes = len(classes) if num_classes is None else num_classes
            if num_classes != len(classes):
                raise ValueError(f'num_classes={num_classes}, but classes names {len(classes)}')
        super().__init__(detector, num_classes, backbone, freeze_detector, data_preprocessor, init_cfg)
        self.num_classes = detected_classes(self.detector) if num_classes is None else num_classes
        self.classes = None if classes is None else tuple(classes)
        self.attribute = attribute
        self.detach_feats = detach_feats
        self.count_roi_extractor = _build_extractor(roi_extractor)
        head = dict(type='mmcount.RoICountHead', in_channels=self.count_roi_extractor.out_channels)
        self.count_head: nn.Module = MODELS.build({**head, **count_head})
        self._read_train_cfg(count_train_cfg or {})
        self.count_test_cfg = _with_defaults(dict(score_thr=SCORE_THR), count_test_cfg or {}, 'count_test_cfg')

    def _read_train_cfg(self, options: Mapping[str, Any]) -> None:
        assigner = dict(
            type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.5, match_low_quality=False
        )
        sampler = dict(type='RandomSampler', num=256, pos_fraction=1.0, neg_pos_ub=0, add_gt_as_proposals=True)
        defaults = dict(source='gt', copies=4, shift=0.15, scale=0.2, assigner=assigner, sampler=sampler)
        self.count_train_cfg = _with_defaults(defaults, options, 'count_train_cfg')
        if self.count_train_cfg['source'] not in SOURCES:
            raise ValueError(f'count_train_cfg.source must be one of {SOURCES}, got {self.count_train_cfg["source"]!r}')
        self.count_assigner, self.count_sampler = (
            TASK_UTILS.build({'_scope_': 'mmdet', **self.count_train_cfg[key]}) for key in ('assigner', 'sampler')
        )

    def loss(self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample]) -> dict[str, Tensor]:
        """The losses of the detector, where it is trained, and of the count head.

        Returns:
            The detector's losses as they are; ``{attribute}.loss``, ``{attribute}.loss_stage{k}`` of coarse stages,
            and ``{attribute}.error``, the mean absolute error of the decoded counts, which is only logged.

        Raises:
            ValueError: The ground truth lacks the attribute, or strides or channels do not fit the features.
        """
        feats = self.extract_feat(batch_inputs)
        # Before the losses of the detector, which may use up the proposals of a sample.
        detected = self.detect(batch_inputs, feats, batch_data_samples) if self._learns_predictions else None
        losses = {}
        if not self.freeze_detector:
            with given_features(self.detector, batch_inputs, feats):
                losses = self.detector.loss(batch_inputs, batch_data_samples)
        count_losses = self.count_loss(batch_inputs, feats, batch_data_samples, detected)
        return {**losses, **{f'{self.attribute}.{key}': value for key, value in count_losses.items()}}

    @property
    def _learns_predictions(self) -> bool:
        return self.count_train_cfg['source'] != 'gt'

    def count_loss(
        self,
        batch_inputs: Tensor,
        feats: Sequence[Tensor],
        batch_data_samples: list[DetDataSample],
        detected: Sequence[Tensor] | None = None,
    ) -> dict[str, Tensor]:
        """The losses of the count head on the features of a batch, and on predicted boxes (N, 4) of each image."""
        picked = [
            self.training_boxes(sample, None if detected is None else detected[index])
            for index, sample in enumerate(batch_data_samples)
        ]
        boxes, values, weights = zip(*picked, strict=True)
        if self.detach_feats:
            feats = [feat.detach() for feat in feats]
        return self.count_head.loss(self._pool(batch_inputs, feats, boxes), torch.cat(values), torch.cat(weights))

    @torch.no_grad()
    def training_boxes(self, sample: DetDataSample, detected: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """Boxes of an image that teach the count head.

        Args:
            sample: ``gt_instances`` with ``bboxes``, ``labels`` and the attribute.
            detected: (N, 4) predicted boxes in pixels of the input, or None.

        Returns:
            (M, 4) boxes, and the (M,) values and weights of the ground truth that they are assigned to.

        Raises:
            ValueError: The ground truth lacks the attribute.
        """
        truth, options = sample.gt_instances, self.count_train_cfg
        if self.attribute not in truth:
            raise ValueError(
                f'image {sample.get("img_id", "?")}: gt_instances need {self.attribute!r}, found '
                f'{sorted(truth.keys())}; for counts, load boxes with LoadCountAnnotations(geometry='
                "'counted_bboxes') and pack them with PackCountInputs"
            )
        candidates = []
        if options['source'] != 'pred':
            candidates.append(jitter_boxes(truth.bboxes, options['copies'], options['shift'], options['scale']))
        if detected is not None:
            candidates.append(detected.to(truth.bboxes))
        priors = poolable_boxes(torch.cat(candidates), sample.img_shape)
        ignored = sample.get('ignored_instances')
        instances = InstanceData(priors=priors)
        result = self.count_sampler.sample(self.count_assigner.assign(instances, truth, ignored), instances, truth)
        boxes = poolable_boxes(result.pos_priors, sample.img_shape)
        index = result.pos_assigned_gt_inds.long()
        weights = truth.get(self._field('weights'))
        weights = boxes.new_ones(len(boxes)) if weights is None else weights[index].to(boxes)
        return boxes, truth[self.attribute][index], weights

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample], rescale: bool = True
    ) -> list[CountDataSample]:
        """Detect, then count in every box. Images of one size run together, those of other sizes after them.

        Args:
            batch_inputs: (B, 3, H, W).
            batch_data_samples: Samples of mmdet's own type are copied into ours; others are changed and returned.
            rescale: Whether boxes are given in pixels of the original images.
        """
        samples = [counted_sample(sample) for sample in batch_data_samples]
        return predict_by_size(partial(self._predict, rescale=rescale), batch_inputs, samples)

    def _predict(self, batch_inputs: Tensor, samples: list[CountDataSample], rescale: bool) -> list[CountDataSample]:
        feats = self.extract_feat(batch_inputs)
        samples = self.run_detector(batch_inputs, feats, samples, rescale)
        boxes = [poolable_boxes(self.input_boxes(sample, rescale), sample.img_shape) for sample in samples]
        values, scores = self.count_head.predict(self._pool(batch_inputs, feats, boxes))
        sizes = [len(one) for one in boxes]
        for sample, value, score in zip(samples, values.split(sizes), scores.split(sizes), strict=True):
            self.write_values(sample, value, score)
        return samples

    @property
    def codec(self) -> BoxAttributeCodec:
        """The count head's."""
        return self.count_head.codec

    @property
    def score_name(self) -> str:
        """Field of ``pred_instances`` that holds the scores of the attribute."""
        return self._field('scores')

    def _field(self, name: str) -> str:
        return f'count_{name}' if self.attribute == 'counts' else f'{self.attribute}_{name}'

    def write_values(self, sample: DetDataSample, values: Tensor, scores: Tensor) -> None:
        """Write (N,) values and scores of the boxes of an image into its sample, with what follows from them."""
        instances = sample.pred_instances
        instances[self.attribute], instances[self.score_name] = values, scores
        instances.label_names = self._label_names(instances.labels, values, instances.get('label_names'))
        threshold = self.count_test_cfg['score_thr']
        try:
            counts = count_instances(instances, self.num_classes, threshold)
        except ValueError as error:
            raise ValueError(
                f'image {sample.get("img_id", "?")}: {error}; num_classes of CountingDetector must be the number of '
                'classes that the detector predicts, or, with a prompt, of its entities at most'
            ) from error
        sample.pred_counts = torch.as_tensor(counts, dtype=torch.float32, device=scores.device)
        sample.set_metainfo(dict(count_score_thr=threshold))
        counted = instances.scores >= threshold
        cap = detection_cap(self)
        sample.saturated = cap is not None and int(counted.sum()) >= cap
        for reader in value_readers(self):
            if reader.attribute == 'counts' and isinstance(reader.codec, BoxCountCodec) and reader.codec.max_count:
                sample.saturated |= bool((instances.counts[counted] >= reader.codec.max_count).any())

    def _label_names(self, labels: Tensor, values: Tensor, names: Sequence[str] | None) -> list[str]:
        """'cup x12'; other attributes as 'cup distance 3.2', after what an inner wrapper has written."""
        classes = self.classes or (getattr(self, 'dataset_meta', None) or {}).get('classes')
        if names is None:
            known = dict(enumerate(classes or ()))
            names = [known.get(label, f'class {label}') for label in labels.tolist()]
        prefix = 'x' if self.attribute == 'counts' else f'{self.attribute} '
        digits = '.4g' if values.is_floating_point() else 'd'
        return [f'{name} {prefix}{value:{digits}}' for name, value in zip(names, values.tolist(), strict=True)]

    def _pool(self, batch_inputs: Tensor, feats: Sequence[Tensor], boxes: Sequence[Tensor]) -> Tensor:
        """Features of the boxes of all images, in the precision of the count head."""
        extractor = self.count_roi_extractor
        check_levels(feats, tuple(batch_inputs.shape[-2:]), extractor.featmap_strides, extractor.out_channels)
        dtype = next(self.count_head.parameters()).dtype
        with torch.autocast(batch_inputs.device.type, enabled=False):
            levels = tuple(feat.to(dtype) for feat in feats[: extractor.num_inputs])
            return extractor(levels, bbox2roi([one.to(dtype) for one in boxes]))

    def _forward(self, batch_inputs: Tensor, batch_data_samples: list[DetDataSample] | None = None) -> tuple[Any, Any]:
        """The raw outputs of the detector and of the count head, the latter on as many boxes as can be kept per image.

        All those boxes are the whole image: this mode serves to measure cost, not to predict.
        """
        feats = self.extract_feat(batch_inputs)
        with given_features(self.detector, batch_inputs, feats):
            outputs = self.detector._forward(batch_inputs, batch_data_samples)
        # While the model is traced, to count its operations, sizes are tensors.
        height, width = (int(side) for side in batch_inputs.shape[-2:])
        kept = min(detection_cap(self) or 1000, 1000)
        boxes = batch_inputs.new_tensor([[0.0, 0.0, width, height]]).repeat(kept, 1)
        return outputs, self.count_head(self._pool(batch_inputs, feats, [boxes] * len(batch_inputs)))


def _build_extractor(options: Mapping[str, Any]) -> nn.Module:
    defaults: dict[str, Any] = dict(
        type='mmdet.SingleRoIExtractor',
        roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
        out_channels=256,
    )
    options = {**defaults, **options}
    if not options.get('featmap_strides'):
        raise ValueError('roi_extractor needs featmap_strides, those of the first feature levels of the detector')
    if options['type'] == defaults['type']:
        # Which boxes belong to which level must follow the stride of the first one; mmdet's default is for stride 4.
        options.setdefault('finest_scale', 14 * options['featmap_strides'][0])
    return MODELS.build(options)


def _with_defaults(defaults: Mapping[str, Any], options: Mapping[str, Any], name: str) -> dict[str, Any]:
    unknown = set(options) - set(defaults)
    if unknown:
        raise ValueError(f'{name} knows {sorted(defaults)}, got {sorted(unknown)}')
    return {**defaults, **options}
