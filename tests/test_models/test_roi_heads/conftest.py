"""A detector that is small enough to run in milliseconds."""

import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmcount.registry import MODELS
from mmcount.structures import CountDataSample
from mmcount.utils import register_all_modules

NUM_CLASSES = 3
SIDE = 64


def iou_stage(threshold, sampler='mmcount.CountRandomSampler'):
    return dict(
        assigner=dict(
            type='mmdet.MaxIoUAssigner',
            pos_iou_thr=threshold,
            neg_iou_thr=threshold,
            min_pos_iou=threshold,
            match_low_quality=False,
        ),
        sampler=dict(type=sampler, num=16, pos_fraction=0.5),
        pos_weight=-1,
        debug=False,
    )


def tiny_config(codec, num_stages, sampler='mmcount.CountRandomSampler', **options):
    """CLCNet of ``num_stages`` stages over 8-channel features of stride 8; one stage is Faster R-CNN."""
    box_head = dict(
        type='mmcount.CountBBoxHead',
        in_channels=8,
        fc_out_channels=16,
        num_classes=NUM_CLASSES,
        reg_class_agnostic=num_stages > 1,
        loss_bbox=dict(type='mmdet.SmoothL1Loss', beta=1.0),
        **options.pop('head', {}),
    )
    roi_head = dict(
        type='mmcount.CountRoIHead',
        codec=codec,
        bbox_head=box_head,
        bbox_roi_extractor=dict(
            type='mmdet.SingleRoIExtractor',
            roi_layer=dict(type='RoIAlign', output_size=7, sampling_ratio=0),
            out_channels=8,
            featmap_strides=[8],
        ),
    )
    rcnn = iou_stage(0.5, sampler)
    if num_stages > 1:
        weights = [1.0 / 2**stage for stage in range(num_stages)]
        roi_head.update(type='mmcount.CascadeCountRoIHead', num_stages=num_stages, stage_loss_weights=weights)
        rcnn = [iou_stage(0.5 + 0.1 * stage, sampler) for stage in range(num_stages)]
    proposals = dict(nms_pre=50, max_per_img=20, nms=dict(type='nms', iou_threshold=0.7), min_bbox_size=0)
    config = dict(
        type='mmdet.FasterRCNN' if num_stages == 1 else 'mmdet.CascadeRCNN',
        _scope_='mmdet',
        data_preprocessor=dict(type='mmdet.DetDataPreprocessor', pad_size_divisor=8),
        backbone=dict(
            type='mmdet.ResNet',
            depth=18,
            deep_stem=True,
            stem_channels=8,
            base_channels=8,
            num_stages=2,
            strides=(1, 2),
            dilations=(1, 1),
            out_indices=(1,),
        ),
        neck=dict(type='mmdet.FPN', in_channels=[16], out_channels=8, num_outs=1),
        rpn_head=dict(
            type='mmdet.RPNHead',
            in_channels=8,
            feat_channels=8,
            anchor_generator=dict(type='mmdet.AnchorGenerator', scales=[2], ratios=[1.0], strides=[8]),
            bbox_coder=dict(type='mmdet.DeltaXYWHBBoxCoder'),
            loss_cls=dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True),
            loss_bbox=dict(type='mmdet.SmoothL1Loss', beta=1.0 / 9),
        ),
        roi_head=dict(roi_head, **options),
        train_cfg=dict(
            rpn=dict(
                assigner=dict(type='mmdet.MaxIoUAssigner', pos_iou_thr=0.7, neg_iou_thr=0.3, min_pos_iou=0.3),
                sampler=dict(type='mmdet.RandomSampler', num=32, pos_fraction=0.5, add_gt_as_proposals=False),
                allowed_border=-1,
                pos_weight=-1,
                debug=False,
            ),
            rpn_proposal=proposals,
            rcnn=rcnn,
        ),
        test_cfg=dict(rpn=proposals, rcnn=dict(score_thr=0.0, nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)),
    )
    return ConfigDict(config)


def make_sample(number, seed=0):
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand(number, 2, generator=generator) * (SIDE - 24)
    sample = CountDataSample(
        metainfo=dict(img_id=str(seed), img_shape=(SIDE, SIDE), ori_shape=(SIDE, SIDE), scale_factor=(1.0, 1.0))
    )
    sample.gt_instances = InstanceData(
        bboxes=torch.cat([corners, corners + 16 + 8 * torch.rand(number, 2, generator=generator)], dim=1),
        labels=torch.arange(number) % NUM_CLASSES,
        counts=torch.arange(number) + 1,
    )
    return sample


@pytest.fixture
def tiny():
    """Builds a detector, seeded."""
    register_all_modules()

    def build(codec, num_stages, **options):
        torch.manual_seed(0)
        model = MODELS.build(tiny_config(codec, num_stages, **options))
        model.init_weights()
        return model

    return build


@pytest.fixture
def batch():
    """Builds raw batches of images with this many boxes each."""

    def build(*numbers):
        generator = torch.Generator().manual_seed(0)
        images = [torch.randint(0, 255, (3, SIDE, SIDE), dtype=torch.uint8, generator=generator) for _ in numbers]
        return dict(inputs=images, data_samples=[make_sample(number, seed) for seed, number in enumerate(numbers)])

    return build
