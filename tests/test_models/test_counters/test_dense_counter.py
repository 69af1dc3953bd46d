"""The dense counter: losses, predictions, padding, strides."""

import copy

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData

from mmcount.models import DenseCounter
from mmcount.registry import CODECS, MODELS
from mmcount.structures import CountDataSample
from tests.encoding import decoded, encoded

CODEC = dict(type='mmcount.RedundantCountCodec', window_size=8, stride=1)


def build_counter(codec=CODEC, head=(), **kwargs):
    torch.manual_seed(0)
    counter = DenseCounter(
        backbone=dict(type='mmcount.CountCeption', window_size=8, norm_eval=True, stride=codec['stride']),
        head=dict(type='mmcount.RedundantCountHead', codec=codec, norm_cfg=None, act_cfg=None) | dict(head),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
        **kwargs,
    )
    counter.init_weights()
    return counter


def make_batch(shapes, codec=CODEC, num_points=5, **meta):
    rng = np.random.default_rng(0)
    encoder, inputs, samples = CODECS.build(codec), [], []
    for index, (height, width) in enumerate(shapes):
        points = np.stack((rng.integers(0, width, num_points), rng.integers(0, height, num_points)), axis=1)
        sample = CountDataSample(metainfo=dict(img_id=str(index), img_shape=(height, width), **meta))
        target = encoded(encoder, points, np.zeros(num_points, dtype=int), (height, width))
        sample.gt_map = PixelData(data=torch.from_numpy(target), metainfo=dict(codec=repr(encoder)))
        sample.gt_counts = torch.tensor([float(num_points)])
        inputs.append(torch.from_numpy(rng.integers(0, 256, (3, height, width), dtype=np.uint8)))
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def run_loss(counter, batch):
    data = counter.data_preprocessor(batch, True)
    return counter(**data, mode='loss')


def test_one_step_lowers_the_loss():
    counter = build_counter().train()
    batch = make_batch([(24, 24), (24, 24)])
    optimizer = torch.optim.Adam(counter.parameters(), lr=1e-3)
    first = run_loss(counter, copy.deepcopy(batch))['loss_map'].detach()
    for _ in range(8):
        optimizer.zero_grad()
        loss = run_loss(counter, copy.deepcopy(batch))['loss_map']
        loss.backward()
        optimizer.step()
    assert float(loss.detach()) < 0.8 * float(first)


def test_images_of_different_size_count_their_own_cells_only():
    counter = build_counter().eval()
    batch = make_batch([(24, 30), (16, 20)])
    both = run_loss(counter, copy.deepcopy(batch))['loss_map']
    assert torch.isfinite(both)
    predictions = counter.test_step(copy.deepcopy(batch))
    assert predictions[0].pred_density.data.shape == (1, 24, 30)
    assert predictions[1].pred_density.data.shape == (1, 16, 20)


def test_predicting_the_target_gives_the_true_count():
    counter = build_counter().eval()
    batch = make_batch([(24, 30)])
    counter.head.forward = lambda feats: (batch['data_samples'][0].gt_map.data[None],)
    sample = counter.test_step(batch)[0]
    assert sample.pred_counts.tolist() == [5]
    assert float(sample.pred_density.data.sum()) == pytest.approx(5)
    assert 'pred_calibrated_counts' not in sample  # nothing was fitted
    assert 'pred_interval' not in sample


def test_density_sums_to_the_count():
    counter = build_counter().eval()
    sample = counter.test_step(make_batch([(40, 33)]))[0]
    torch.testing.assert_close(sample.pred_density.data.sum(dim=(1, 2)), sample.pred_counts, rtol=1e-5, atol=1e-4)


def test_points_are_in_pixels_of_the_original_image():
    counter = build_counter().eval()
    batch = make_batch([(24, 30)], scale_factor=(0.5, 0.5))
    target = batch['data_samples'][0].gt_map.data
    counter.head.forward = lambda feats: (target[None],)
    network_points = decoded(counter.head.codec, target, (24, 30)).points
    points = counter.test_step(batch)[0].pred_instances.points
    torch.testing.assert_close(points, (network_points + 0.5) * 2 - 0.5)


@pytest.mark.parametrize('stride', [2, 4])
def test_a_net_trained_dense_tests_at_a_stride_with_the_same_cells(stride):
    counter, coarse = build_counter().eval(), build_counter(dict(CODEC, stride=stride)).eval()
    coarse.load_state_dict(counter.state_dict())
    inputs = counter.data_preprocessor(make_batch([(24, 30)]))['inputs']
    with torch.no_grad():
        (dense,), (found,) = counter.maps(inputs), coarse.maps(inputs)
    torch.testing.assert_close(found, dense[..., ::stride, ::stride], rtol=1e-4, atol=1e-4)
    density = coarse.test_step(make_batch([(24, 30)]))[0].pred_density
    assert density.data.shape == (1, -(-24 // stride), -(-30 // stride))


def test_options_of_before_name_what_replaced_them():
    with pytest.raises(TypeError, match="has no option 'stride' any more: give the backbone and the codec"):
        build_counter(test_cfg=dict(stride=4))
    with pytest.raises(TypeError, match="CountDataPreprocessor has no option 'halo' any more"):
        MODELS.build(dict(type='mmcount.CountDataPreprocessor', halo=32))


@pytest.mark.parametrize('stride', [3, 5, 7])
def test_a_stride_that_does_not_divide_the_window_is_refused(stride):
    with pytest.raises(ValueError, match='stride must divide window_size'):
        build_counter(dict(CODEC, stride=stride))


@pytest.mark.parametrize(('network', 'codec'), [(1, 2), (2, 1), (2, 4)])
def test_a_codec_of_another_stride_than_the_network_is_refused(network, codec):
    counter = build_counter(dict(CODEC, stride=network)).eval()
    counter.head.codec = CODECS.build(dict(CODEC, stride=codec))
    with pytest.raises(ValueError, match=r'image 0: an input of \(24, 30\) px has a map of .* but the network gives'):
        counter.test_step(make_batch([(24, 30)]))


def test_a_preprocessor_without_halo_is_refused():
    codec = dict(CODEC)
    with pytest.raises(ValueError, match='the head needs 8 px of zeros around each image'):
        DenseCounter(
            backbone=dict(type='mmcount.CountCeption', window_size=8),
            head=dict(type='mmcount.RedundantCountHead', codec=codec),
            data_preprocessor=dict(type='mmdet.DetDataPreprocessor'),
        )


def test_model_and_target_that_disagree_are_refused():
    counter = build_counter().eval()
    batch = make_batch([(24, 24)], codec=dict(CODEC, stride=2))
    with pytest.raises(ValueError, match='the codec of the pipeline and that of the head differ'):
        run_loss(counter, batch)


def test_init_from_data_normalises_and_starts_at_the_target_mean():
    counter = build_counter(head=dict(init_bias='target_mean')).train()
    batches = [make_batch([(24, 24), (24, 24)])]
    expected = torch.stack([s.gt_map.data for s in batches[0]['data_samples']]).mean()
    counter.init_from_data(copy.deepcopy(batches))
    assert float(counter.head.conv.conv.bias) == pytest.approx(float(expected))
    norm = counter.backbone.conv1.norm
    assert norm.momentum == 0.1
    assert not norm.training
    data = counter.data_preprocessor(copy.deepcopy(batches[0]), True)
    first = counter.backbone.conv1.norm(counter.backbone.conv1.conv(data['inputs']))
    assert float(first.mean()) == pytest.approx(0, abs=1e-3)
    assert float(first.std()) == pytest.approx(1, abs=0.3)


def test_unknown_mode_is_refused():
    with pytest.raises(ValueError, match='mode must be'):
        build_counter()(torch.zeros(1, 3, 16, 16), mode='train')


def test_density_says_where_it_lies_in_the_original_image():
    counter = build_counter().eval()
    density = counter.test_step(make_batch([(24, 30)], scale_factor=(0.5, 0.5)))[0].pred_density
    # The cells of the image itself, whose network input has half its size.
    assert density.extent == pytest.approx((-0.5, -0.5, 59.5, 47.5))
