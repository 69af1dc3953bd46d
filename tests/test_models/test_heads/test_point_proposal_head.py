"""The head of P2PNet: its network, its losses out of maps and samples, what it predicts."""

import pytest
import torch
from mmengine.structures import InstanceData
from torch import nn

from mmcount.models import VGG, DenseCounter, PointProposalHead
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

CODEC = dict(type='mmcount.PointProposalCodec')


def head_of(codec=CODEC, **options):
    torch.manual_seed(0)
    return PointProposalHead(codec, **{**dict(in_channels=(8, 16), feat_channels=8), **options})


def sample_of(points, img_shape, batch_shape=None, labels=None, name='one'):
    points = torch.tensor(points, dtype=torch.float32).view(-1, 2)
    labels = torch.zeros(len(points), dtype=torch.int64) if labels is None else torch.tensor(labels)
    sample = CountDataSample(
        metainfo=dict(img_shape=img_shape, batch_input_shape=batch_shape or img_shape, img_id=name)
    )
    sample.gt_instances = InstanceData(points=points, labels=labels)
    return sample


def count_parameters(module):
    return sum(p.numel() for p in module.parameters())


def test_network_is_the_published_one():
    with torch.device('meta'):
        backbone = VGG(16, with_bn=True, out_indices=(3, 4), pooled=False, bn_eval=False)
        head = PointProposalHead(CODEC)
        offsets, logits = head(backbone(torch.zeros(1, 3, 128, 256)))
    assert count_parameters(backbone) == 14_723_136
    # Two laterals, the fusion, and in each branch two hidden layers and an output of 8 channels.
    conv = 256 * 256 * 9 + 256
    assert count_parameters(head) == 2 * (512 * 256 + 256) + conv + 2 * (2 * conv + 256 * 8 * 9 + 8)
    assert offsets.shape == logits.shape == (1, 8, 16, 32)


def test_layers_start_as_pytorch_starts_them():
    head = head_of()
    head.init_weights()
    for module in head.modules():
        if isinstance(module, nn.Conv2d):
            bound = (module.weight[0].numel()) ** -0.5
            assert module.weight.abs().max() <= bound
            assert module.weight.abs().max() > 0.8 * bound
            assert module.bias.abs().max() > 0


def test_coarse_features_are_repeated_and_added():
    head = head_of()
    for conv in head.laterals:
        nn.init.ones_(conv.weight)
        nn.init.zeros_(conv.bias)
    seen = []
    head.fusion.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    fine, coarse = torch.zeros(1, 8, 2, 4), torch.zeros(1, 16, 1, 2)
    fine[0, 0, 1, 3], coarse[0, 0, 0, 1] = 1, 10
    head((torch.zeros(1, 3, 9, 9), fine, coarse))  # features that it was not told about come first
    assert seen[0][0, 0].tolist() == [[0, 0, 10, 10], [0, 0, 10, 11]]


def test_features_that_do_not_halve_name_the_fix():
    with pytest.raises(ValueError, match=r'features of \(3, 4\) cells need .*pad_size_divisor'):
        head_of()((torch.zeros(1, 8, 3, 4), torch.zeros(1, 16, 1, 2)))


def published_case():
    """Case C of the matching: two images with a row of three cells, and a proposal in each."""
    codec = dict(CODEC, rows=1, columns=1, stride=6)
    logits = torch.tensor([[(0.1, 0.3), (0.6, -0.2), (0, 1)], [(0.5, 0.5), (1, -1), (-0.4, 0.2)]])
    points = torch.tensor([[(2.0, 2), (6, 2), (2, 6)], [(2.5, 2), (7, 1), (3, 6)]])
    references = torch.tensor([(3.0, 3), (9, 3), (15, 3)])
    maps = ((points - references) / 100, logits)
    maps = tuple(one.permute(0, 2, 1)[:, :, None].clone().requires_grad_() for one in maps)
    return codec, maps, [sample_of([(6, 3), (2, 5)], (6, 18)), sample_of([], (6, 18))]


def test_losses_are_the_published_ones():
    codec, maps, samples = published_case()
    losses = head_of(codec, in_channels=(8,)).loss(maps, samples)
    assert losses['loss_cls'].item() == pytest.approx(0.506433, rel=1e-4)
    assert losses['loss_point'].item() == pytest.approx(2e-4 * 9, rel=1e-4)
    assert losses['count_error'].item() == pytest.approx(0.5)
    (losses['loss_cls'] + losses['loss_point']).backward()
    torch.testing.assert_close(maps[1].grad[0, :, 0, 0], torch.tensor([0.112541, -0.112541]), rtol=1e-4, atol=0)
    torch.testing.assert_close(maps[1].grad[1, :, 0, 0], torch.tensor([-0.0625, 0.0625]), rtol=1e-4, atol=0)


def test_released_training_is_a_weight_of_zero():
    codec, maps, samples = published_case()
    losses = head_of(codec, in_channels=(8,), loss_point_weight=0).loss(maps, samples)
    assert losses['loss_point'] == 0
    assert losses['loss_cls'].item() == pytest.approx(0.506433, rel=1e-4)


def test_padding_of_a_batch_and_objects_outside_take_no_part():
    head = head_of()
    maps = tuple(torch.randn(1, 8, 4, 6) for _ in range(2))
    own = tuple(one[:, :, :3, :2] for one in maps)
    objects = [(3.0, 3.0), (12.0, 20.0)]
    padded = head.loss(maps, [sample_of(objects, (24, 16), (32, 48))])
    for more in ([], [(30.0, 3.0), (3.0, 24.0)]):
        for key, value in head.loss(own, [sample_of([*objects, *more], (24, 16))]).items():
            torch.testing.assert_close(padded[key], value, msg=key)


def test_images_without_objects_are_background():
    head = head_of()
    maps = tuple(torch.zeros(2, 8, 2, 2, requires_grad=True) for _ in range(2))
    losses = head.loss(maps, [sample_of([], (16, 16)) for _ in range(2)])
    assert losses['loss_point'] == 0
    losses['loss_cls'].backward()
    assert (maps[1].grad[:, 0::2] < 0).all()
    assert (maps[1].grad[:, 1::2] > 0).all()


def test_every_parameter_learns():
    head = head_of()
    maps = head((torch.rand(1, 8, 4, 4), torch.rand(1, 16, 2, 2)))
    losses = head.loss(maps, [sample_of([(3, 4), (20, 9)], (32, 32))])
    (losses['loss_cls'] + losses['loss_point']).backward()
    assert all(bool((p.grad != 0).any()) for p in head.parameters())


def test_prediction_reads_each_image_s_own_cells():
    head = head_of()
    offsets, logits = torch.zeros(2, 8, 4, 6), torch.full((2, 8, 4, 6), -9.0)
    logits[:, 1::2] = 9.0
    samples = [sample_of([], (12, 16), (32, 48)), sample_of([], (32, 48))]
    first, second = head.predict((offsets, logits), samples)
    # Rows 0 and 8 of cells; reference points at y = 14 lie beyond 12 px.
    assert first.counts.tolist() == [2 * 2 * 2 * 2 - 4]
    assert second.counts.tolist() == [4 * 6 * 4]


def test_counter_finds_objects_in_original_pixels():
    counter = DenseCounter(
        backbone=dict(type='mmcount.VGG', depth=11, out_indices=(3, 4), pooled=False),
        head=dict(type='mmcount.PointProposalHead', codec=CODEC, feat_channels=8),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor', pad_size_divisor=16),
    ).eval()
    nn.init.zeros_(counter.head.offsets[-1].weight)
    nn.init.zeros_(counter.head.offsets[-1].bias)
    nn.init.zeros_(counter.head.logits[-1].weight)
    nn.init.constant_(counter.head.logits[-1].bias, -5)
    counter.head.logits[-1].bias.data[1] = 5  # the first proposal of each cell
    sample = CountDataSample(metainfo=dict(img_shape=(16, 24), scale_factor=(2.0, 2.0), img_id='one'))
    with torch.no_grad():
        (found,) = counter.test_step(dict(inputs=[torch.zeros(3, 16, 24, dtype=torch.uint8)], data_samples=[sample]))
    assert found.pred_counts.tolist() == [6]
    assert found.pred_instances.points[0].tolist() == [0.75, 0.75]  # (2 + 0.5) / 2 - 0.5
    assert found.pred_density.data.sum() == 6


def test_another_codec_is_refused():
    with pytest.raises(ValueError, match='needs a PointProposalCodec, got DensityCodec'):
        MODELS.build(dict(type='mmcount.PointProposalHead', codec=dict(type='mmcount.DensityCodec')))


def test_responses_peak_at_sure_proposals():
    head = head_of()
    logits = torch.zeros(1, 8, 2, 2)
    logits[0, 5, 1, 0] = 4.0
    responses = head.response_maps((torch.zeros(1, 8, 2, 2), logits))
    assert responses.shape == (1, 1, 2, 2)
    assert responses.argmax() == 2
    assert responses.max().item() == pytest.approx(torch.tensor(4.0).sigmoid().item())


@pytest.mark.parametrize('stride', [4, 16])
def test_a_codec_of_another_stride_neither_trains_nor_counts(stride):
    head = head_of(dict(CODEC, stride=stride))
    maps = tuple(torch.zeros(1, 8, 4, 4) for _ in range(2))
    samples = [sample_of([(3, 4)], (32, 32))]
    for run in (head.loss, head.predict):
        with pytest.raises(ValueError, match=r'has a map of .* but the network gives \(4, 4\)'):
            run(maps, samples)
