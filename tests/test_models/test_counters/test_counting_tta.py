import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmcount.models.counters.counting_tta import average, vote
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample
from mmcount.utils import register_all_modules

SIDE = 32


def build(**options):
    register_all_modules()
    init_default_scope('mmcount')
    detector = dict(
        _base_='mmdet::retinanet/retinanet_r50_fpn_1x_coco.py',
        backbone=dict(depth=18, base_channels=8, init_cfg=None),
        neck=dict(in_channels=[8, 16, 32, 64]),
        bbox_head=dict(stacked_convs=1),
    )
    module = dict(
        type='mmcount.CountingDetector',
        detector=detector,
        roi_extractor=dict(featmap_strides=[8, 16]),
        count_head=dict(codec=dict(type='mmcount.DigitCodec', max_count=20), fc_out_channels=8),
        classes=('cup', 'bowl'),
    )
    if options:
        module = dict(module, detector=module, **options)
    tta_cfg = ConfigDict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)
    return MODELS.build(dict(type='mmcount.CountingTTAModel', module=module, tta_cfg=tta_cfg))


def view(boxes, labels, scores, counts, count_scores, flip=False):
    meta = dict(img_id='one', ori_shape=(SIDE, SIDE), img_shape=(SIDE, SIDE), flip=flip, flip_direction='horizontal')
    sample = CountDataSample(metainfo=meta)
    sample.pred_instances = InstanceData(
        bboxes=torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4),
        labels=torch.tensor(labels, dtype=torch.int64),
        scores=torch.tensor(scores),
        counts=torch.tensor(counts, dtype=torch.int64),
        count_scores=torch.tensor(count_scores),
    )
    return sample


def test_views_vote_on_the_count_of_each_merged_box():
    model = build()
    views = [
        view([[2, 2, 12, 12], [20, 20, 30, 30]], [0, 1], [0.9, 0.8], [4, 9], [0.6, 0.9]),
        # Mirrored: the first box lies at 32 - 12 = 20.
        view([[20, 2, 30, 12]], [0], [0.7], [5], [0.5], flip=True),
        view([[2, 2, 12, 12], [2, 2, 12, 12]], [0, 1], [0.6, 0.5], [5, 13], [0.4, 0.9]),
    ]
    (merged,) = model.merge_preds([views])
    found = merged.pred_instances
    kept = {
        (label, box[0]): count
        for label, box, count in zip(found.labels.tolist(), found.bboxes.tolist(), found.counts.tolist(), strict=True)
    }
    assert kept == {(0, 2.0): 5, (1, 20.0): 9, (1, 2.0): 13}
    assert found.label_names[0] == 'cup x5'
    torch.testing.assert_close(found.count_scores[0], torch.tensor(0.9 / 1.5))
    assert merged.pred_counts.tolist() == [5.0, 22.0]


def test_views_without_boxes_stay_empty():
    empty = [view([], [], [], [], []), view([], [], [], [], [], flip=True)]
    (merged,) = build().merge_preds([empty])
    assert merged.pred_instances.counts.shape == (0,)


def test_boxes_below_the_overlap_have_no_vote():
    overlaps = torch.tensor([[1.0, 0.49, 0.49], [0.49, 0.5, 0.5]])
    values, shares = vote(overlaps, torch.tensor([2, 7, 7]), torch.tensor([0.1, 0.4, 0.4]))
    assert values.tolist() == [2, 7]
    assert shares.tolist() == [1.0, 1.0]


def test_estimates_are_averaged_and_wrappers_keep_all_they_know():
    codec = dict(type='mmcount.ValueCodec')
    model = build(attribute='distance', count_head=dict(codec=codec, fc_out_channels=8))
    views = [view([[2, 2, 12, 12]], [0], [0.9], [4], [0.6]), view([[2, 2, 12, 11]], [0], [0.8], [5], [0.7])]
    for one, distance in zip(views, (2.0, 5.0), strict=True):
        one.pred_instances.distance = torch.tensor([distance])
        one.pred_instances.distance_scores = torch.ones(1)
    (merged,) = model.merge_preds([views])
    found = merged.pred_instances
    assert found.counts.tolist() == [5]
    assert found.distance.tolist() == [3.5]
    assert found.label_names == ['cup x5 distance 3.5']
    assert merged.pred_counts.tolist() == [5.0, 0.0]


def test_averages_of_whole_numbers_are_whole_and_far_boxes_have_no_part():
    overlaps = torch.tensor([[1.0, 0.5, 0.49], [0.0, 0.0, 0.0]])
    values, scores = average(overlaps, torch.tensor([3, 6, 99]), torch.tensor([2.9, 6.5, 99.0]))
    assert values.dtype == torch.int64
    assert values[0].item() == 4
    torch.testing.assert_close(scores, torch.tensor([4.7, 0.0]))


def test_a_view_that_is_saturated_saturates_the_image():
    model = build()
    for flags, saturated in (((False, True), True), ((False, False), False)):
        views = [view([[2, 2, 12, 12]], [0], [0.9], [4], [0.6]), view([[2, 2, 12, 12]], [0], [0.8], [4], [0.7])]
        for one, flag in zip(views, flags, strict=True):
            one.saturated = flag
        assert model.merge_preds([views])[0].saturated is saturated
    model.tta_cfg.max_per_img = 1
    views = [view([[2, 2, 12, 12], [20, 20, 30, 30]], [0, 0], [0.9, 0.8], [4, 5], [0.6, 0.6])] * 2
    views[0].saturated = False
    assert model.merge_preds([views])[0].saturated is True


def clcnet(**options):
    """mmdet's Faster R-CNN with a count head."""
    register_all_modules()
    init_default_scope('mmcount')
    cfg = Config.fromstring("_base_ = 'mmdet::faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py'", '.py')
    roi_head = dict(
        type='mmcount.CountRoIHead',
        codec=dict(type='mmcount.DigitCodec', max_count=20),
        bbox_head=dict(type='mmcount.CountBBoxHead', fc_out_channels=8, in_channels=16),
        bbox_roi_extractor=dict(out_channels=16),
    )
    changes = dict(
        type='mmcount.CLCNet',
        _scope_='mmdet',
        backbone=dict(depth=18, base_channels=8, init_cfg=None),
        neck=dict(in_channels=[8, 16, 32, 64], out_channels=16),
        rpn_head=dict(in_channels=16, feat_channels=16),
        roi_head=roi_head,
        train_cfg=None,
        **options,
    )
    cfg.merge_from_dict(dict(model=changes))
    return cfg.model


def test_clcnet_votes_too():
    tta_cfg = ConfigDict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)
    model = MODELS.build(dict(type='mmcount.CountingTTAModel', module=clcnet(), tta_cfg=tta_cfg))
    views = [
        view([[2, 2, 12, 12]], [0], [0.9], [4], [0.6]),
        view([[20, 2, 30, 12]], [0], [0.7], [5], [0.5], flip=True),
        view([[2, 2, 12, 12]], [0], [0.6], [5], [0.4]),
    ]
    (merged,) = model.merge_preds([views])
    assert merged.pred_instances.counts.tolist() == [5]
    assert merged.get('saturated') is None


@pytest.mark.parametrize('kind', ['CountingDetector', 'CLCNet'])
def test_mmdet_s_merging_which_would_lose_the_counts_is_refused(kind):
    module = clcnet() if kind == 'CLCNet' else build().module
    tta_cfg = ConfigDict(nms=dict(type='nms', iou_threshold=0.5), max_per_img=10)
    model = MODELS.build(dict(type='mmdet.DetTTAModel', module=module, tta_cfg=tta_cfg)).eval()
    sample = dict(img_shape=(SIDE, SIDE), ori_shape=(SIDE, SIDE), scale_factor=(1.0, 1.0), img_id='one', flip=False)
    views = [CountDataSample(metainfo=dict(sample, flip_direction=None)) for _ in range(2)]
    head = model.module.roi_head if kind == 'CLCNet' else model.module.detector.bbox_head
    head.test_cfg.score_thr = 0.0
    image = torch.zeros(3, SIDE, SIDE, dtype=torch.uint8)
    data = dict(inputs=[[image], [image]], data_samples=[[views[0]], [views[1]]])
    with torch.no_grad(), pytest.raises(ValueError, match="boxes with 'counts' are replaced by boxes without"):
        model.test_step(data)


def test_models_without_counts_are_refused():
    detector = Config.fromstring("_base_ = 'mmdet::retinanet/retinanet_r50_fpn_1x_coco.py'", '.py').model
    register_all_modules()
    init_default_scope('mmcount')
    with pytest.raises(ValueError, match='merges counts of a CountingDetector or CLCNet, got RetinaNet'):
        MODELS.build(dict(type='mmcount.CountingTTAModel', module=dict(detector, _scope_='mmdet'), tta_cfg=None))
