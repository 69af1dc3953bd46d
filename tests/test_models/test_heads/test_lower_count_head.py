"""Heads that learn from image-level counts."""

import copy

import pytest
import torch

from mmcount.models import DenseCounter
from mmcount.models.heads import GlanceHead, LowerCountHead, PooledCountHead
from mmcount.models.heads.pooled_count_head import lower_count_mse
from mmcount.models.losses import lower_count_losses
from mmcount.ops import peak_stimulation, topk_peak_mask
from mmcount.structures import CountDataSample

BACKBONE = dict(
    type='mmdet.ResNet', depth=18, base_channels=4, stem_channels=4, num_stages=2, strides=(1, 2), dilations=(1, 1),
    out_indices=(1,), norm_eval=False,
)  # fmt: skip
HEADS = dict(
    lower=dict(type='mmcount.LowerCountHead', num_classes=3, in_channels=8),
    cam=dict(type='mmcount.PooledCountHead', num_classes=3, in_channels=8),
    peak=dict(type='mmcount.PooledCountHead', num_classes=3, in_channels=8, pooling='peak'),
    glance=dict(type='mmcount.GlanceHead', num_classes=3, in_channels=8, hidden_channels=8),
)


def build_counter(head):
    torch.manual_seed(0)
    counter = DenseCounter(
        backbone=BACKBONE,
        head=head,
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor', mean=[128] * 3, std=[64] * 3),
    )
    counter.init_weights()
    return counter


def make_batch(counts, shapes=((32, 48), (32, 48)), **meta):
    generator = torch.Generator().manual_seed(0)
    inputs, samples = [], []
    for index, (shape, row) in enumerate(zip(shapes, counts, strict=True)):
        sample = CountDataSample(metainfo=dict(img_id=str(index), img_shape=shape, **meta))
        if row is not None:
            sample.gt_counts = torch.tensor(row, dtype=torch.float32)
        inputs.append(torch.randint(0, 256, (3, *shape), generator=generator, dtype=torch.uint8))
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def test_parameters_are_those_of_the_paper():
    voc, coco = LowerCountHead(20), LowerCountHead(80)
    assert sum(p.numel() for p in voc.parameters()) == 122_940 + 2 * (60 + 620)
    assert sum(p.numel() for p in coco.parameters()) == 491_760 + 2 * (240 + 9_680)
    assert LowerCountHead(5, in_channels=4).branch_channels == 8


def test_full_size_model_has_the_parameters_of_the_paper():
    from mmengine.config import Config
    from mmengine.registry import MODELS, init_default_scope

    init_default_scope('mmcount')
    cfg = Config.fromfile('configs/_base_/models/ilc_r50.py').model
    cfg.backbone.init_cfg = None
    model = MODELS.build(cfg)
    assert sum(p.numel() for p in model.backbone.parameters()) == 23_508_032
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 23_632_332


@pytest.mark.parametrize('stage', [1, 2])
def test_loss_is_the_weighted_sum_of_the_terms(stage):
    counter = build_counter(HEADS['lower']).train()
    counter.head.stage = stage
    data = counter.data_preprocessor(make_batch([[2, 0, 7], [0, 1, 3]]), True)
    feats = counter.extract_feat(data['inputs'])
    maps, logits = counter.head(feats)
    counts = torch.tensor([[2.0, 0, 7], [0, 1, 3]])
    peaks = peak_stimulation(maps)
    pseudo = topk_peak_mask(maps, peaks.mask, counts, limit=4)
    expected = lower_count_losses(peaks.scores, logits, pseudo, counts, stage=stage)
    losses = counter.head.loss((maps, logits), data['data_samples'])
    assert set(losses) == {f'loss_{name}' for name in expected}
    torch.testing.assert_close(losses['loss_rank'], 0.1 * expected['rank'])
    torch.testing.assert_close(losses['loss_count'], expected['count'])


def test_a_term_of_weight_zero_is_left_out():
    counter = build_counter({**HEADS['lower'], 'loss_weights': dict(rank=0, spatial_pos=0, spatial_neg=0)}).train()
    data = counter.data_preprocessor(make_batch([[2, 0, 7], [0, 1, 3]]), True)
    assert set(counter(**data, mode='loss')) == {'loss_cls', 'loss_count'}


def test_negative_sampling_only_touches_the_empty_pairs():
    counts = [[2, 0, 7], [0, 1, 3]]
    for keep, equal in ((1.0, True), (0.0, False)):
        head = {**HEADS['lower'], 'negative_sampling': dict(rare_below=1.1, keep_prob=keep)}
        counter, plain = build_counter(head).train(), build_counter(HEADS['lower']).train()
        data = counter.data_preprocessor(make_batch(counts), True)
        losses, reference = counter(**data, mode='loss'), plain(**data, mode='loss')
        assert bool(losses['loss_spatial_neg'] == reference['loss_spatial_neg']) is equal
        assert losses['loss_cls'] == reference['loss_cls']
    assert float(losses['loss_spatial_neg'].detach()) == 0


@pytest.mark.parametrize('name', HEADS)
@pytest.mark.parametrize('counts', [[[0, 0, 0], [0, 0, 0]], [[9, 9, 9], [9, 9, 9]], [[1, 2, 0], [0, 4, 6]]])
def test_every_head_trains_on_any_counts(name, counts):
    counter = build_counter(HEADS[name]).train()
    data = counter.data_preprocessor(make_batch(counts), True)
    loss = sum(counter(**data, mode='loss').values())
    loss.backward()
    assert torch.isfinite(loss)
    assert all(torch.isfinite(p.grad).all() for p in counter.parameters() if p.grad is not None)
    assert any(bool(p.grad.abs().sum() > 0) for p in counter.backbone.parameters())


@pytest.mark.parametrize('name', HEADS)
def test_density_sums_to_the_counts(name):
    counter = build_counter(HEADS[name]).eval()
    samples = counter.test_step(make_batch([None, None], scale_factor=(0.5, 0.25), ori_shape=(128, 96)))
    for sample in samples:
        assert sample.pred_counts.shape == (3,)
        torch.testing.assert_close(sample.pred_density.data.sum(dim=(1, 2)), sample.pred_counts)
        left, top, right, bottom = sample.pred_density.extent
        assert (left, top) == pytest.approx((-0.5, -0.5))
        assert (right, bottom) == pytest.approx((95.5, 127.5))


def test_the_gate_sets_classes_without_a_positive_score_to_zero():
    gated, free = build_counter(HEADS['lower']).eval(), build_counter({**HEADS['lower'], 'class_gate': False}).eval()
    for counter in (gated, free):
        counter.head.class_branch[2].bias.data = torch.tensor([50.0, -50.0, 50.0])
        counter.head.density_branch[2].bias.data = torch.tensor([3.0, 3.0, 2.0])
    one, other = gated.test_step(make_batch([None, None]))[0], free.test_step(make_batch([None, None]))[0]
    assert float(one.pred_counts[1]) == 0
    assert float(other.pred_counts[1]) != 0
    torch.testing.assert_close(one.pred_counts[[0, 2]], other.pred_counts[[0, 2]])


def test_points_are_the_highest_peaks_as_many_as_objects():
    counter = build_counter(HEADS['lower']).eval()
    counter.head.class_branch[2].bias.data.fill_(50.0)
    counter.head.density_branch[2].weight.data.zero_()
    counter.head.density_branch[2].bias.data = torch.tensor([2.2, -1.0, 3.4])
    batch = make_batch([None, None])
    sample = counter.test_step(copy.deepcopy(batch))[0]
    instances = sample.pred_instances
    assert torch.bincount(instances.labels, minlength=3).tolist() == [2, 0, 3]
    data = counter.data_preprocessor(batch)
    maps = counter.response_maps(data['inputs'])
    cell = maps.shape[-1]
    highest = int(maps[0, 0].argmax())
    expected = torch.tensor(
        [(highest % cell + 0.5) * 48 / cell - 0.5, (highest // cell + 0.5) * 32 / maps.shape[-2] - 0.5]
    )
    torch.testing.assert_close(instances.points[0], expected)
    assert bool((instances.points >= 0).all())


@pytest.mark.parametrize('name', ['lower', 'cam', 'peak', 'glance'])
def test_cells_on_pixels_lie_half_a_cell_before_cells_of_an_area(name):
    area, pixel = (build_counter({**HEADS[name], 'cells': cells}).eval() for cells in ('area', 'pixel'))
    pixel.load_state_dict(area.state_dict())
    one, other = (counter.test_step(make_batch([None, None]))[0] for counter in (area, pixel))
    torch.testing.assert_close(one.pred_counts, other.pred_counts)
    rows, columns = one.pred_density.data.shape[1:]
    shift = torch.tensor([(48 / columns - 1) / 2, (32 / rows - 1) / 2])
    assert bool((shift > 0).all())
    apart = one.pred_instances.points - other.pred_instances.points
    torch.testing.assert_close(apart, shift.expand_as(apart))
    moved = torch.tensor(one.pred_density.extent) - torch.tensor(other.pred_density.extent)
    torch.testing.assert_close(moved, shift.repeat(2))


@pytest.mark.parametrize('name', ['lower', 'cam', 'glance'])
def test_unknown_places_of_cells_are_refused(name):
    with pytest.raises(ValueError, match=r"cells must be one of .*'corner'"):
        build_counter({**HEADS[name], 'cells': 'corner'})


@pytest.mark.parametrize('name', ['lower', 'cam', 'peak'])
def test_smaller_images_of_a_batch_get_their_own_part_of_the_map(name):
    counter = build_counter(HEADS[name]).eval()
    samples = counter.test_step(make_batch([None, None], shapes=((32, 48), (16, 24))))
    assert samples[0].pred_density.data.shape == (3, 4, 6)
    assert samples[1].pred_density.data.shape == (3, 2, 3)
    torch.testing.assert_close(samples[1].pred_density.data.sum(dim=(1, 2)), samples[1].pred_counts)


@pytest.mark.parametrize('name', HEADS)
def test_training_refuses_images_of_different_sizes(name):
    counter = build_counter(HEADS[name]).train()
    data = counter.data_preprocessor(make_batch([[1, 0, 0], [0, 0, 0]], shapes=((32, 48), (16, 24))), True)
    with pytest.raises(ValueError, match=r'one size, got \[\(16, 24\), \(32, 48\)\]'):
        counter(**data, mode='loss')


@pytest.mark.parametrize(('counts', 'found'), [([None, [1, 0, 0]], 'none'), ([[1, 0, 0], [1, 2]], '2 classes')])
def test_training_names_the_image_without_counts(counts, found):
    counter = build_counter(HEADS['lower']).train()
    data = counter.data_preprocessor(make_batch(counts), True)
    with pytest.raises(ValueError, match=f'image [01] needs gt_counts of 3 classes, found {found}'):
        counter(**data, mode='loss')


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_losses_are_computed_in_float32(dtype):
    head = LowerCountHead(3, in_channels=8).train()
    feats = (torch.rand(2, 8, 6, 6).to(dtype),)
    samples = make_batch([[1, 0, 2], [0, 6, 0]])['data_samples']
    losses = head.to(dtype).loss(head(feats), samples)
    assert all(one.dtype == torch.float32 and torch.isfinite(one) for one in losses.values())


def test_mean_squared_error_up_to_a_limit():
    predicted, counts = torch.tensor([[1.0, 4.0]]), torch.tensor([[2.0, 9.0]])
    assert float(lower_count_mse(predicted, counts, 4, 'target')) == 1.0
    assert float(lower_count_mse(predicted, counts, 4, 'ignore')) == 1.0
    assert float(lower_count_mse(torch.tensor([[1.0, 0.0]]), counts, 4, 'target')) == 13.0
    assert float(lower_count_mse(predicted[:, 1:], counts[:, 1:], 4, 'ignore')) == 0.0


def test_peak_pooling_passes_its_derivative():
    head = PooledCountHead(1, in_channels=1, pooling='peak')
    maps = torch.tensor([[[[0.0, 3.0, 0.0, 0.0, 1.0]]]], requires_grad=True)
    head.pool(maps).sum().backward()
    assert maps.grad.flatten().tolist() == [0, 0.5, 0, 0, 0.5]


def test_glance_has_no_class_maps():
    with pytest.raises(ValueError, match='GlanceHead has no class maps'):
        GlanceHead(2, in_channels=8).response_maps((torch.rand(1, 8, 4, 4),))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(num_classes=0), 'num_classes must be at least 1'),
        (dict(num_classes=2, limit=0), 'limit must be at least 1'),
        (dict(num_classes=2, reduction='sum'), 'reduction must be one of'),
        (dict(num_classes=2, loss_weights=dict(ranking=1)), r"loss_weights knows .* got \['ranking'\]"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        LowerCountHead(**options)


@pytest.mark.parametrize('options', [dict(pooling='max'), dict(above_limit='drop')])
def test_bad_options_of_the_baselines(options):
    with pytest.raises(ValueError, match=f'{next(iter(options))} must be one of'):
        PooledCountHead(2, **options)
