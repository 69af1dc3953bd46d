"""The dense counter: losses, predictions, padding, strides."""

import copy

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData

from mmcount.models import DenseCounter
from mmcount.registry import CODECS
from mmcount.structures import CountDataSample

CODEC = dict(type='mmcount.RedundantCountCodec', window_size=8, stride=1)


def build_counter(codec=CODEC, head=(), **kwargs):
    torch.manual_seed(0)
    counter = DenseCounter(
        backbone=dict(type='mmcount.CountCeption', window_size=8, padding=0, norm_eval=True, stride=codec['stride']),
        head=dict(type='mmcount.RedundantCountHead', codec=codec, norm_cfg=None, act_cfg=None) | dict(head),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor', halo=codec['window_size']),
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
        target = encoder.encode(points, np.zeros(num_points, dtype=int), (height, width))
        sample.gt_map = PixelData(data=torch.from_numpy(target))
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
    assert predictions[0].pred_density.data.shape == (1, 32, 38)
    assert predictions[1].pred_density.data.shape == (1, 24, 28)


def test_predicting_the_target_gives_the_true_count():
    counter = build_counter().eval()
    batch = make_batch([(24, 30)])
    counter.head.forward = lambda feats: batch['data_samples'][0].gt_map.data[None]
    sample = counter.test_step(batch)[0]
    assert sample.pred_counts.tolist() == [5]
    assert float(sample.pred_density.data.sum()) == pytest.approx(5)
    assert sample.pred_calibrated_counts.tolist() == [5]
    assert sample.pred_interval.shape == (1, 2)


def test_density_sums_to_the_count():
    counter = build_counter().eval()
    sample = counter.test_step(make_batch([(40, 33)]))[0]
    torch.testing.assert_close(sample.pred_density.data.sum(dim=(1, 2)), sample.pred_counts, rtol=1e-5, atol=1e-4)


def test_points_are_in_pixels_of_the_original_image():
    counter = build_counter().eval()
    batch = make_batch([(24, 30)], scale_factor=(0.5, 0.5))
    target = batch['data_samples'][0].gt_map.data
    counter.head.forward = lambda feats: target[None]
    network_points = counter.head.codec.decode(target, (24, 30)).points
    points = counter.test_step(batch)[0].pred_instances.points
    torch.testing.assert_close(points, (network_points + 0.5) * 2 - 0.5)


def test_a_net_trained_dense_tests_at_a_stride_with_the_same_cells():
    counter = build_counter().eval()
    batch = make_batch([(24, 30)])
    dense = counter.test_step(copy.deepcopy(batch))[0].pred_density.data
    counter.test_cfg = dict(stride=4)
    coarse = counter.test_step(copy.deepcopy(batch))[0].pred_density.data
    torch.testing.assert_close(coarse / 16, dense[:, ::4, ::4], rtol=1e-4, atol=1e-6)
    assert counter.backbone.stride == 1


def test_stride_needs_a_backbone_that_has_one():
    counter = build_counter(test_cfg=dict(stride=4)).eval()
    counter.backbone = torch.nn.Identity()
    with pytest.raises(ValueError, match=r'test_cfg\.stride needs a backbone with a stride'):
        counter.test_step(make_batch([(16, 16)]))


def test_model_and_target_that_disagree_are_refused():
    counter = build_counter().eval()
    batch = make_batch([(24, 24)], codec=dict(CODEC, stride=2))
    with pytest.raises(ValueError, match='codec, stride and padding of the model'):
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
    # Window 8 at stride 1: cell (0, 0) is centred at -4.5 in the network's input, which is half the image.
    assert density.extent == pytest.approx((-9.5, -9.5, 66.5, 54.5))


def test_boxes_of_a_codec_reach_the_sample_in_pixels_of_the_original_image():
    from mmcount.models.heads.dense_head import to_data_sample

    codec = CODECS.build(dict(type='mmcount.InstanceMapCodec', min_area=1))
    confidence = torch.zeros(1, 8, 12)
    confidence[0, 2:5, 4:8] = 0.9
    sample = CountDataSample(metainfo=dict(img_id='a', img_shape=(8, 12), scale_factor=(0.5, 0.25)))
    prediction = codec.decode(confidence, (8, 12))
    instances = to_data_sample(prediction, sample, prediction.counts, None).pred_instances
    assert instances.bboxes.tolist() == [[8, 8, 16, 20]]
    assert instances.points.tolist() == [[11.5, 13.5]]
