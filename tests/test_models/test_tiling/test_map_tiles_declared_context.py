"""Exact tiles of a network that declares what it sees: Count-ception."""

import copy

import pytest
import torch

from mmcount.models import DenseCounter
from mmcount.models.deploy import prepare_inference
from mmcount.models.tiling import MapTiles, axis_tiles, tiled_maps
from mmcount.structures import CountDataSample

WINDOW = 8


def build_counter(stride=1, norm='BN', **kwargs):
    torch.manual_seed(0)
    model = DenseCounter(
        backbone=dict(
            type='mmcount.CountCeption',
            window_size=WINDOW,
            stride=stride,
            norm_cfg=dict(type=norm),
        ),
        head=dict(
            type='mmcount.RedundantCountHead',
            codec=dict(type='mmcount.RedundantCountCodec', window_size=WINDOW, stride=stride),
            norm_cfg=None,
            act_cfg=None,
        ),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
        **kwargs,
    )
    for one in model.backbone.modules():
        if isinstance(one, torch.nn.BatchNorm2d):
            # A shift makes the zeros of inner paddings differ from what lies beyond a tile.
            one.running_mean.normal_(0, 0.2)
            one.bias.data.uniform_(0.1, 0.5)
    return model.eval()


@pytest.fixture(scope='module')
def counter():
    return build_counter()


def image_and_sample(height, width):
    image = torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    return image, CountDataSample(metainfo=dict(img_shape=(height, width), scale_factor=(1.0, 1.0)))


def inputs_of(model, image):
    return model.data_preprocessor(dict(inputs=[image]))['inputs']


def maps_of(model, image, tiles=None):
    with torch.no_grad():
        inputs = inputs_of(model, image)
        return (tiles.maps(model, inputs[0]) if tiles else model.maps(inputs))[0]


def test_the_context_follows_from_the_layers(counter):
    # Kernels 3, 4 and 4 shrink by 2 + 3 + 3; six 3x3 layers pad by one.
    assert counter.backbone.context == (8, 6)


@pytest.mark.parametrize('stride', [1, 4])
@pytest.mark.parametrize('shape', [(70, 53), (33, 96)])
def test_tiles_give_the_map_of_the_whole_image(stride, shape):
    model = build_counter(stride)
    image, _ = image_and_sample(*shape)
    whole = maps_of(model, image)
    for batch_size in (1, 3):
        tiled = maps_of(model, image, MapTiles(size=24, batch_size=batch_size))
        assert tiled.shape == whole.shape
        assert (tiled - whole).abs().max() <= 1e-5 * whole.abs().max()


def test_without_the_ring_the_seams_would_show(counter):
    image, _ = image_and_sample(64, 64)
    inputs = inputs_of(counter, image)
    rows = axis_tiles(inputs.shape[2], 24, 1, 8, 0)
    with torch.no_grad():
        (careless,) = tiled_maps(counter.maps, inputs, rows, rows)
    whole = maps_of(counter, image)
    assert (careless - whole).abs().max() > 1e-3 * whole.abs().max()


@pytest.mark.parametrize('stride', [1, 2])
def test_prediction_in_tiles_is_prediction(stride):
    model = build_counter(stride)
    model.calibration.interval_scale.fill_(1)
    model.calibration.fitted.fill_(True)
    # Maps above zero, so that there are objects to place.
    model.head.conv.conv.bias.data.fill_(5.0)
    image, sample = image_and_sample(61, 50)
    sample.set_metainfo(dict(scale_factor=(0.5, 0.5)))
    inputs = inputs_of(model, image)
    with torch.no_grad():
        expected = model.predict(inputs, [copy.deepcopy(sample)])[0]
        found = model.predict(inputs, [sample], tiles=MapTiles(size=24))[0]
    assert torch.allclose(found.pred_counts, expected.pred_counts, rtol=1e-5)
    assert torch.allclose(found.pred_calibrated_counts, expected.pred_calibrated_counts, rtol=1e-5)
    assert torch.allclose(found.pred_interval, expected.pred_interval, rtol=1e-4)
    assert torch.allclose(found.pred_density.data, expected.pred_density.data, atol=1e-3)
    assert len(expected.pred_instances) > 50
    assert torch.allclose(found.pred_instances.points, expected.pred_instances.points, atol=0.05)
    assert torch.allclose(found.pred_instances.scores, expected.pred_instances.scores, atol=0.01)


def test_the_prepared_model_can_be_tiled(counter):
    image, _ = image_and_sample(60, 60)
    expected = maps_of(counter, image)
    found = maps_of(prepare_inference(counter), image, MapTiles(size=32))
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


class NoContext(torch.nn.Module):
    context = None

    def forward(self, x):
        return (x,)


def test_models_that_need_the_whole_image_are_refused(counter):
    model = copy.deepcopy(counter)
    model.backbone = NoContext().eval()
    with pytest.raises(ValueError, match='so its backbone must declare a context'):
        MapTiles(size=64).check(model)
    model = copy.deepcopy(counter)
    model.neck = NoContext().eval()
    with pytest.raises(ValueError, match='needs the whole image: its neck'):
        MapTiles(size=64).check(model)
    model = copy.deepcopy(counter)
    model.head.conv.conv = torch.nn.Conv2d(64, 1, 3, padding=1)
    with pytest.raises(ValueError, match='needs the whole image: its head'):
        MapTiles(size=64).check(model)
    model = copy.deepcopy(counter)
    model.backbone.conv10 = torch.nn.Sequential(model.backbone.conv10, torch.nn.GroupNorm(8, 64))
    with pytest.raises(ValueError, match='needs the whole image: GroupNorm'):
        MapTiles(size=64).check(model)
    with pytest.raises(ValueError, match='training mode'):
        MapTiles(size=64).check(copy.deepcopy(counter).train())
    with pytest.raises(ValueError, match="use mode 'exact'"):
        MapTiles('average', size=64).check(counter)
