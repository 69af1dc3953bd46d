"""The scale network: its shape, its loss, and that it learns sizes."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.structures import InstanceData, PixelData

from mmcount.datasets import MNISTLego
from mmcount.evaluation.metrics import SizeMetric
from mmcount.models import DenseCounter, ScaleMapHead
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample
from mmcount.utils import register_all_modules

CODEC = dict(type='mmcount.ScaleMapCodec', window=3, step=1, smooth=False, min_log_area=2)
MODELS_DIR = Path(__file__).resolve().parents[3] / 'configs' / '_base_' / 'models'


@pytest.fixture(autouse=True)
def setup():
    register_all_modules()
    torch.manual_seed(0)


def make_head(**options):
    options = {**dict(codec=CODEC, in_channels=8, feat_channels=(8, 4), upsample=4), **options}
    return ScaleMapHead(**options)


def make_sample(target, **meta):
    sample = CountDataSample(metainfo=dict(img_id='a', img_shape=target.shape[1:], **meta))
    sample.gt_map = PixelData(data=target)
    return sample


def test_the_published_network_has_the_published_layers():
    cfg = Config.fromfile(MODELS_DIR / 'scale-map_r50.py').model
    with torch.device('meta'):
        counter = MODELS.build(cfg)
    shapes = {key: tuple(value.shape) for key, value in counter.state_dict().items()}
    assert shapes['backbone.layer3.5.conv3.weight'] == (1024, 256, 1, 1)
    assert not any(key.startswith('backbone.layer4') for key in shapes)
    assert [shapes[f'head.convs.{index}.conv.weight'][:2] for index in range(6)] == [
        *((512, 1024), (512, 512), (512, 512), (256, 512), (128, 256), (64, 128))
    ]
    assert shapes['head.attention.out.weight'] == (1, 32, 1, 1)
    # 9 * (1024 * 512 + 2 * 512 * 512 + 512 * 256 + 256 * 128 + 128 * 64) + biases of the dilated convolutions
    assert sum(p.numel() for p in counter.head.convs.parameters()) == 10_987_456
    assert counter.backbone.layer3[0].conv2.stride == (1, 1)


def test_the_map_is_at_stride_8_repeated():
    with torch.no_grad():
        (out,) = make_head(upsample=8)((torch.rand(1, 8, 3, 4),))
    assert out.shape == (1, 1, 24, 32)
    assert torch.equal(out, out[..., ::8, ::8].repeat_interleave(8, 2).repeat_interleave(8, 3))


def test_loss_is_the_mean_square_over_the_image_alone():
    head = make_head().eval()
    feats = (torch.rand(2, 8, 2, 3),)
    one, two = torch.zeros(1, 8, 12), torch.zeros(1, 6, 9)
    one[0, 2:4, 2:4], two[0, 1:3, 1:3] = 2.0, 5.0
    maps = head(feats)
    pred = maps[0].detach()
    samples = [make_sample(one), make_sample(two, batch_input_shape=(8, 12))]
    losses = head.loss(maps, samples)
    squares = torch.cat([(pred[0] - one).square().flatten(), (pred[1, :, :6, :9] - two).square().flatten()])
    torch.testing.assert_close(losses['loss_map'].detach(), squares.mean())
    errors = torch.cat([(pred[0] - one)[one > 0].abs(), (pred[1, :, :6, :9] - two)[two > 0].abs()])
    torch.testing.assert_close(losses['log_area_error'], errors.mean())
    none = head.loss(maps, [make_sample(torch.zeros(1, 8, 12)), make_sample(torch.zeros(1, 8, 12))])
    assert float(none['log_area_error']) == 0
    with pytest.raises(ValueError, match=r'the codec must be those of the network'):
        head.loss(maps, [make_sample(torch.zeros(1, 9, 12))] * 2)


def test_the_untrained_map_lies_above_zero():
    head = make_head(init_bias=3.0)
    head.init_weights()
    assert head.attention.out.bias.tolist() == [3.0]
    head.init_from_targets(torch.tensor([1.5]))
    assert head((torch.rand(1, 8, 2, 2),))[0].unique().tolist() == [1.5]


def test_boxes_come_back_in_pixels_of_the_original_image():
    head = make_head(codec=dict(CODEC, min_log_area=0))
    sample = CountDataSample(metainfo=dict(img_id='a', img_shape=(40, 60), scale_factor=(2.0, 2.0)))
    sample.gt_instances = InstanceData(points=torch.tensor([[10.0, 9.0]]), labels=torch.tensor([0]))
    sample.set_metainfo(dict(batch_input_shape=(40, 64)))
    maps = (torch.full((1, 1, 40, 64), float(np.log(64.5))),)
    (found,) = head.predict(maps, [sample])
    assert found.bboxes.tolist() == [[17, 15, 25, 23]]  # 8 px around the point (21, 19) in edges
    sample.gt_instances = InstanceData(bboxes=torch.tensor([[8.0, 8.0, 12.0, 12.0]]), labels=torch.tensor([0]))
    (found,) = head.predict(maps, [sample])
    assert found.bboxes.tolist() == [[16, 16, 24, 24]]
    sample.gt_instances = InstanceData(points=torch.zeros(0, 2), labels=torch.zeros(0, dtype=torch.long))
    assert head.predict(maps, [sample])[0].bboxes.shape == (0, 4)
    with pytest.raises(ValueError, match='image b: a scale map gives sizes at known points'):
        head.predict(maps, [CountDataSample(metainfo=dict(img_id='b', img_shape=(40, 64)))])


def test_another_codec_is_refused():
    with pytest.raises(ValueError, match='needs a ScaleMapCodec, got DensityCodec'):
        make_head(codec=dict(type='mmcount.DensityCodec'))


def tiny_network():
    return DenseCounter(
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor', mean=[40] * 3, std=[60] * 3),
        backbone=dict(
            type='mmdet.ResNet', depth=18, deep_stem=True, stem_channels=8, base_channels=16, num_stages=1,
            strides=(1,), dilations=(1,), out_indices=(0,), norm_eval=False, style='pytorch',
        ),
        head=dict(
            type='mmcount.ScaleMapHead', codec=CODEC, in_channels=16, feat_channels=(16,), dilation=1, upsample=4,
            norm_cfg=dict(type='BN'), init_cfg=dict(type='Kaiming', layer='Conv2d'),
        ),
    )  # fmt: skip


def size_errors_of(counter, batch):
    metric = SizeMetric()
    with torch.no_grad():
        metric.process({}, counter.eval().test_step(copy.deepcopy(batch)))
    counter.train()
    return metric.evaluate(len(batch['inputs']))


def test_training_on_two_scenes_lowers_the_error_of_sizes():
    pipeline = [
        dict(type='mmdet.LoadImageFromNDArray'),
        dict(type='mmcount.LoadCountAnnotations', geometry='bboxes'),
        dict(type='mmcount.GenerateTarget', codec=CODEC),
        dict(type='mmcount.PackCountInputs'),
    ]
    scene = dict(canvas=(48, 48), layout='single', merge_classes=True, class_mode='mixed', num_objects=4)
    scene.update(part_size=10, scale_range=(0.6, 1.8), background='black', max_overlap=0.0)
    dataset = MNISTLego(num_samples=2, scene=scene, pipeline=pipeline)
    batch = pseudo_collate([dataset[0], dataset[1]])
    counter = tiny_network()
    counter.init_weights()
    before = size_errors_of(counter, batch)
    optimizer = torch.optim.AdamW(counter.parameters(), lr=0.005)
    for _ in range(50):
        losses = counter(**counter.data_preprocessor(copy.deepcopy(batch), True), mode='loss')
        loss, _ = counter.parse_losses(losses)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    after = size_errors_of(counter, batch)
    assert after['size/log_area_MAE'] < 0.25 * before['size/log_area_MAE']
    assert after['size/mIoU'] > before['size/mIoU'] + 0.3
