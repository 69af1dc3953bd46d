"""Laws of the data contract, for every registered counter and every head, on small nets that were trained."""

import copy
import functools
import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData, PixelData

from mmcount.apis.build_model import prepared
from mmcount.codecs import CountCodec
from mmcount.datasets.transforms import GenerateTarget
from mmcount.models.counters import FittedCounter
from mmcount.models.heads import CountHead
from mmcount.models.tiling import MapTiles
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, Objects
from mmcount.structures.sample_fields import predicted_counts
from mmcount.utils import register_all_modules

SHAPES = [(64, 64), (64, 64), (40, 56), (32, 72)]
WIDTH = 16
CONFIGS = Path(__file__).resolve().parents[1] / 'configs'

RESNET = dict(
    type='mmdet.ResNet',
    depth=18,
    deep_stem=True,
    stem_channels=8,
    base_channels=WIDTH,
    num_stages=1,
    strides=(1,),
    dilations=(1,),
    out_indices=(0,),
    norm_eval=False,
    style='pytorch',
)
CLASSIFIER = dict(
    type='mmcount.ImageClassifier',
    backbone=dict(type='mmcount.PlainConvNet', channels=(4, 8), kernel_size=3),
    head=dict(type='mmcount.ClassMapHead', num_classes=2, in_channels=8),
)
LAST, PREVIOUS = 'backbone.layers.1', 'backbone.layers.0'
BLOCKS = [dict(layer=LAST, pooling='grid', grid=4), dict(layer=PREVIOUS, pooling='mean')]
MAPS = {LAST: 3, PREVIOUS: 2}
SVM = dict(max_count=4, regularisation=(100.0,))


def dense(head, backbone=RESNET, **preprocessor):
    options = dict(type='mmcount.CountDataPreprocessor', mean=[40] * 3, std=[60] * 3, **preprocessor)
    return dict(type='mmcount.DenseCounter', data_preprocessor=options, backbone=backbone, head=head)


def counts_head(name, **options):
    return dense(dict(type=f'mmcount.{name}', num_classes=1, in_channels=WIDTH, **options))


def fitted(name, **options):
    preprocessor = dict(type='mmcount.CountDataPreprocessor', mean=[40] * 3, std=[60] * 3)
    return dict(type=f'mmcount.{name}', classifier=CLASSIFIER, data_preprocessor=preprocessor, **options)


DETECTOR = dict(
    type='RetinaNet',
    data_preprocessor=dict(type='DetDataPreprocessor', mean=[40.0] * 3, std=[60.0] * 3, pad_size_divisor=8),
    backbone=dict(RESNET, type='ResNet'),
    neck=dict(type='FPN', in_channels=[WIDTH], out_channels=WIDTH, num_outs=2),
    bbox_head=dict(
        type='RetinaHead',
        num_classes=1,
        in_channels=WIDTH,
        feat_channels=WIDTH,
        stacked_convs=1,
        anchor_generator=dict(
            type='AnchorGenerator', octave_base_scale=2, scales_per_octave=1, ratios=[1.0], strides=[4, 8]
        ),
    ),
    train_cfg=dict(
        assigner=dict(type='MaxIoUAssigner', pos_iou_thr=0.5, neg_iou_thr=0.4, min_pos_iou=0),
        sampler=dict(type='PseudoSampler'),
        allowed_border=-1,
        pos_weight=-1,
    ),
    test_cfg=dict(nms_pre=100, score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=20),
)
MODEL_CONFIGS = {
    'Count-ception': dense(
        dict(
            type='mmcount.RedundantCountHead',
            codec=dict(type='mmcount.RedundantCountCodec', window_size=8, stride=2),
            norm_cfg=None,
            act_cfg=None,
        ),
        dict(type='mmcount.CountCeption', window_size=8, stride=2, norm_eval=True),
    ),
    'density map': dense(
        dict(
            type='mmcount.DensityMapHead',
            codec=dict(type='mmcount.DensityCodec', sigma=3, stride=4),
            in_channels=WIDTH,
        ),
        pad_size_divisor=4,
    ),
    'IIM': dense(
        dict(
            type='mmcount.InstanceMapHead',
            codec=dict(type='mmcount.InstanceMapCodec', rule='original'),
            in_channels=WIDTH,
            predictor=dict(upsample_channels=(8,)),
            binarizer=dict(type='mmcount.FixedThreshold', value=0.4),
        ),
        pad_size_divisor=8,
    ),
    'scale map': dense(
        dict(
            type='mmcount.ScaleMapHead',
            codec=dict(type='mmcount.ScaleMapCodec', window=9, step=4),
            in_channels=WIDTH,
            feat_channels=(8,),
            dilation=1,
            upsample=4,
        ),
        pad_size_divisor=4,
    ),
    'P2PNet': dense(
        dict(
            type='mmcount.PointProposalHead',
            codec=dict(type='mmcount.PointProposalCodec', rows=1, columns=1, offset_scale=8, stride=4),
            in_channels=(WIDTH,),
            feat_channels=16,
            num_convs=0,
        ),
        pad_size_divisor=4,
    ),
    'DM-Count': dense(
        dict(
            type='mmcount.DistributionMatchingHead',
            codec=dict(type='mmcount.DotMapCodec', stride=4),
            in_channels=WIDTH,
            feat_channels=(8,),
            upsample=1,
        ),
        pad_size_divisor=4,
    ),
    'ILC': counts_head('LowerCountHead', peak_radius=2),
    'CAM + MSE': counts_head('PooledCountHead'),
    'Peak + MSE': counts_head('PooledCountHead', pooling='peak'),
    'glance': counts_head('GlanceHead', hidden_channels=8),
    'C2P': fitted('CountThenPoint', blocks=BLOCKS, heat_layer=LAST, svm=SVM),
    'P2C': fitted('PointThenCount', maps=MAPS),
    'C2P and P2C': fitted('CountAndPoint', blocks=BLOCKS, pointer=dict(maps=MAPS), svm=SVM),
    'CountingDetector': dict(
        type='mmcount.CountingDetector',
        detector=DETECTOR,
        roi_extractor=dict(featmap_strides=[4], out_channels=WIDTH),
        count_head=dict(codec=dict(type='mmcount.DigitCodec', max_count=20, base=10), fc_out_channels=16),
    ),
}
MODEL_CONFIGS['CLCNet'] = 'clcnet/clcnet-s2-cls10_tiny-resnet_cpu-15min_mnist-lego-shelf.py'
#: mmdet's contract: boxes with counts, and no density.
DETECTORS = ('CountingDetector', 'CLCNet')
DENSE = [name for name, config in MODEL_CONFIGS.items() if 'head' in config]
#: Heads that pool over the whole image, or attend to it.
GLOBAL = ('glance', 'scale map')
#: Not by themselves: it wraps any counter, and its counts are that counter's.
WRAPPERS = {'PeakSegmentor'}


def scene(index, shape, most=4):
    """An image of bright squares on noise, and the objects."""
    rng = np.random.default_rng(index)
    height, width = shape
    img = rng.integers(0, 40, (height, width, 3), dtype=np.uint8)
    places = rng.permutation([(x, y) for x in range(2, width - 9, 14) for y in range(2, height - 9, 14)])
    corners = places[: rng.integers(1, most + 1)]
    for x, y in corners:
        img[y : y + 8, x : x + 8] = 220
    boxes = np.concatenate((corners, corners + 8), axis=1).astype(np.float64)
    return img, Objects((boxes[:, :2] + boxes[:, 2:] - 1) / 2, bboxes=boxes)


def batch_of(shapes, codec=None, start=0, **meta):
    inputs, samples = [], []
    for index, shape in enumerate(shapes):
        img, objects = scene(start + index, shape)
        name = f'image {start + index}'
        sample = CountDataSample(
            metainfo=dict(img_id=name, img_shape=shape, ori_shape=shape, scale_factor=(1.0, 1.0)) | meta
        )
        sample.gt_instances = InstanceData(
            bboxes=torch.from_numpy(objects.bboxes).float(),
            points=torch.from_numpy(objects.points).float(),
            labels=torch.from_numpy(objects.labels),
            counts=torch.ones(len(objects.labels), dtype=torch.int64),
        )
        sample.gt_counts = torch.tensor([float(len(objects.points))])
        if codec is not None and (targets := codec.encode(objects, codec.grid(shape))):
            targets = {key: torch.from_numpy(target) for key, target in targets.items()}
            sample.gt_map = PixelData(metainfo=dict(codec=repr(codec)), **targets)
        inputs.append(torch.from_numpy(img.transpose(2, 0, 1).copy()))
        samples.append(sample)
    return dict(inputs=inputs, data_samples=samples)


def codec_of(model) -> CountCodec | None:
    codec = getattr(getattr(model, 'head', None), 'codec', None)
    return codec if isinstance(codec, CountCodec) else None


@functools.cache
def trained(name):
    """A net that has seen some scenes: its weights, and so its counts, are not those of the initialisation."""
    register_all_modules()
    init_default_scope('mmcount')
    torch.manual_seed(0)
    config = MODEL_CONFIGS[name]
    model = MODELS.build(Config.fromfile(CONFIGS / config).model if isinstance(config, str) else copy.deepcopy(config))
    model.init_weights()
    if isinstance(model, FittedCounter):
        data = model.data_preprocessor(batch_of([(64, 64)] * 24))
        for stage in model.passes:
            records = model.observe_batch(data['inputs'], data['data_samples'], stage)
            model.fit([dict(record, img_id=index) for index, record in enumerate(records)], stage)
        return model
    model.train()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for step in range(25):
        batch = batch_of([(64, 64)] * 4, codec_of(model), start=4 * step)
        loss, _ = model.parse_losses(model(**model.data_preprocessor(batch, True), mode='loss'))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def predict(model, batch):
    with torch.no_grad():
        return model.test_step(copy.deepcopy(batch))


def alone(model, batch):
    pairs = zip(batch['inputs'], batch['data_samples'], strict=True)
    return [predict(model, dict(inputs=[image], data_samples=[sample]))[0] for image, sample in pairs]


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(predicted_counts(one), predicted_counts(other), rtol=1e-4, atol=1e-5)
        assert len(one.pred_instances) == len(other.pred_instances)
        for key in ('points', 'bboxes', 'counts'):
            if key in other.pred_instances:
                torch.testing.assert_close(one.pred_instances[key], other.pred_instances[key], rtol=1e-3, atol=1e-2)


def test_every_registered_counter_and_head_is_held_to_the_laws():
    register_all_modules()
    ours = [cls for cls in MODELS.module_dict.values() if cls.__module__.startswith('mmcount.models.')]
    used = {type(trained(name)).__name__ for name in MODEL_CONFIGS}
    used |= {type(trained(name).head).__name__ for name in DENSE}
    counters = {cls.__name__ for cls in ours if cls.__module__.startswith('mmcount.models.counters.')}
    heads = {cls.__name__ for cls in ours if issubclass(cls, CountHead) and not inspect.isabstract(cls)}
    detectors = {'CountingTTAModel'}
    assert (counters | heads) - used - WRAPPERS - detectors == set()


@pytest.mark.parametrize('name', MODEL_CONFIGS)
def test_neighbours_in_a_batch_never_change_a_count(name):
    model, batch = trained(name), batch_of(SHAPES, start=200)
    expected = alone(model, batch)
    assert_same(predict(model, batch), expected)
    backwards = dict(inputs=batch['inputs'][::-1], data_samples=batch['data_samples'][::-1])
    assert_same(predict(model, backwards), expected[::-1])


@pytest.mark.parametrize('name', DENSE)
def test_tiles_never_change_a_count(name):
    model = copy.deepcopy(trained(name))
    model.tiles = MapTiles('exact', size=(96, 104), divisor=8)
    if name in GLOBAL:
        with pytest.raises(ValueError, match='needs the whole image'):
            model.tiles.check(model)
        return
    batch = batch_of([(64, 64), (136, 152)], start=300)
    assert_same(predict(model, batch), predict(trained(name), batch))


@pytest.mark.parametrize('name', MODEL_CONFIGS)
def test_the_density_sums_to_the_counts_and_covers_the_image(name):
    for sample in predict(trained(name), batch_of(SHAPES, start=400)):
        if 'pred_density' not in sample:
            assert name in DETECTORS
            continue
        density = sample.pred_density
        torch.testing.assert_close(density.data.sum(dim=(1, 2)), sample.pred_counts, rtol=1e-4, atol=1e-4)
        left, top, right, bottom = density.extent
        height, width = sample.ori_shape
        assert left <= 0
        assert top <= 0
        assert right >= width - 1
        assert bottom >= height - 1


@pytest.mark.parametrize('name', MODEL_CONFIGS)
def test_places_are_in_pixels_of_the_original_image(name):
    """An image that was halved: its places are twice as far apart in the original."""
    model = trained(name)
    whole, half = (batch_of([(64, 64)], start=500, scale_factor=(factor, factor)) for factor in (1.0, 0.5))
    for batch, factor in ((whole, 1.0), (half, 2.0)):
        # Known objects are annotated in the original image.
        instances = batch['data_samples'][0].gt_instances
        instances.points = (instances.points + 0.5) * factor - 0.5
        instances.bboxes = instances.bboxes * factor
    one, other = predict(model, whole)[0], predict(model, half)[0]
    np.testing.assert_allclose(predicted_counts(one), predicted_counts(other), rtol=1e-6)
    if 'points' in one.pred_instances:
        expected = (one.pred_instances.points + 0.5) * 2 - 0.5
        torch.testing.assert_close(other.pred_instances.points, expected, rtol=1e-4, atol=1e-3)
    if 'bboxes' in one.pred_instances:
        torch.testing.assert_close(other.pred_instances.bboxes, one.pred_instances.bboxes * 2, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize('name', MODEL_CONFIGS)
def test_what_was_never_fitted_is_absent(name):
    for sample in predict(trained(name), batch_of(SHAPES[:1])):
        assert 'pred_calibrated_counts' not in sample
        assert 'pred_interval' not in sample


@pytest.mark.parametrize('name', DENSE)
def test_an_image_that_is_not_finite_is_named(name):
    model = copy.deepcopy(trained(name))
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.fill_(float('nan'))
    with pytest.raises(ValueError, match=r'image 0.*not finite'):
        predict(model, batch_of(SHAPES[:1]))


@pytest.mark.parametrize('name', [name for name in DENSE if 'codec' in MODEL_CONFIGS[name]['head']])
@pytest.mark.parametrize('stride', [2, 3])
def test_a_codec_of_another_stride_than_the_network_never_counts(name, stride):
    model = copy.deepcopy(trained(name))
    codec = model.head.codec
    codec.stride = stride * codec.stride
    with pytest.raises(ValueError, match='has a map of'):
        predict(model, batch_of(SHAPES[:1]))


def test_the_target_of_another_codec_never_trains():
    model = copy.deepcopy(trained('Count-ception')).train()
    other = GenerateTarget(dict(type='mmcount.RedundantCountCodec', window_size=8, stride=2, num_classes=2))
    batch = batch_of([(64, 64)] * 2, other.codec)
    with pytest.raises(ValueError, match='the codec of the pipeline and that of the head differ'):
        model(**model.data_preprocessor(batch, True), mode='loss')


@pytest.mark.parametrize('name', MODEL_CONFIGS)
def test_fast_inference_never_changes_a_count(name):
    batch = batch_of(SHAPES, start=600)
    assert_same(predict(prepared(trained(name), 'fp32'), batch), predict(trained(name), batch))


@pytest.mark.parametrize('name', MODEL_CONFIGS)
def test_half_precision_counts_nearly_the_same_or_is_refused(name):
    batch = batch_of(SHAPES, start=600)
    model, refusal = None, ''
    try:
        model = prepared(trained(name), 'bf16')
    except ValueError as error:
        refusal = str(error)
    if model is None:
        assert 'cannot run in bf16' in refusal
        return
    for one, other in zip(predict(model, batch), predict(trained(name), batch), strict=True):
        # Boxes of a detector near its threshold come or go whole.
        allowed = 0.25 if name in DETECTORS else 0.1
        np.testing.assert_allclose(predicted_counts(one), predicted_counts(other), rtol=allowed, atol=0.5)
