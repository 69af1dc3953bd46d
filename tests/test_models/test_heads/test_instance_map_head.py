"""The head of IIM: losses over the images alone, predictions from both maps, crowds of any number of heads."""

import copy

import numpy as np
import pytest
import torch
from mmengine.structures import PixelData

from mmcount.models import DenseCounter, InstanceMapHead
from mmcount.registry import CODECS
from mmcount.structures import CountDataSample
from tests.encoding import encoded

CODEC = dict(type='mmcount.InstanceMapCodec', geometry='bboxes', stride=1)
PIXEL = dict(type='mmcount.PixelThreshold', in_channels=8, feat_channels=(4,), feat_stride=2, threshold_stride=4)
KINDS = [
    dict(type='mmcount.FixedThreshold', value=0.5),
    dict(type='mmcount.ImageThreshold', in_channels=8, feat_stride=2, threshold_stride=4),
    dict(PIXEL, pool_size=3),
]
CROWDS = {
    'none': [],
    'one': [[10, 10, 22, 24]],
    'outside': [[-40, -40, -30, -30], [10, 10, 22, 24], [200, 5, 212, 20]],
    'duplicates': [[10, 10, 22, 24]] * 3,
}


class Stem(torch.nn.Module):
    """Features at stride 2."""

    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)

    def forward(self, x):
        return (self.conv(x).relu(),)


def build(binarizer=KINDS[2], **kwargs):
    torch.manual_seed(0)
    counter = DenseCounter(
        backbone=dict(type='mmcount.CountCeption'),
        head=dict(
            type='mmcount.InstanceMapHead',
            codec=CODEC,
            in_channels=8,
            predictor=dict(upsample_channels=()),
            binarizer=binarizer,
        )
        | kwargs,
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor', pad_size_divisor=4),
    )
    torch.manual_seed(1)
    counter.backbone = Stem()
    counter.init_weights()
    return counter


def batch_of(crowds, shapes=((48, 64), (48, 64))):
    rng, codec, inputs, samples = np.random.default_rng(0), CODECS.build(CODEC), [], []
    for index, (boxes, shape) in enumerate(zip(crowds, shapes, strict=False)):
        sample = CountDataSample(metainfo=dict(img_id=str(index), img_shape=shape))
        boxes = np.array(boxes, dtype=np.float32).reshape(-1, 4)
        target = encoded(codec, boxes, np.zeros(len(boxes), dtype=np.int64), shape)
        sample.gt_map = PixelData(data=torch.from_numpy(target))
        inputs.append(torch.from_numpy(rng.integers(0, 256, (3, *shape), dtype=np.uint8)))
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def losses_of(counter, batch):
    return counter(**counter.data_preprocessor(copy.deepcopy(batch), True), mode='loss')


@pytest.mark.parametrize('binarizer', KINDS, ids=lambda kind: kind['type'])
@pytest.mark.parametrize('crowd', CROWDS)
def test_any_crowd_trains_and_predicts(crowd, binarizer):
    counter = build(binarizer).train()
    batch = batch_of([CROWDS[crowd], CROWDS['one']])
    total, _ = counter.parse_losses(losses_of(counter, batch))
    total.backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in counter.parameters() if p.requires_grad)
    with torch.no_grad():
        samples = counter.eval().test_step(batch)
    for sample in samples:
        found = sample.pred_instances
        assert sample.pred_counts.tolist() == [len(found)]
        assert float(sample.pred_density.data.sum()) == len(found)
        assert found.bboxes.shape == (len(found), 4)
        assert not found.labels.any()


@pytest.mark.parametrize('number', [0, 1, 5])
def test_predictions_are_the_components_of_the_map(number):
    boxes = [[8 + 10 * i, 12, 14 + 10 * i, 20] for i in range(number)]
    batch = batch_of([boxes], [(32, 64)])
    head = build().head
    target = batch['data_samples'][0].gt_map.data[None]
    confidence = torch.nn.functional.pad(target * 0.6, (0, 4))  # padding of the batch
    confidence[..., 64:] = 0.9
    threshold = torch.full_like(confidence, 0.5)
    threshold[..., 8:14] = 0.65
    batch['data_samples'][0].set_metainfo(dict(batch_input_shape=(32, 68)))
    (found,) = head.predict((confidence, threshold), batch['data_samples'])
    kept = boxes[1:]
    assert found.counts.tolist() == [len(kept)]
    assert found.points.tolist() == [[(x1 + x2 - 1) / 2, 15.5] for x1, _, x2, _ in kept]
    assert found.bboxes.tolist() == kept
    assert found.scores.tolist() == pytest.approx([0.6] * len(kept))


def test_losses_are_means_over_the_images_without_padding():
    counter = build().eval()
    batch = batch_of([CROWDS['one'], CROWDS['none']], [(46, 62), (20, 34)])
    data = counter.data_preprocessor(copy.deepcopy(batch), True)
    assert data['inputs'].shape[-2:] == (48, 64)
    with torch.no_grad():
        confidence, threshold = counter.maps(data['inputs'])
    squares, absolutes, cells = 0.0, 0.0, 0
    for index, sample in enumerate(batch['data_samples']):
        height, width = sample.img_shape
        own, target = confidence[index, 0, :height, :width], sample.gt_map.data[0]
        squares += float(((own - target) ** 2).sum())
        absolutes += float(((own >= threshold[index, 0, :height, :width]).float() - target).abs().sum())
        cells += height * width
    losses = counter(**data, mode='loss')
    assert float(losses['loss_conf'].detach()) == pytest.approx(squares / cells, rel=1e-5)
    assert float(losses['loss_bin'].detach()) == pytest.approx(absolutes / cells, rel=1e-5)


def gradients(loss, **kwargs):
    """Sizes of the gradients of one loss to backbone, predictor and thresholds."""
    counter = build(**kwargs).train()
    losses_of(counter, batch_of([CROWDS['one'], CROWDS['none']]))[loss].backward()
    modules = (counter.backbone, counter.head.predictor, counter.head.binarizer)
    return [sum(float(p.grad.abs().sum()) for p in module.parameters() if p.grad is not None) for module in modules]


def test_who_learns_from_what():
    backbone, predictor, thresholds = gradients('loss_conf')
    assert min(backbone, predictor) > 0
    assert thresholds == 0
    backbone, predictor, thresholds = gradients('loss_bin')
    assert min(backbone, predictor, thresholds) > 0
    assert gradients('loss_bin', grad_scales=(0.0, -1.0)) == [0, 0, pytest.approx(thresholds)]
    assert gradients('loss_bin', grad_scales=(0.4, -1.0))[0] == pytest.approx(2 * backbone, rel=1e-4)


def test_without_the_second_loss_the_threshold_changes_nothing():
    losses = [losses_of(build(kind, loss_bin=None).train(), batch_of([CROWDS['one']])) for kind in KINDS]
    assert all(set(one) == {'loss_conf'} for one in losses)
    assert len({float(one['loss_conf'].detach()) for one in losses}) == 1


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
def test_mixed_precision(dtype):
    counter = build().train()
    batch = batch_of([CROWDS['one'], CROWDS['none']])
    with torch.autocast('cpu', dtype=dtype):
        total, _ = counter.parse_losses(losses_of(counter, batch))
    total.backward()
    assert total.dtype == torch.float32
    assert all(torch.isfinite(p.grad).all() for p in counter.parameters() if p.grad is not None)
    with torch.autocast('cpu', dtype=dtype), torch.no_grad():
        confidence, threshold = counter.eval().maps(counter.data_preprocessor(batch)['inputs'])
    assert confidence.dtype == threshold.dtype == torch.float32


def test_training_finds_the_objects():
    """Bright squares on a dark ground, learned in some steps."""
    counter = build(grad_scales=(0.2, -1.0)).train()
    rng = np.random.default_rng(0)
    boxes = [[6, 6, 16, 16], [26, 10, 36, 20], [46, 30, 56, 40]]
    batch = batch_of([boxes], [(48, 64)])
    img = rng.integers(0, 40, (3, 48, 64), dtype=np.uint8)
    for x1, y1, x2, y2 in boxes:
        img[:, y1:y2, x1:x2] = 220
    batch['inputs'] = [torch.from_numpy(img)]
    optimizer = torch.optim.Adam(counter.parameters(), lr=0.02)
    for _ in range(40):
        optimizer.zero_grad()
        total, _ = counter.parse_losses(losses_of(counter, batch))
        total.backward()
        optimizer.step()
    with torch.no_grad():
        (sample,) = counter.eval().test_step(batch)
    assert sample.pred_counts.tolist() == [3]
    expected = torch.tensor([[10.5, 10.5], [30.5, 14.5], [50.5, 34.5]])
    torch.testing.assert_close(sample.pred_instances.points, expected, atol=1.0, rtol=0)


def test_wrong_parts_are_refused():
    with pytest.raises(TypeError, match='InstanceMapCodec'):
        InstanceMapHead(dict(type='mmcount.DensityCodec', sigma=2, stride=1), 8, KINDS[0])
    counter = build()
    batch = batch_of([CROWDS['one']], [(48, 64)])
    batch['data_samples'][0].gt_map = PixelData(data=torch.zeros(1, 96, 128))
    with pytest.raises(ValueError, match=r'the target has \(96, 128\) cells, the codec of the head \(48, 64\)'):
        losses_of(counter, batch)
