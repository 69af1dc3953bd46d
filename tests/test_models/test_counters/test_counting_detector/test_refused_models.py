"""Models that find no boxes to count in, and options that a detector would ignore, are refused when it is built."""

import pytest
from mmdet.models.detectors.single_stage_instance_seg import SingleStageInstanceSegmentor

from mmcount.registry import MODELS
from mmcount.utils import register_all_modules

PARTS = dict(roi_extractor=dict(featmap_strides=[8]), count_head=dict(codec=dict(type='mmcount.DigitCodec')))


@pytest.fixture(autouse=True)
def modules():
    """Modules of mmcount can be built."""
    register_all_modules()


REFUSED = {
    'mask2former/mask2former_r50_8xb2-lsj-50e_coco.py': 'Mask2Former: it predicts masks',
    'maskformer/maskformer_r50_ms-16xb1-75e_coco.py': 'MaskFormer: it predicts masks',
    'solo/solo_r50_fpn_1x_coco.py': 'SOLO: it predicts masks',
    'solov2/solov2_r50_fpn_1x_coco.py': 'SOLOv2: it predicts masks',
    'rpn/rpn_r50_fpn_1x_coco.py': 'RPN: it proposes boxes without classes',
    'soft_teacher/soft-teacher_faster-rcnn_r50-caffe_fpn_180k_semi-0.1-coco.py': 'SoftTeacher: it trains a student',
    'panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py': 'PanopticFPN: it predicts one panoptic map',
    'tridentnet/tridentnet_r50-caffe_1x_coco.py': 'TridentFasterRCNN: its branches',
    'clrnet/clrnet.py': 'CLRNet: it predicts lanes',
    'sort/sort_faster-rcnn_r50_fpn_8xb2-4e_mot17halftrain_test-mot17halfval.py': 'DeepSORT: it is no detector',
}


@pytest.mark.parametrize('path', REFUSED)
def test_models_that_are_no_detectors_of_boxes_are_refused_by_name(path):
    with pytest.raises(ValueError, match=f'cannot wrap {REFUSED[path]}'):
        MODELS.build(dict(type='mmcount.CountingDetector', detector=f'mmdet::{path}', **PARTS))


def test_a_detector_without_a_box_head_is_refused():
    detector = dict(
        type=SingleStageInstanceSegmentor,
        backbone=dict(type='ResNet', depth=18),
        neck=dict(type='FPN', in_channels=[64, 128, 256, 512], out_channels=16, num_outs=5),
        mask_head=dict(type='SOLOHead', num_classes=3, in_channels=16),
    )
    with pytest.raises(ValueError, match='SingleStageInstanceSegmentor has neither a bbox_head nor a roi_head'):
        MODELS.build(dict(type='mmcount.CountingDetector', detector=detector, num_classes=3, **PARTS))


def test_a_limit_that_yolox_ignores_is_refused():
    detector = dict(_base_='mmdet::yolox/yolox_tiny_8xb8-300e_coco.py', test_cfg=dict(max_per_img=20))
    with pytest.raises(ValueError, match=r'ignores test_cfg.max_per_img=20: set test_cfg=dict\(nms=dict\(max_num=20'):
        MODELS.build(dict(type='mmcount.CountingDetector', detector=detector, **PARTS))
