import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mmcount.apis.tiling import TiledDenseInference, axis_tiles, network_context, tiled_map, tiled_predict
from mmcount.models import DenseCounter
from mmcount.models.deploy import prepare_inference
from mmcount.structures import CountDataSample

WINDOW = 8


def build_counter(stride=1, padding=0, norm='BN', **kwargs):
    torch.manual_seed(0)
    model = DenseCounter(
        backbone=dict(
            type='mmcount.CountCeption',
            window_size=WINDOW,
            padding=padding,
            stride=stride,
            norm_cfg=dict(type=norm),
        ),
        head=dict(
            type='mmcount.RedundantCountHead',
            codec=dict(type='mmcount.RedundantCountCodec', window_size=WINDOW, stride=stride),
            norm_cfg=None,
            act_cfg=None,
        ),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor', halo=WINDOW - padding),
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


@settings(deadline=None, derandomize=True, max_examples=50)
@given(
    size=st.integers(40, 400),
    tile=st.integers(8, 200),
    stride=st.sampled_from([1, 2, 4, 8]),
    shrink=st.integers(0, 39),
    ring=st.integers(0, 12),
)
def test_tiles_cover_every_cell_once_and_bring_their_context(size, tile, stride, shrink, ring):
    tiles = axis_tiles(size, tile, stride, shrink, ring)
    cells = (size - shrink - 1) // stride + 1
    assert [i for one in tiles for i in range(one.first, one.last)] == list(range(cells))
    for one in tiles:
        assert one.start % stride == 0
        assert 0 <= one.start < one.stop <= size
        assert one.last - one.first <= tile // stride
        own_cells = (one.stop - one.start - shrink - 1) // stride + 1
        assert own_cells >= one.skip + one.last - one.first
        # Either the border is that of the image, or the ring lies outside the cells that are kept.
        assert one.start == 0 or one.first * stride - one.start >= ring
        last_input = (one.last - 1) * stride + shrink
        assert one.stop == size or one.stop - 1 - last_input >= ring


def test_the_context_follows_from_the_layers(counter):
    # Kernels 3, 4 and 4 shrink by 2 + 3 + 3; six 3x3 layers pad by one.
    assert counter.backbone.context == (8, 6)


@pytest.mark.parametrize('stride', [1, 4])
@pytest.mark.parametrize('padding', [0, WINDOW])
@pytest.mark.parametrize('shape', [(70, 53), (33, 96)])
def test_tiles_give_the_map_of_the_whole_image(stride, padding, shape):
    model = build_counter(stride, padding)
    image, _ = image_and_sample(*shape)
    with torch.no_grad():
        whole = model(model.data_preprocessor(dict(inputs=[image]))['inputs'])[0]
    for batch_size in (1, 3):
        tiled = TiledDenseInference(model, tile=24, batch_size=batch_size)(image)
        assert tiled.shape == whole.shape
        assert (tiled - whole).abs().max() <= 1e-5 * whole.abs().max()


def test_without_the_ring_the_seams_would_show(counter):
    image, _ = image_and_sample(64, 64)
    inputs = counter.data_preprocessor(dict(inputs=[image]))['inputs']
    with torch.no_grad():
        whole = counter(inputs)
        careless = tiled_map(counter, inputs, (8, 0), tile=24)
    assert (careless - whole).abs().max() > 1e-3 * whole.abs().max()


@pytest.mark.parametrize('test_stride', [None, 2])
def test_tiled_predict_is_predict(test_stride):
    model = build_counter(test_cfg=dict(stride=test_stride) if test_stride else None)
    image, sample = image_and_sample(61, 50)
    sample.set_metainfo(dict(scale_factor=(0.5, 0.5)))
    inputs = model.data_preprocessor(dict(inputs=[image]))['inputs']
    with torch.no_grad():
        expected = model.predict(inputs, [copy.deepcopy(sample)])[0]
    found = tiled_predict(model, inputs, [sample], tile=24)[0]
    assert torch.allclose(found.pred_counts, expected.pred_counts, rtol=1e-5)
    assert torch.allclose(found.pred_calibrated_counts, expected.pred_calibrated_counts, rtol=1e-5)
    assert torch.allclose(found.pred_interval, expected.pred_interval, rtol=1e-4)
    assert torch.allclose(found.pred_density.data, expected.pred_density.data, atol=1e-6)
    assert torch.equal(found.pred_instances.points, expected.pred_instances.points)
    assert model.backbone.stride == 1


def test_the_prepared_model_can_be_tiled(counter):
    image, _ = image_and_sample(60, 60)
    fast = prepare_inference(counter)
    expected = TiledDenseInference(counter, tile=64)(image)
    found = TiledDenseInference(fast, tile=32)(image)
    assert (found - expected).abs().max() <= 1e-5 * expected.abs().max()


def test_preparing_leaves_the_model_as_it_was():
    model = build_counter(norm='mmcount.ChannelAffine')
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs = torch.rand(1, 3, 40, 40)
    with torch.no_grad():
        expected = model(inputs)
        for precision, tolerance in (('fp32', 1e-5), ('bf16', 0.05)):
            fast = prepare_inference(model, precision)
            found = fast(inputs)
            assert found.dtype == torch.float32
            assert (found - expected).abs().max() <= tolerance * expected.abs().max()
        assert torch.equal(model(inputs), expected)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_preparing_refuses_what_it_does_not_know(counter):
    with pytest.raises(ValueError, match='precision'):
        prepare_inference(counter, 'int8')
    with pytest.raises(TypeError, match='backbone'):
        prepare_inference(torch.nn.Conv2d(3, 3, 3))


class NoContext(torch.nn.Module):
    def forward(self, x):
        return (x,)


def test_models_that_need_the_whole_image_are_refused(counter):
    model = copy.deepcopy(counter)
    model.backbone = NoContext().eval()
    with pytest.raises(ValueError, match='needs the whole image: its backbone NoContext'):
        network_context(model)
    model = copy.deepcopy(counter)
    model.neck = NoContext().eval()
    with pytest.raises(ValueError, match='needs the whole image: its neck'):
        TiledDenseInference(model)
    model = copy.deepcopy(counter)
    model.head.conv.conv = torch.nn.Conv2d(64, 1, 3, padding=1)
    with pytest.raises(ValueError, match='needs the whole image: its head'):
        TiledDenseInference(model)
    model = copy.deepcopy(counter)
    model.backbone.conv10 = torch.nn.Sequential(model.backbone.conv10, torch.nn.GroupNorm(8, 64))
    with pytest.raises(ValueError, match='needs the whole image: GroupNorm'):
        TiledDenseInference(model)
    with pytest.raises(ValueError, match='training mode'):
        TiledDenseInference(copy.deepcopy(counter).train())


def test_sizes_that_cannot_work_are_refused(counter):
    with pytest.raises(ValueError, match='tile must be at least the stride 4'):
        axis_tiles(100, 3, 4, 32, 6)
    with pytest.raises(ValueError, match='needs at least 33'):
        axis_tiles(32, 64, 1, 32, 6)
    with pytest.raises(ValueError, match='batch_size'):
        TiledDenseInference(counter, batch_size=0)
