"""The data set configs of counted boxes: what they give, and that a stock detector of mmdet learns from it."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config, ConfigDict
from mmengine.dataset import pseudo_collate
from PIL import Image

from mmcount.registry import DATASETS, METRICS, MODELS
from mmcount.structures import CountDataSample
from mmcount.utils import register_all_modules

FOLDER = Path(__file__).resolve().parents[2] / 'configs' / '_base_' / 'datasets'
NAMES = ('locount', 'mnist_lego_shelf')
PHASES = ('train', 'val', 'test')


def load(name):
    register_all_modules()
    return Config.fromfile(FOLDER / f'{name}.py')


def locount_tree(root, shape=(54, 96)):
    rng = np.random.default_rng(0)
    for part in ('Train', 'Test'):
        (root / f'annotation_{part.lower()}').mkdir()
        (root / f'Locount_Images{part}').mkdir()
        for index in range(3):
            img = Image.fromarray(rng.integers(0, 255, (*shape, 3), dtype=np.uint8))
            img.save(root / f'Locount_Images{part}' / f'{index:04d}.jpg')
            rows = ['10,5,50,45,Tea,12\n', '60,20,90,50,Mug,1\n'] if index else []
            (root / f'annotation_{part.lower()}' / f'{index:04d}.txt').write_text(''.join(rows))


def prepared(name, tmp_path):
    cfg = load(name)
    if name == 'locount':
        locount_tree(tmp_path)
    for phase in PHASES:
        dataset = cfg[f'{phase}_dataloader'].dataset
        if name == 'locount':
            dataset.update(data_root=str(tmp_path), img_shape=None)
            for step in dataset.pipeline:
                if step['type'] == 'mmdet.Resize':
                    step['scale'] = (192, 108)
        else:
            dataset.num_samples = 3
    return cfg


def datasets_of(cfg):
    return {phase: DATASETS.build(copy.deepcopy(cfg[f'{phase}_dataloader'].dataset)) for phase in PHASES}


def faster_rcnn(num_classes):
    """Stock Faster R-CNN with a small backbone."""
    fpn = dict(type='mmdet.FPN', in_channels=[8, 16, 32, 64], out_channels=16, num_outs=5)
    delta = dict(type='mmdet.DeltaXYWHBBoxCoder', target_means=[0.0] * 4, target_stds=[0.1, 0.1, 0.2, 0.2])
    cross_entropy = dict(type='mmdet.CrossEntropyLoss', use_sigmoid=True)
    assigner = dict(type='mmdet.MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.5, min_pos_iou=0.3)
    sampler = dict(type='mmdet.RandomSampler', num=32, pos_fraction=0.5)
    nms = dict(type='nms', iou_threshold=0.7)
    common = dict(pos_weight=-1, debug=False)
    config = ConfigDict(
        dict(
            _scope_='mmdet',
            type='FasterRCNN',
            data_preprocessor=dict(
                type='mmdet.DetDataPreprocessor', mean=[30.0] * 3, std=[60.0] * 3, pad_size_divisor=32
            ),
            backbone=dict(type='mmdet.ResNet', depth=18, base_channels=8, stem_channels=8),
            neck=fpn,
            rpn_head=dict(
                type='mmdet.RPNHead',
                in_channels=16,
                feat_channels=16,
                anchor_generator=dict(
                    type='mmdet.AnchorGenerator', scales=[4], ratios=[0.5, 1.0, 2.0], strides=[4, 8, 16, 32, 64]
                ),
                bbox_coder=delta,
                loss_cls=cross_entropy,
            ),
            roi_head=dict(
                type='mmdet.StandardRoIHead',
                bbox_roi_extractor=dict(
                    type='mmdet.SingleRoIExtractor',
                    roi_layer=dict(type='RoIAlign', output_size=3, sampling_ratio=0),
                    out_channels=16,
                    featmap_strides=[4, 8, 16, 32],
                ),
                bbox_head=dict(
                    type='mmdet.Shared2FCBBoxHead',
                    in_channels=16,
                    fc_out_channels=16,
                    roi_feat_size=3,
                    num_classes=num_classes,
                    bbox_coder=delta,
                ),
            ),
            train_cfg=dict(
                rpn=dict(
                    assigner=assigner, sampler={**sampler, 'add_gt_as_proposals': False}, allowed_border=-1, **common
                ),
                rpn_proposal=dict(nms_pre=50, max_per_img=50, nms=nms, min_bbox_size=0),
                rcnn=dict(assigner=assigner, sampler={**sampler, 'add_gt_as_proposals': True}, **common),
            ),
            test_cfg=dict(
                rpn=dict(nms_pre=50, max_per_img=50, nms=nms, min_bbox_size=0),
                rcnn=dict(score_thr=0.0, nms=nms, max_per_img=150),
            ),
        )
    )
    return MODELS.build(config)


@pytest.mark.parametrize('name', NAMES)
def test_a_stock_detector_trains_a_step_and_predicts(name, tmp_path):
    torch.manual_seed(0)
    cfg = prepared(name, tmp_path)
    datasets = datasets_of(cfg)
    model = faster_rcnn(datasets['train'].num_classes).train()
    batch = pseudo_collate([datasets['train'][0], datasets['train'][1]])
    losses = model(**model.data_preprocessor(batch, True), mode='loss')
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    assert losses['loss_bbox'] > 0  # boxes of the data set were found among the proposals
    with torch.no_grad():
        (sample,) = model.eval().test_step(pseudo_collate([datasets['test'][1]]))
    height, width = sample.ori_shape
    limits = torch.tensor([width, height, width, height])
    for boxes in (sample.pred_instances.bboxes, sample.gt_instances.bboxes):
        assert len(boxes) > 0
        assert bool(((boxes >= 0) & (boxes <= limits)).all())  # both in pixels of the image file


@pytest.mark.parametrize('name', NAMES)
def test_samples_have_plain_boxes_with_counts(name, tmp_path):
    datasets = datasets_of(prepared(name, tmp_path))
    for phase, dataset in datasets.items():
        sample = dataset[0]['data_samples']
        assert isinstance(sample, CountDataSample)
        instances = sample.gt_instances
        assert type(instances.bboxes) is torch.Tensor
        assert instances.bboxes.shape == (len(instances), 4)
        assert instances.counts.dtype == instances.labels.dtype == torch.int64
        totals = torch.zeros(dataset.num_classes).index_add_(0, instances.labels, instances.counts.float())
        assert torch.equal(sample.gt_counts, totals), phase


def test_locount_trains_on_images_with_boxes_and_tests_on_all(tmp_path):
    datasets = datasets_of(prepared('locount', tmp_path))
    assert [len(datasets[phase]) for phase in PHASES] == [2, 3, 3]
    assert datasets['test'].class_counts().sum() == 2 * 13
    cfg = load('locount')
    assert cfg.train_dataloader.batch_size == 8
    resize = next(step for step in cfg.train_dataloader.dataset.pipeline if step['type'] == 'mmdet.Resize')
    assert resize['scale'] == (1333, 800)


def test_shelves_are_stacks_of_all_sizes_in_boxes_that_hold_them():
    cfg = load('mnist_lego_shelf')
    dataset = DATASETS.build({**cfg.train_dataloader.dataset, 'num_samples': 60, 'pipeline': []})
    counts, labels, per_scene = [], set(), []
    for index in range(len(dataset)):
        scene = dataset.make_scene(index, paint=False)
        counts += scene.group_counts.tolist()
        labels |= set(scene.group_labels.tolist())
        per_scene.append(len(scene.group_counts))
        for group, (box, count) in enumerate(zip(scene.group_boxes, scene.group_counts, strict=True)):
            members = scene.boxes[scene.group_ids == group]
            assert len(members) == count
            assert np.array_equal(box, [*members[:, :2].min(axis=0), *members[:, 2:].max(axis=0)])
    counts = np.array(counts)
    shares = [(counts == 1).mean(), ((counts > 1) & (counts <= 10)).mean(), (counts > 10).mean()]
    assert min(shares) > 0.15, shares
    assert counts.max() <= 20
    assert set(range(1, 19)) <= set(counts.tolist())
    assert labels == set(range(dataset.num_classes))
    assert 3 <= np.mean(per_scene) <= 8


def test_shelves_of_the_subsets_differ(tmp_path):
    datasets = datasets_of(prepared('mnist_lego_shelf', tmp_path))
    images = [dataset[0]['inputs'] for dataset in datasets.values()]
    assert not torch.equal(images[0], images[1])
    assert not torch.equal(images[1], images[2])


@pytest.mark.parametrize('name', NAMES)
def test_perfect_boxes_with_counts_score_one_and_without_counts_less(name, tmp_path):
    cfg = prepared(name, tmp_path)
    dataset = datasets_of(cfg)['test']
    results = {}
    for with_counts in (True, False):
        metric = METRICS.build(copy.deepcopy(cfg.test_evaluator))
        metric.dataset_meta = dataset.metainfo
        for index in range(len(dataset)):
            sample = dataset[index]['data_samples']
            found = sample.gt_instances.clone()
            found.scores = torch.ones(len(found))
            if not with_counts:
                del found.counts
            sample.pred_instances = found
            metric.process({}, [sample])
        results[with_counts] = metric.evaluate(len(dataset))
    assert results[True]['locount/AP_lc'] == pytest.approx(1)
    assert results[False]['locount/AP_lc'] < 0.9
