"""Counts of detectors do not depend on the neighbours of an image in a batch."""

import copy
from functools import partial

import pytest
import torch
from mmdet.models.detectors import TwoStageDetector
from mmdet.structures import DetDataSample
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope

from mmcount.models.roi_heads.count_prediction import refuse_foreign_padding
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample
from mmcount.utils import register_all_modules

WIDTH = 16
CODEC = dict(type='mmcount.DigitCodec', max_count=20, base=2)
RESNET = dict(depth=18, base_channels=8, init_cfg=None, style='pytorch', frozen_stages=-1)
SIZES = [(40, 90), (64, 64), (96, 40), (33, 64)]


@pytest.fixture(autouse=True)
def scope():
    """Modules of mmcount and mmdet can be built."""
    register_all_modules()
    init_default_scope('mmcount')


def built(config):
    torch.manual_seed(0)
    model = MODELS.build(config)
    model.init_weights()
    # Biases that make padding visible, as training does.
    for name, parameter in model.named_parameters():
        if name.endswith('bias') and parameter.ndim == 1:
            torch.nn.init.normal_(parameter, std=0.5)
    return model.eval()


def counting(path, changes, strides):
    detector = Config(dict(model=dict(_base_=f'mmdet::{path}', **changes))).model
    extractor = dict(featmap_strides=strides, out_channels=WIDTH)
    head = dict(codec=CODEC, fc_out_channels=16)
    return dict(
        type='mmcount.CountingDetector', detector=detector, num_classes=3, roi_extractor=extractor, count_head=head
    )


def retinanet():
    head = dict(in_channels=WIDTH, feat_channels=WIDTH, stacked_convs=1)
    changes = dict(
        backbone=RESNET,
        neck=dict(in_channels=[8, 16, 32, 64], out_channels=WIDTH),
        bbox_head=head,
        test_cfg=dict(score_thr=0.0, max_per_img=20),
    )
    return counting('retinanet/retinanet_r50_fpn_1x_coco.py', changes, [8, 16])


def deformable_detr():
    size = dict(embed_dims=WIDTH, num_heads=4)
    ffn = dict(embed_dims=WIDTH, feedforward_channels=16)
    changes = dict(
        num_queries=12,
        backbone=RESNET,
        neck=dict(in_channels=[16, 32, 64], out_channels=WIDTH, norm_cfg=dict(type='GN', num_groups=4)),
        encoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=size, ffn_cfg=ffn)),
        decoder=dict(num_layers=1, layer_cfg=dict(self_attn_cfg=size, cross_attn_cfg=size, ffn_cfg=ffn)),
        positional_encoding=dict(num_feats=WIDTH // 2),
        bbox_head=dict(embed_dims=WIDTH),
        test_cfg=dict(max_per_img=10),
    )
    return counting('deformable_detr/deformable-detr_r50_16xb2-50e_coco.py', changes, [8, 16])


def clcnet(num_stages):
    """mmdet's Cascade or Faster R-CNN, small, with count heads."""
    name = 'cascade_rcnn/cascade-rcnn' if num_stages > 1 else 'faster_rcnn/faster-rcnn'
    cfg = Config.fromstring(f"_base_ = 'mmdet::{name}_r50_fpn_1x_coco.py'", '.py').model
    heads = cfg.roi_head.bbox_head if num_stages > 1 else [cfg.roi_head.bbox_head]
    small = dict(type='mmcount.CountBBoxHead', in_channels=WIDTH, fc_out_channels=WIDTH, num_classes=3)
    heads = [{**head, **small} for head in heads]
    roi_head = dict(type='mmcount.CountRoIHead', bbox_head=heads[0])
    if num_stages > 1:
        roi_head = dict(type='mmcount.CascadeCountRoIHead', bbox_head=heads)
    whole = Config(dict(model=cfg))
    changes = dict(
        type='mmcount.CLCNet',
        backbone=RESNET,
        neck=dict(in_channels=[8, 16, 32, 64], out_channels=WIDTH),
        rpn_head=dict(in_channels=WIDTH, feat_channels=WIDTH),
        roi_head=dict(codec=CODEC, bbox_roi_extractor=dict(out_channels=WIDTH), **roi_head),
        test_cfg=dict(rpn=dict(nms_pre=50, max_per_img=30), rcnn=dict(score_thr=0.0, max_per_img=20)),
    )
    whole.merge_from_dict(dict(model=changes))
    return ConfigDict(whole.model, train_cfg=None, _scope_='mmdet')


MODELS_OF = {
    'RetinaNet': retinanet,
    'Deformable DETR': deformable_detr,
    'CLCNet s1': partial(clcnet, 1),
    'CLCNet s3': partial(clcnet, 3),
}


def images(kind=CountDataSample):
    generator = torch.Generator().manual_seed(0)
    return [
        (
            torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator),
            kind(metainfo=dict(img_id=str(size), img_shape=size, ori_shape=size, scale_factor=(1.0, 1.0))),
        )
        for size in SIZES
    ]


def predict(model, pairs):
    inputs, samples = zip(*copy.deepcopy(pairs), strict=True)
    with torch.no_grad():
        return model.test_step(dict(inputs=list(inputs), data_samples=list(samples)))


@pytest.mark.parametrize('kind', [CountDataSample, DetDataSample])
@pytest.mark.parametrize('name', MODELS_OF)
def test_neighbours_of_other_sizes_do_not_change_an_image(name, kind):
    model, pairs = built(MODELS_OF[name]()), images(kind)
    together = predict(model, pairs)
    assert [sample.img_id for sample in together] == [str(size) for size in SIZES]
    for pair, sample in zip(pairs, together, strict=True):
        (alone,) = predict(model, [pair])
        expected, found = alone.pred_instances, sample.pred_instances
        assert len(found) == len(expected) > 0
        assert torch.equal(found.counts, expected.counts)
        torch.testing.assert_close(found.bboxes, expected.bboxes, rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(found.scores, expected.scores, rtol=1e-4, atol=1e-5)


def test_padding_by_neighbours_would_change_an_image():
    """What the grouping is for: without it, these numbers are others."""
    model, pairs = built(clcnet(3)), images()
    inputs, samples = zip(*copy.deepcopy(pairs), strict=True)
    data = model.data_preprocessor(dict(inputs=list(inputs), data_samples=list(samples)), False)
    for sample in data['data_samples']:  # hide from the RoI head what was done
        sample.set_metainfo(dict(pad_shape=data['inputs'].shape[-2:]))
    with torch.no_grad():
        padded = TwoStageDetector.predict(model, data['inputs'], data['data_samples'])
    (alone,) = predict(model, pairs[:1])
    assert not torch.allclose(padded[0].pred_instances.scores[:5], alone.pred_instances.scores[:5], atol=1e-4)


def test_mmdet_s_own_class_refuses_batches_of_several_sizes():
    config = clcnet(3)
    config.type = 'mmdet.CascadeRCNN'
    model = built(config)
    with pytest.raises(ValueError, match=r"padded to \(96, 96\) px by its neighbours.*set type='mmcount.CLCNet'"):
        predict(model, images())
    (one,) = predict(model, images()[:1])
    assert len(one.pred_instances.counts) > 0


def test_padding_that_an_image_brings_itself_is_no_fault():
    refuse_foreign_padding([dict(pad_shape=(64, 96), batch_input_shape=(64, 96)), dict(img_shape=(4, 4))])
    refuse_foreign_padding([dict(pad_shape=(64, 96, 3), batch_input_shape=(64, 96))])


def test_clcnet_needs_a_roi_head_that_counts():
    config = clcnet(1)
    plain = Config.fromstring("_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'", '.py').model
    with pytest.raises(ValueError, match='CLCNet needs a RoI head that counts, got StandardRoIHead'):
        MODELS.build(dict(config, roi_head=plain.roi_head))
