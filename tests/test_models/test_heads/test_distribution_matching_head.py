"""The head of DM-Count: its network, its losses out of maps and samples, what it predicts."""

import pytest
import torch
from mmengine.structures import InstanceData, PixelData

from mmcount.codecs import DotMapCodec
from mmcount.models import VGG, DenseCounter, DistributionMatchingHead
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, Objects

CODEC = dict(type='mmcount.DotMapCodec')
#: Cases A and C of the published functions: density, points.
A = ([[0.5, 1], [0.25, 0.75]], [(3, 4), (13, 10)])
C = (A[0], [(3, 4), (13, 10), (12, 12)])
NOTHING = ([[0.1, 0.2], [0.3, 0.4]], [])


def head_of(**options):
    torch.manual_seed(0)
    return DistributionMatchingHead(**{**dict(codec=CODEC, in_channels=8, feat_channels=(4,)), **options})


def sample_of(points, img_shape, batch_shape=None, labels=None, num_classes=1):
    codec = DotMapCodec(num_classes=num_classes)
    points = torch.tensor(points, dtype=torch.float32).view(-1, 2)
    labels = torch.zeros(len(points), dtype=torch.int64) if labels is None else torch.tensor(labels)
    sample = CountDataSample(
        metainfo=dict(img_shape=img_shape, batch_input_shape=batch_shape or img_shape, img_id='one')
    )
    sample.gt_instances = InstanceData(points=points, labels=labels)
    dots = codec.encode(Objects(points.numpy(), labels.numpy()), codec.grid(img_shape))['data']
    sample.gt_map = PixelData(data=torch.from_numpy(dots))
    return sample


def batch_of(*cases):
    maps = torch.tensor([case[0] for case in cases])[:, None].requires_grad_()
    return maps, [sample_of(case[1], (16, 16)) for case in cases]


def test_network_is_the_published_one():
    with torch.device('meta'):
        backbone = VGG(19, out_indices=(4,), pooled=False)
        head = DistributionMatchingHead(CODEC)
        (density,) = head(backbone(torch.zeros(1, 3, 64, 96)))
    assert sum(p.numel() for module in (backbone, head) for p in module.parameters()) == 21_499_457
    assert density.shape == (1, 1, 8, 12)
    (part,) = head(backbone(torch.zeros(1, 3, 33, 97)))
    assert part.shape == (1, 1, 4, 12)


def test_density_is_never_negative():
    (density,) = head_of()((torch.randn(1, 8, 6, 6) * 10,))
    assert density.min() >= 0
    assert density.shape == (1, 1, 12, 12)


def test_published_terms_and_gradient_of_one_image():
    maps, samples = batch_of(A)
    losses = head_of().loss((maps,), samples)
    assert losses['loss_count'].item() == pytest.approx(0.5, rel=1e-4)
    assert losses['loss_tv'].item() == pytest.approx(0.02, rel=1e-4)
    assert losses['transport'].item() == pytest.approx(31.8126, rel=1e-4)
    assert losses['count_error'].item() == pytest.approx(0.5, rel=1e-4)
    sum(losses[key] for key in losses if key.startswith('loss')).backward()
    expected = torch.tensor([-1.14115, 2.07514, 1.15693, 0.941593])
    torch.testing.assert_close(maps.grad.flatten(), expected, rtol=1e-3, atol=0)


def test_published_batch_with_an_empty_image():
    maps, samples = batch_of(C, NOTHING)
    losses = head_of().loss((maps,), samples)
    assert losses['loss_count'].item() == pytest.approx(0.75, rel=1e-4)
    assert losses['loss_tv'].item() == pytest.approx(0.015, rel=1e-4)
    (count,) = torch.autograd.grad(losses['loss_count'], maps, retain_graph=True)
    assert count.flatten(1).tolist() == [[-0.5] * 4, [0.5] * 4]
    (transport,) = torch.autograd.grad(losses['loss_ot'], maps)
    expected = torch.tensor([-14.8834, 11.8025, 7.06843, -8.17060]) * 0.1
    torch.testing.assert_close(transport[0].flatten(), expected, rtol=1e-3, atol=0)
    assert (transport[1] == 0).all()


@pytest.mark.parametrize('reduction', ['sum', 'mean'])
def test_transport_is_summed_over_a_batch_unless_the_mean_is_asked_for(reduction):
    def gradients(*cases):
        maps, samples = batch_of(*cases)
        losses = head_of(ot_reduction=reduction).loss((maps,), samples)
        return {
            key: torch.autograd.grad(losses[f'loss_{key}'], maps, retain_graph=True)[0][0]
            for key in ('ot', 'tv', 'count')
        }

    one, two = gradients(A), gradients(A, A)
    torch.testing.assert_close(two['ot'] * (2 if reduction == 'mean' else 1), one['ot'])
    for key in ('tv', 'count'):
        torch.testing.assert_close(two[key] * 2, one[key])


def test_padding_of_a_batch_takes_no_part():
    points = [(3.0, 3.0), (12.0, 20.0)]
    maps = torch.rand(1, 1, 4, 6)
    padded = head_of().loss((maps,), [sample_of(points, (24, 16), (32, 48))])
    alone = head_of().loss((maps[:, :, :3, :2],), [sample_of(points, (24, 16))])
    for key, value in alone.items():
        torch.testing.assert_close(padded[key], value, msg=key)


def test_classes_are_problems_side_by_side():
    maps = torch.rand(1, 2, 2, 2)
    of_classes = [[(12.0, 11.0)], [(3.0, 3.0), (9.0, 2.0)]]
    sample = sample_of([*of_classes[0], *of_classes[1]], (16, 16), labels=[0, 1, 1], num_classes=2)
    both = head_of(codec=dict(CODEC, num_classes=2)).loss((maps,), [sample])
    alone = [
        head_of().loss((maps[:, [label]],), [sample_of(points, (16, 16))]) for label, points in enumerate(of_classes)
    ]
    for key in ('loss_count', 'loss_ot', 'loss_tv'):
        torch.testing.assert_close(both[key], alone[0][key] + alone[1][key], msg=key)


def test_objects_that_moved_after_their_dots_were_drawn_are_refused():
    maps, samples = batch_of(A)
    samples[0].gt_instances.points[0, 0] = 40.0
    with pytest.raises(ValueError, match='dot map holds 2 objects and there are 1 points'):
        head_of().loss((maps,), samples)


def test_counter_sums_the_cells_of_the_image():
    counter = DenseCounter(
        backbone=dict(type='mmcount.VGG', depth=11, out_indices=(4,), pooled=False),
        head=dict(type='mmcount.DistributionMatchingHead', codec=CODEC, feat_channels=(8,)),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor', pad_size_divisor=16),
    ).eval()
    torch.nn.init.zeros_(counter.head.conv.weight)
    counter.head.init_from_targets(torch.tensor([0.25]))
    sample = CountDataSample(metainfo=dict(img_shape=(33, 97), img_id='one'))
    with torch.no_grad():
        (found,) = counter.test_step(dict(inputs=[torch.zeros(3, 33, 97, dtype=torch.uint8)], data_samples=[sample]))
    # Padded to 48 x 112; ceil(33 / 8) * ceil(97 / 8) cells are the image's, none of its pixels is left out.
    assert found.pred_density.data.shape == (1, 5, 13)
    assert found.pred_counts.tolist() == [5 * 13 * 0.25]


def test_an_image_that_is_not_padded_names_the_fix():
    counter = DenseCounter(
        backbone=dict(type='mmcount.VGG', depth=11, out_indices=(4,), pooled=False),
        head=dict(type='mmcount.DistributionMatchingHead', codec=CODEC, feat_channels=(8,)),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
    ).eval()
    sample = CountDataSample(metainfo=dict(img_shape=(33, 97), img_id='one'))
    with pytest.raises(ValueError, match='pad_size_divisor'), torch.no_grad():
        counter.test_step(dict(inputs=[torch.zeros(3, 33, 97, dtype=torch.uint8)], data_samples=[sample]))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(codec=dict(type='mmcount.DensityCodec')), 'needs a DotMapCodec, got DensityCodec'),
        (dict(ot_reduction='max'), "ot_reduction must be 'sum' or 'mean', got 'max'"),
        (dict(reg=0.0), 'reg must be positive, got 0'),
        (dict(upsample=0), 'upsample must be positive, got 0'),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MODELS.build(dict(type='mmcount.DistributionMatchingHead', **{**dict(codec=CODEC), **options}))
