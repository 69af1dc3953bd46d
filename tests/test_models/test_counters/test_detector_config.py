import pytest

from mmcount.models.counters import load_model_config, resolve_detector

RETINANET = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'


def test_a_config_is_copied_and_gets_the_scope_of_mmdet():
    given = dict(type='FCOS', bbox_head=dict(type='FCOSHead', num_classes=80))
    cfg = resolve_detector(given, num_classes=3)
    assert (cfg.type, cfg._scope_, cfg.bbox_head.num_classes) == ('FCOS', 'mmdet', 3)
    assert given == dict(type='FCOS', bbox_head=dict(type='FCOSHead', num_classes=80))
    assert resolve_detector(dict(type='Own', _scope_='own'))._scope_ == 'own'


def test_a_name_stands_for_the_model_of_that_config():
    cfg = resolve_detector(RETINANET)
    assert cfg == resolve_detector(dict(_base_=RETINANET))
    assert cfg.bbox_head.num_classes == 80


def test_what_differs_is_merged_over_the_base():
    backbone = dict(_delete_=True, type='MobileNetV2')
    cfg = resolve_detector(dict(_base_=RETINANET, backbone=backbone, test_cfg=dict(max_per_img=7)))
    assert cfg.backbone == dict(type='MobileNetV2')
    assert (cfg.test_cfg.max_per_img, cfg.test_cfg.nms_pre) == (7, 1000)


def test_only_heads_of_the_data_set_get_its_classes():
    cfg = resolve_detector(
        dict(
            type='CascadeRCNN',
            backbone=dict(type='VGG', num_classes=-1),
            rpn_head=dict(type='FCOSHead', num_classes=1),
            roi_head=dict(
                bbox_head=[
                    dict(num_classes=80, loss_cls=dict(type='SeesawLoss', num_classes=80)),
                    dict(num_classes=80),
                ],
                mask_head=dict(num_classes=80),
                semantic_head=dict(num_classes=183),
            ),
        ),
        num_classes=5,
    )
    assert [head.num_classes for head in cfg.roi_head.bbox_head] == [5, 5]
    assert cfg.roi_head.bbox_head[0].loss_cls.num_classes == 5
    assert cfg.roi_head.mask_head.num_classes == 5
    assert (cfg.backbone.num_classes, cfg.rpn_head.num_classes, cfg.roi_head.semantic_head.num_classes) == (-1, 1, 183)


def test_config_files_of_ones_own(tmp_path):
    path = tmp_path / 'mine.py'
    path.write_text("model = dict(type='Mine')\n")
    assert load_model_config(str(path)).type == 'Mine'
    path.write_text('data = 1\n')
    with pytest.raises(ValueError, match="defines no 'model'"):
        load_model_config(str(path))
    with pytest.raises(FileNotFoundError):
        load_model_config(str(tmp_path / 'none.py'))


def test_what_is_no_detector_is_refused():
    with pytest.raises(TypeError, match='must be a config or the name of one, got int'):
        resolve_detector(3)
    with pytest.raises(ValueError, match="has no 'type'; it has \\['backbone'\\]"):
        resolve_detector(dict(backbone=dict(type='ResNet')))
