"""Every family of detectors, from its config, shrunk: trains a step, predicts, and loses no parameter."""

import copy
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from mmcount.models.counters import resolve_detector
from mmcount.registry import DATASETS, MODELS
from mmcount.structures import CountDataSample
from mmcount.utils import register_all_modules

CONFIGS = Path(__file__).resolve().parents[3] / 'configs' / 'counting_detector'
SIDE = 96
CLASSES = 5
WIDTH = 32
RESNET = dict(depth=18, base_channels=8, init_cfg=None, style='pytorch', frozen_stages=-1)
RESNET_CHANNELS = [8, 16, 32, 64]
FPN = dict(in_channels=RESNET_CHANNELS, out_channels=WIDTH)
GN = dict(type='GN', num_groups=4, requires_grad=True)


def detr_layers(layers, ffn, levels):
    return dict(
        num_layers=layers,
        layer_cfg=dict(
            self_attn_cfg=dict(embed_dims=WIDTH, **levels),
            ffn_cfg=dict(embed_dims=WIDTH, feedforward_channels=ffn),
        ),
    )


def detr(**options):
    cross = dict(embed_dims=WIDTH, num_heads=4)
    decoder = detr_layers(2, 32, dict(num_heads=4))
    decoder['layer_cfg']['cross_attn_cfg'] = cross
    return dict(
        backbone=RESNET,
        neck=dict(in_channels=RESNET_CHANNELS[1:], out_channels=WIDTH, norm_cfg=dict(type='GN', num_groups=4)),
        encoder=detr_layers(1, 32, dict(num_heads=4)),
        decoder=decoder,
        positional_encoding=dict(num_feats=WIDTH // 2),
        bbox_head=dict(embed_dims=WIDTH),
        num_queries=12,
        test_cfg=dict(max_per_img=10),
        **options,
    )


def one_stage(**head):
    return dict(
        backbone=RESNET, neck=FPN, bbox_head=dict(in_channels=WIDTH, feat_channels=WIDTH, stacked_convs=1, **head)
    )


def rcnn_head(**head):
    return dict(in_channels=WIDTH, fc_out_channels=32, **head)


def two_stage(bbox_head):
    return dict(
        backbone=RESNET,
        neck=FPN,
        rpn_head=dict(in_channels=WIDTH, feat_channels=WIDTH),
        roi_head=dict(bbox_roi_extractor=dict(out_channels=WIDTH), bbox_head=bbox_head),
        train_cfg=dict(rpn_proposal=dict(nms_pre=100, max_per_img=50)),
        test_cfg=dict(rpn=dict(nms_pre=100, max_per_img=50)),
    )


def cascade_heads(cfg):
    return [{**head, **rcnn_head()} for head in cfg.roi_head.bbox_head]


def sparse(cfg):
    heads = []
    for head in cfg.roi_head.bbox_head[:2]:
        small = dict(in_channels=WIDTH, feedforward_channels=32, num_heads=4, num_reg_fcs=1)
        conv = dict(head.dynamic_conv_cfg, in_channels=WIDTH, feat_channels=8, out_channels=WIDTH)
        heads.append({**head, **small, 'dynamic_conv_cfg': conv})
    return dict(
        backbone=RESNET,
        neck=FPN,
        rpn_head=dict(num_proposals=12, proposal_feature_channel=WIDTH),
        roi_head=dict(
            num_stages=2,
            stage_loss_weights=[1, 1],
            proposal_feature_channel=WIDTH,
            bbox_roi_extractor=dict(out_channels=WIDTH),
            bbox_head=heads,
        ),
        train_cfg=dict(rcnn=cfg.train_cfg.rcnn[:2]),
        test_cfg=dict(rcnn=dict(max_per_img=10)),
    )


# What makes each config small; everything else is the config's own.
SHRINK = {
    'retinanet': lambda cfg: one_stage(),
    'fcos': lambda cfg: one_stage(norm_cfg=GN),
    'reppoints': lambda cfg: {
        **one_stage(norm_cfg=GN, point_feat_channels=WIDTH),
        'neck': dict(FPN, norm_cfg=GN),
    },
    'ssd300': lambda cfg: dict(
        backbone=dict(
            _delete_=True,
            type='ResNet',
            depth=18,
            base_channels=16,
            num_stages=3,
            strides=(1, 2, 2),
            dilations=(1, 1, 1),
            out_indices=(1, 2),
        ),
        neck=dict(in_channels=(32, 64), out_channels=(32, 64, 32, 32, 32, 32)),
        bbox_head=dict(in_channels=(32, 64, 32, 32, 32, 32)),
    ),
    'faster-rcnn': lambda cfg: two_stage(rcnn_head()),
    'cascade-rcnn': lambda cfg: two_stage(cascade_heads(cfg)),
    'yolox': lambda cfg: dict(
        backbone=dict(deepen_factor=0.1, widen_factor=0.125),
        neck=dict(in_channels=[32, 64, 128], out_channels=WIDTH),
        bbox_head=dict(in_channels=WIDTH, feat_channels=WIDTH),
    ),
    'rtmdet': lambda cfg: dict(
        backbone=dict(deepen_factor=0.1, widen_factor=0.125, init_cfg=None, norm_cfg=dict(type='BN')),
        neck=dict(in_channels=[32, 64, 128], out_channels=WIDTH, norm_cfg=dict(type='BN')),
        bbox_head=dict(in_channels=WIDTH, feat_channels=WIDTH, stacked_convs=1, norm_cfg=dict(type='BN')),
    ),
    'sparse-rcnn': sparse,
    'deformable-detr': lambda cfg: detr(),
    'dino': lambda cfg: detr(dn_cfg=dict(group_cfg=dict(num_dn_queries=4))),
}


def small_model(path, **options):
    register_all_modules()
    init_default_scope('mmcount')
    model = copy.deepcopy(Config.fromfile(path).model)
    detector = resolve_detector(model.detector)
    family = path.stem.removeprefix('counting-').split('_')[0].removesuffix('-frozen')
    whole = Config(dict(model=detector))
    whole.merge_from_dict(dict(model=SHRINK[family](detector)))
    head = dict(model.count_head, fc_out_channels=16)
    extractor = dict(model.roi_extractor, out_channels=WIDTH)
    parts = dict(detector=whole.model, count_head=head, roi_extractor=extractor, num_classes=CLASSES, **options)
    return MODELS.build({**model, **parts})


def batch(side=SIDE, numbers=(3, 0)):
    """Two images, the second without any object, the first resized to half its size."""
    generator = torch.Generator().manual_seed(0)
    samples, images = [], []
    for index, number in enumerate(numbers):
        corners = torch.rand(number, 2, generator=generator) * side * 0.4
        sizes = side * (0.2 + 0.3 * torch.rand(number, 2, generator=generator))
        sample = CountDataSample(
            metainfo=dict(
                img_id=str(index),
                img_shape=(side, side),
                ori_shape=(2 * side, 2 * side),
                scale_factor=(0.5, 0.5),
            )
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.cat([corners, corners + sizes], dim=1),
            labels=torch.randint(0, CLASSES, (number,), generator=generator),
            counts=torch.randint(1, 57, (number,), generator=generator),
        )
        empty = torch.zeros(0, dtype=torch.int64)
        sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=empty, counts=empty)
        samples.append(sample)
        images.append(torch.randint(0, 256, (3, side, side), generator=generator, dtype=torch.uint8))
    return dict(inputs=images, data_samples=samples)


def config_of(family):
    (path,) = CONFIGS.glob(f'counting-{family}_*_locount.py')
    return path


@pytest.mark.parametrize('family', sorted(SHRINK))
def test_family_trains_a_step_and_predicts(family):
    torch.manual_seed(0)
    model = small_model(config_of(family), count_train_cfg=dict(source='both'))
    model.init_weights()
    model.train()
    modes = [part.training for part in model.modules()]
    side = 300 if family == 'ssd300' else SIDE
    data = model.data_preprocessor(batch(side), True)
    losses = model(**data, mode='loss')
    assert {'counts.loss', 'counts.loss_stage0', 'counts.error'} < set(losses)
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    unused = [name for name, one in model.named_parameters() if one.requires_grad and one.grad is None]
    assert unused == []
    assert all(bool((one.weight.grad != 0).any()) for one in model.count_head.outputs)
    assert [part.training for part in model.modules()] == modes
    assert 'extract_feat' not in vars(model.detector)

    with torch.no_grad():
        samples = model.eval().test_step(batch(side))
    for sample in samples:
        found = sample.pred_instances
        assert found.counts.dtype == torch.int64
        assert len(found.counts) == len(found.count_scores) == len(found.label_names) == len(found.bboxes)
        assert len(found) == 0 or (int(found.counts.min()) >= 1 and int(found.counts.max()) <= 56)
        assert sample.pred_counts.shape == (CLASSES,)


def test_every_config_has_its_family_here_and_is_short():
    paths = sorted(CONFIGS.glob('counting-*_locount.py'))
    families = {path.stem.removeprefix('counting-').split('_')[0].removesuffix('-frozen') for path in paths}
    assert families == set(SHRINK)
    assert all(len(path.read_text().splitlines()) <= 40 for path in paths)


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('*.py')), ids=lambda path: path.stem)
def test_every_config_builds_at_full_size(path):
    register_all_modules()
    init_default_scope('mmcount')
    cfg = Config.fromfile(path)
    with torch.device('meta'):
        model = MODELS.build(cfg.model)
    assert model.bbox_head is not None if hasattr(model, 'bbox_head') else model.roi_head is not None
    if path.stem.startswith('counting-'):
        assert model.num_classes == (6 if 'lego' in path.stem else 140)
        trained = {name.split('.')[0] for name, one in model.named_parameters() if one.requires_grad}
        assert trained == ({'count_head'} if '-frozen' in path.stem else {'detector', 'count_head'})
        assert model.count_head.fcs[0].in_features == 49 * model.count_roi_extractor.out_channels


@pytest.mark.parametrize('path', sorted(CONFIGS.glob('counting-*-frozen_*.py')), ids=lambda path: path.stem)
def test_frozen_configs_start_from_the_last_checkpoint_of_a_config_that_is_here(path):
    checkpoint = Path(Config.fromfile(path).model.detector.init_cfg.checkpoint)
    work_dirs, stem = checkpoint.parts[:2]
    plain = Config.fromfile(CONFIGS / f'{stem}.py')
    last = plain.train_cfg.get('max_iters', plain.train_cfg.get('max_epochs'))
    assert work_dirs == 'work_dirs'
    assert checkpoint.name == f'{"iter" if "max_iters" in plain.train_cfg else "epoch"}_{last}.pth'


def test_the_frozen_shelf_config_counts_in_the_boxes_of_the_plain_one(tmp_path):
    register_all_modules()
    init_default_scope('mmcount')
    torch.manual_seed(0)
    plain = Config.fromfile(CONFIGS / 'fcos_tiny-resnet_cpu-10min_mnist-lego-shelf.py')
    cfg = Config.fromfile(CONFIGS / 'counting-fcos-frozen_tiny-resnet_cpu-4min_mnist-lego-shelf.py')
    detector = MODELS.build(plain.model)
    detector.init_weights()
    checkpoint = tmp_path / 'plain.pth'
    torch.save(dict(state_dict=detector.state_dict()), checkpoint)
    cfg.model.detector.init_cfg.checkpoint = str(checkpoint)
    model = MODELS.build(cfg.model)
    model.init_weights()

    train = DATASETS.build(dict(cfg.train_dataloader.dataset, num_samples=2))
    losses = model.train()(**model.data_preprocessor(pseudo_collate([train[0], train[1]]), True), mode='loss')
    model.parse_losses(losses)[0].backward()
    assert all(one.grad is not None for one in model.count_head.parameters())

    test = DATASETS.build(dict(cfg.test_dataloader.dataset, num_samples=2))
    results = [one.eval().test_step(pseudo_collate([test[0], test[1]])) for one in (detector, model)]
    for before, after in zip(*results, strict=True):
        assert torch.equal(after.pred_instances.bboxes, before.pred_instances.bboxes)
        assert torch.equal(after.pred_instances.scores, before.pred_instances.scores)
        assert after.pred_instances.counts.shape == after.pred_instances.labels.shape
        assert after.gt_instances.counts.dtype == torch.int64
