"""How CountingDetector is put together, and what hooks, tools and checkpoints find in it."""

import copy
from types import SimpleNamespace

import pytest
import torch
from mmdet.engine.hooks import NumClassCheckHook, YOLOXModeSwitchHook
from mmdet.models.detectors import BaseDetector
from mmengine.analysis import get_model_complexity_info
from mmengine.model import ExponentialMovingAverage

from mmcount.models.counters import CountingDetector, resolve_detector
from mmcount.models.counters.detector_features import check_levels, given_features

SIDE = 64
CLASSES = 3
WIDTH = 16


@pytest.mark.parametrize('source', ['gt', 'pred', 'both'])
def test_the_backbone_runs_once(build, batch, total_loss, source):
    model = build(count_train_cfg=dict(source=source))
    runs = []
    model.backbone.register_forward_hook(lambda *_: runs.append(1))
    total_loss(model.train())
    assert len(runs) == 1
    model.eval().test_step(batch())
    assert len(runs) == 2


def test_copies_and_moving_averages_work_after_training_and_testing(build, batch, total_loss):
    model = build(count_train_cfg=dict(source='both')).train()
    average = ExponentialMovingAverage(model)
    total_loss(model)[0].backward()
    model.eval().test_step(batch())
    twin = copy.deepcopy(model)
    average.update_parameters(model)
    for one in (twin, average.module.eval()):
        assert len(one.test_step(batch())[0].pred_instances.counts) == 8


def test_checkpoints_round_trip(build, batch, tmp_path):
    model, other = build(seed=0).eval(), build(seed=1).eval()
    path = tmp_path / 'model.pth'
    torch.save(model.state_dict(), path)
    other.load_state_dict(torch.load(path))
    for expected, found in zip(model.test_step(batch()), other.test_step(batch()), strict=True):
        assert torch.equal(found.pred_instances.counts, expected.pred_instances.counts)
        assert torch.equal(found.pred_instances.count_scores, expected.pred_instances.count_scores)
        assert torch.equal(found.pred_counts, expected.pred_counts)
    prefixes = {key.split('.')[0] for key in model.state_dict()}
    assert prefixes == {'detector', 'count_head'}


def test_hooks_of_mmdet_find_what_they_look_for(build):
    model = build()
    loader = SimpleNamespace(dataset=SimpleNamespace(metainfo=dict(classes=('a', 'b', 'c'))))
    runner = SimpleNamespace(model=model, train_dataloader=loader)
    NumClassCheckHook().before_train_epoch(runner)
    loader.dataset.metainfo['classes'] = ('a', 'b')
    with pytest.raises(AssertionError):
        NumClassCheckHook().before_train_epoch(runner)
    assert model.backbone is model.detector.backbone
    assert model.neck is model.detector.neck
    assert model.bbox_head is model.detector.bbox_head
    assert not hasattr(model, 'roi_head')
    logger = SimpleNamespace(info=lambda *_: None)
    train_loader = SimpleNamespace(
        dataset=SimpleNamespace(update_skip_type_keys=lambda *_: None), _DataLoader__initialized=True
    )
    runner = SimpleNamespace(
        model=model,
        train_dataloader=train_loader,
        epoch=5,
        max_epochs=6,
        logger=logger,
        train_loop=SimpleNamespace(dataloader=train_loader),
    )
    YOLOXModeSwitchHook(num_last_epochs=1).before_train_epoch(runner)
    assert model.detector.bbox_head.use_l1


def test_the_preprocessor_of_the_detector_is_the_wrapper_s(build):
    model = build()
    assert type(model.data_preprocessor).__name__ == 'DetDataPreprocessor'
    assert model.data_preprocessor.mean.flatten().tolist() == [99.0] * 3
    assert type(model.detector.data_preprocessor).__name__ == 'BaseDataPreprocessor'


def test_the_raw_mode_runs_both_parts(build):
    model = build().eval()
    outputs, counts = model(torch.zeros(2, 3, SIDE, SIDE), mode='tensor')
    assert len(outputs) == 2
    assert counts[0].shape == (2 * 8, 100)


def test_features_of_other_inputs_are_computed():
    seen = []

    class Peeking(BaseDetector):
        extract_feat = _forward = predict = lambda self, inputs, *_: inputs.mean()

        def loss(self, inputs, samples):
            seen.extend([self.extract_feat(inputs), self.extract_feat(inputs + 1)])
            return {}

    detector, inputs = Peeking(), torch.zeros(1)
    with given_features(detector, inputs, 'given'):
        detector.loss(inputs, [])
        with pytest.raises(RuntimeError, match='given already'), given_features(detector, inputs, 'again'):
            pass
    assert seen == ['given', 1.0]


def test_strides_and_channels_that_do_not_fit_are_named(build, batch, total_loss):
    model = build(roi_extractor=dict(featmap_strides=[4, 8], out_channels=WIDTH))
    with pytest.raises(ValueError, match=r'\[4, 8\] do not fit at level 0: .*strides of about \[8, 16, 32\]'):
        total_loss(model.train())
    with pytest.raises(ValueError, match=r'\[4, 8\] do not fit at level 0'):
        model.eval().test_step(batch())
    feats = [torch.zeros(1, 8, 8, 8), torch.zeros(1, 16, 4, 4)]
    with pytest.raises(ValueError, match='names 3 levels, but the detector gives 2 levels'):
        check_levels(feats, (64, 64), [8, 16, 32], 8)
    with pytest.raises(ValueError, match=r'out_channels=8 does not fit level 1: .* 16\] channels'):
        check_levels(feats, (64, 64), [8, 16], 8)
    check_levels([torch.zeros(1, 8, 38, 38)], (300, 300), [8], 8)


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(classes=('a', 'b'), num_classes=3), 'num_classes=3, but classes names 2'),
        (dict(count_train_cfg=dict(source='some')), "must be one of .*got 'some'"),
        (dict(count_train_cfg=dict(sources='gt')), r"knows .* got \['sources'\]"),
        (dict(count_test_cfg=dict(thr=1)), r"count_test_cfg knows \['score_thr'\], got \['thr'\]"),
        (dict(roi_extractor=dict(out_channels=8)), 'needs featmap_strides'),
    ],
)
def test_bad_options_are_refused(build, options, message):
    with pytest.raises(ValueError, match=message):
        build(**options)


def test_classes_are_given_to_the_heads(build, retinanet):
    model = build(classes=tuple('abcdefg'))
    assert isinstance(model, CountingDetector)
    assert (model.num_classes, model.bbox_head.num_classes) == (7, 7)
    assert build().num_classes == CLASSES
    assert resolve_detector(retinanet()).bbox_head.num_classes == CLASSES


def test_operations_can_be_counted_by_tracing(build):
    model = build().eval()
    inputs = torch.zeros(1, 3, SIDE, SIDE)
    whole, detector = (
        get_model_complexity_info(one, None, inputs=inputs, show_table=False, show_arch=False)['flops']
        for one in (model, model.detector)
    )
    # Eight boxes of 7 x 7 x 16 cells through layers of 16, 16 and 100.
    assert whole - detector >= 8 * (49 * 16 * 16 + 16 * 16 + 16 * 100)
    assert whole > detector > 0
