"""The cap of detections, wherever a model of mmdet keeps it."""

import pytest
import torch
from mmengine.registry import init_default_scope
from torch import nn

from mmcount.models.counters import detection_cap, resolve_detector
from mmcount.registry import MODELS
from mmcount.utils import register_all_modules

RPN = dict(test_cfg=dict(rpn=dict(max_per_img=90)))
# The config of mmdet, what is changed in it, and the most boxes that it gives.
LAYOUTS = [
    ('retinanet/retinanet_r50_fpn_1x_coco.py', {}, 100),
    ('retinanet/retinanet_r50_fpn_1x_coco.py', dict(test_cfg=dict(max_per_img=150)), 150),
    ('retinanet/retinanet_r50_fpn_1x_coco.py', dict(test_cfg=dict(nms=dict(max_num=30))), 30),
    ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', {}, 100),
    ('faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py', dict(test_cfg=dict(rcnn=dict(max_per_img=-1))), 1000),
    ('cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py', RPN, 90),
    ('htc/htc_r50_fpn_1x_coco.py', dict(test_cfg=dict(rcnn=dict(max_per_img=70))), 70),
    ('sparse_rcnn/sparse-rcnn_r50_fpn_1x_coco.py', {}, 100),
    (
        'sparse_rcnn/sparse-rcnn_r50_fpn_300-proposals_crop-ms-480-800-3x_coco.py',
        dict(rpn_head=dict(num_proposals=40)),
        40,
    ),
    ('detr/detr_r50_8xb2-150e_coco.py', {}, 100),
    ('detr/detr_r50_8xb2-150e_coco.py', dict(num_queries=60), 60),
    ('deformable_detr/deformable-detr_r50_16xb2-50e_coco.py', dict(test_cfg=dict(max_per_img=120)), 120),
    ('dino/dino-4scale_r50_8xb2-12e_coco.py', {}, 300),
    ('centernet/centernet_r18_8xb16-crop512-140e_coco.py', dict(test_cfg=dict(topk=40)), 40),
    ('cornernet/cornernet_hourglass104_8xb6-210e-mstest_coco.py', dict(test_cfg=dict(corner_topk=50)), 50),
    ('yolact/yolact_r50_1xb8-55e_coco.py', {}, 100),
    ('ssd/ssd300_coco.py', {}, 200),
    # Its head has no limit: what the option says is not what it does.
    ('yolox/yolox_s_8xb8-300e_coco.py', dict(test_cfg=dict(max_per_img=20)), None),
    ('yolox/yolox_s_8xb8-300e_coco.py', dict(test_cfg=dict(nms=dict(max_num=30))), 30),
]


def built(path, changes):
    register_all_modules()
    init_default_scope('mmcount')
    cfg = resolve_detector(dict(_base_=f'mmdet::{path}', **changes))
    with torch.device('meta'):
        return MODELS.build(cfg)


@pytest.mark.parametrize(('path', 'changes', 'cap'), LAYOUTS, ids=[f'{path}-{cap}' for path, _, cap in LAYOUTS])
def test_the_smallest_limit_of_a_detector_is_its_cap(path, changes, cap):
    assert detection_cap(built(path, changes)) == cap


def test_wrappers_have_the_cap_of_their_detector():
    detector = built('retinanet/retinanet_r50_fpn_1x_coco.py', {})
    for name in ('detector', 'module'):
        wrapper = nn.Module()
        setattr(wrapper, name, detector)
        outer = nn.Module()
        outer.module = wrapper
        assert detection_cap(wrapper) == detection_cap(outer) == 100


def test_a_limit_that_is_set_in_the_head_counts_too():
    head = nn.Module()
    head.test_cfg = dict(max_per_img=17)
    model = nn.Module()
    model.bbox_head = head
    assert detection_cap(model) == 17


def test_counters_without_boxes_have_none():
    assert detection_cap(nn.Linear(1, 1)) is None
    assert detection_cap(MODELS.build(dict(type='mmcount.CountCeption'))) is None
