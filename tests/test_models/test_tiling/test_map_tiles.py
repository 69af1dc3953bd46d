"""Tiled inference by ``test_cfg.tiles``, with a small head of two maps at two strides."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mmcount.models import DenseCounter
from mmcount.models.heads.dense_head import DenseCountHead
from mmcount.models.tiling import MapTiles, averaged_maps, measured_reach, shifted_tiles, tiles_for
from mmcount.registry import CODECS, MODELS
from mmcount.structures import CountDataSample


@MODELS.register_module()
class TwoStrideNet(nn.Module):
    """Strides of 2 and 8, biased layers, and pools that see the zeros around the image."""

    def __init__(self, norm='batch'):
        super().__init__()
        make = {'batch': nn.BatchNorm2d, 'group': lambda channels: nn.GroupNorm(2, channels)}[norm]
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), make(4), nn.ReLU())
        self.deep = nn.Sequential(nn.MaxPool2d(2), nn.Conv2d(4, 4, 3, 2, 1), nn.PReLU(), nn.AvgPool2d(3, 1, 1))

    def forward(self, x):
        stem = self.stem(x)
        return stem, self.deep(stem)


@MODELS.register_module()
class TwoMapHead(DenseCountHead):
    """A confidence at stride 1 and a threshold from stride 8, as in IIM."""

    def __init__(self, codec, **kwargs):
        super().__init__(codec, **kwargs)
        self.confidence = nn.ConvTranspose2d(4, 1, 4, 2, 1)
        self.threshold = nn.Conv2d(4, 1, 1)

    def forward(self, feats):
        fine = F.interpolate(feats[1], size=feats[0].shape[2:], mode='bilinear')
        threshold = 0.5 + 0.05 * self.threshold(feats[1]).tanh()
        return self.confidence(feats[0] + fine).sigmoid(), F.interpolate(threshold, scale_factor=8)

    def loss(self, maps, data_samples):
        raise NotImplementedError


def build(norm='batch', min_area=1, **kwargs):
    torch.manual_seed(3)
    model = DenseCounter(
        backbone=dict(type='TwoStrideNet', norm=norm),
        head=dict(type='TwoMapHead', codec=dict(type='mmcount.InstanceMapCodec', min_area=min_area)),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
        **kwargs,
    ).double()
    for one in model.modules():
        if isinstance(one, nn.BatchNorm2d):
            one.running_mean.normal_(0, 0.2)
            one.bias.data.uniform_(0.1, 0.5)
    with torch.no_grad():
        model.head.confidence.weight *= 30
        model.head.confidence.bias.fill_(-6.0)
    return model.eval()


def image(height, width, seed=0):
    return torch.randn(3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def sample(height, width):
    return CountDataSample(metainfo=dict(img_shape=(height, width), img_id='a', scale_factor=(1.0, 1.0)))


def predict(model, picture, tiles=None):
    with torch.no_grad():
        return model.predict(picture[None], [sample(*picture.shape[1:])], tiles=tiles)[0]


def same(found, expected):
    assert torch.equal(found.pred_counts, expected.pred_counts)
    for key in ('points', 'bboxes', 'labels'):
        assert torch.equal(found.pred_instances[key], expected.pred_instances[key])
    assert torch.allclose(found.pred_instances.scores, expected.pred_instances.scores)
    assert torch.equal(found.pred_density.data, expected.pred_density.data)


def test_the_reach_is_that_of_the_layers():
    for kernel, stride, divisor in ((7, 1, 1), (3, 2, 4)):
        conv = nn.Conv2d(2, 1, kernel, stride, kernel // 2).eval()
        nn.init.zeros_(conv.weight)
        reach = measured_reach(lambda x, conv=conv: (conv(x),), torch.zeros(1, 2), divisor)
        # The cell left of an edge spans the pixels up to it; only the kernel's overhang reaches over it.
        assert reach == (3 if stride == 1 else 2)
    deep = nn.Sequential(nn.Conv2d(1, 1, 3, padding=1), nn.AvgPool2d(5, 1, 2), nn.PReLU(), nn.MaxPool2d(3, 1, 1))
    assert measured_reach(lambda x: (deep(x),), torch.zeros(1, 1), 1) == 1 + 2 + 1
    assert measured_reach(lambda x: (x,), torch.zeros(1, 1), 8) == 0
    with pytest.raises(ValueError, match='NaN in the input does not come through'):
        measured_reach(lambda x: (x.nan_to_num(),), torch.zeros(1, 1), 8)


def test_nothing_beyond_the_reach_changes_the_maps():
    model = build()
    reach = measured_reach(model.maps, torch.zeros(1, 3, dtype=torch.float64), 8)
    picture, edge = image(64, 256), 128
    other = picture.clone()
    other[:, :, edge:] = image(64, 256, seed=1)[:, :, edge:]
    with torch.no_grad():
        pairs = list(zip(model.maps(picture[None]), model.maps(other[None]), strict=True))
    changed = [(one != two).any(dim=1).any(dim=1)[0].nonzero()[0].item() for one, two in pairs]
    assert min(changed) >= edge - reach
    # It is not far too large either.
    assert min(changed) <= edge - reach + 8


@pytest.mark.parametrize('shape', [(160, 232), (157, 90), (64, 333), (50, 60)])
@pytest.mark.parametrize('size', [(96, 112), 120])
def test_exact_tiles_give_what_the_whole_image_gives(shape, size):
    model, picture = build(), image(*shape)
    whole = predict(model, picture, MapTiles(size=1024, divisor=8))
    found = predict(model, picture, MapTiles(size=size, divisor=8, batch_size=3))
    assert len(whole.pred_instances) > 20
    same(found, whole)


def test_an_aligned_image_in_exact_tiles_is_that_without_tiles():
    model, picture = build(), image(160, 240)
    same(predict(model, picture, MapTiles(size=(96, 112), divisor=8)), predict(model, picture))


def test_with_too_small_a_halo_the_seams_would_show():
    model, picture = build(), image(160, 232)
    whole = model.maps(picture[None])
    careless = MapTiles(size=(96, 112), divisor=8, halo=0).maps(model, picture)
    assert (whole[0] - careless[0]).abs().max() > 1e-3
    exact = MapTiles(size=(96, 112), divisor=8).maps(model, picture)
    assert all(torch.allclose(one, two, atol=1e-12) for one, two in zip(whole, exact, strict=True))


def test_the_network_sees_no_more_than_a_tile():
    model, seen = build(), []
    model.backbone.register_forward_pre_hook(lambda module, args: seen.append(tuple(args[0].shape)))
    tiles = MapTiles(size=(96, 112), divisor=8, batch_size=2)
    tiles.check(model)  # measures
    seen.clear()
    predict(model, image(300, 400), tiles)
    assert len(seen) > 8
    assert max(shape[0] for shape in seen) == 2
    assert max(shape[2] for shape in seen) <= 96
    assert max(shape[3] for shape in seen) <= 112


def test_a_batch_is_predicted_as_its_images():
    model = build(test_cfg=dict(tiles=dict(size=(96, 112), divisor=8)))
    pictures = [image(150, 130), image(90, 200, seed=1)]
    batch = torch.zeros(2, 3, 150, 200, dtype=torch.float64)
    for one, picture in zip(batch, pictures, strict=True):
        one[:, : picture.shape[1], : picture.shape[2]] = picture
    with torch.no_grad():
        found = model.predict(batch, [sample(150, 130), sample(90, 200)])
    for one, picture in zip(found, pictures, strict=True):
        same(one, predict(model, picture))


def test_tiles_are_moved_back_into_the_image():
    assert shifted_tiles(2192, 512) == [(0, 512), (512, 1024), (1024, 1536), (1536, 2048), (1680, 2192)]
    assert shifted_tiles(1024, 512) == [(0, 512), (512, 1024)]
    assert shifted_tiles(16, 512) == [(0, 16)]


def test_averages_are_those_of_full_size_canvases():
    """Sums and masks of the size of the image, as the description has it."""
    model, picture = build(), image(80, 152)[None]
    with torch.no_grad():
        found = averaged_maps(model.maps, picture, (32, 64), 8, batch_size=3)
        sums, hits = [torch.zeros(1, 1, 80, 152, dtype=torch.float64) for _ in range(2)], torch.zeros(80, 152)
        for top in range(0, 80, 32):
            for left in range(0, 152, 64):
                y, x = min(top, 80 - 32), min(left, 152 - 64)
                for canvas, own in zip(sums, model.maps(picture[:, :, y : y + 32, x : x + 64]), strict=True):
                    canvas[:, :, y : y + 32, x : x + 64] += own
                hits[y : y + 32, x : x + 64] += 1
    assert hits.unique().tolist() == [1, 2, 4]
    for one, canvas in zip(found, sums, strict=True):
        assert torch.allclose(one, canvas / hits, atol=1e-12)


def test_small_aligned_images_are_seen_whole_and_others_in_tiles():
    model = build()
    tiles = MapTiles('average', size=(32, 64), divisor=8)
    for shape, seen_whole in (((72, 104), True), ((71, 104), False), ((64, 128), False)):
        picture = image(*shape)
        height, width = (side + -side % 8 for side in shape)
        with torch.no_grad():
            found = tiles.maps(model, picture)
            whole = model.maps(F.pad(picture[None], (0, width - shape[1], 0, height - shape[0])))
        assert found[0].shape == (1, 1, height, width)
        assert torch.equal(found[0], whole[0]) == seen_whole


class Fixed(nn.Module):
    """Maps that were drawn by hand, whatever the image."""

    def __init__(self, confidence):
        super().__init__()
        self.head = build(min_area=3).head
        self.data_preprocessor = build().data_preprocessor
        self.confidence = confidence

    def maps(self, inputs):
        height, width = inputs.shape[2:]
        confidence = self.confidence[None, None, :height, :width]
        # A sum over the channels, of which nothing is seen: the network reaches nowhere.
        return confidence + 0 * inputs.sum(dim=1, keepdim=True), torch.full_like(confidence, 0.5)


def test_objects_whose_point_lies_in_the_padding_are_dropped():
    confidence = torch.zeros(16, 16)
    confidence[2:5, 2:5] = 0.9
    confidence[7:12, 2:5] = 0.9  # rows 7 to 11 of which 7 to 9 lie in the image, centroid 9
    confidence[8:14, 9:12] = 0.9  # centroid 10.5
    confidence[12:15, 6:8] = 0.9
    model, picture = Fixed(confidence).eval(), torch.zeros(3, 10, 13)
    for mode, points in (('average', [[3, 3], [3, 9]]), ('exact', [[3, 3], [3, 8], [10, 8.5]])):
        found = MapTiles(mode, 16, 16).predict(model, picture[None], [sample(10, 13)])[0]
        assert found.points.tolist() == points
        assert found.counts.tolist() == [len(points)]
        assert found.density.shape == (1, 3, 4)
        assert found.density.sum() == len(points)
        assert found.extent == (-0.5, -0.5, 15.5, 11.5)
        assert found.bboxes[1].tolist() == [2, 7, 5, 10]


@pytest.mark.parametrize('mode', ['exact', 'average'])
def test_nothing_to_find_is_nothing_found(mode):
    model = Fixed(torch.zeros(600, 600)).eval()
    found = MapTiles(mode, 16, 16).predict(model, torch.zeros(1, 3, 41, 45), [sample(41, 45)])[0]
    assert found.counts.tolist() == [0]
    assert found.points.shape == (0, 2)


def test_models_that_cannot_be_tiled_are_refused():
    with pytest.raises(ValueError, match=r'DenseCounter cannot be tiled exactly: .*needs the whole image'):
        predict(build('group'), image(160, 160), MapTiles(size=64, divisor=8))
    with pytest.raises(ValueError, match=r'64 x 64 px leaves nothing .* size must be at least 72 x 72'):
        predict(build(), image(160, 160), MapTiles(size=64, divisor=8, halo=30))
    with pytest.raises(ValueError, match='training mode'):
        predict(build().train(), image(160, 160), MapTiles(size=64, divisor=8))
    model = build()
    model.head.codec = CODECS.build(dict(type='mmcount.RedundantCountCodec', window_size=4))
    with pytest.raises(ValueError, match='declare a context'):
        tiles_for(model, 64)
    model = build()
    model.head = nn.Module()
    with pytest.raises(ValueError, match='gives no maps that could be merged'):
        tiles_for(model, 64)
    with pytest.raises(ValueError, match='divisor must be a multiple of the stride of the map'):
        predict(build(), image(160, 160), MapTiles('average', size=36, divisor=1))
    with pytest.raises(ValueError, match='divisor is no multiple of all strides of the network'):
        predict(build(), image(160, 160), MapTiles(size=100, divisor=4))


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(mode='mean'), 'mode must be'),
        (dict(size=0), 'height of size must be at least 1'),
        (dict(batch_size=0), 'batch_size must be at least 1'),
        (dict(halo=-1), 'halo must be at least 0'),
        (dict(mode='average', size=(500, 1000)), 'multiples of 16'),
        (dict(mode='average', halo=16), "halo is an option of mode 'exact'"),
        (dict(whole_below=4), "whole_below is an option of mode 'average'"),
    ],
)
def test_options_that_cannot_be_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        MapTiles(**options)


def test_maps_that_may_not_be_averaged_are_not():
    model = build()
    model.head.merges_by_averaging = False
    with pytest.raises(ValueError, match=r"TwoMapHead may not be averaged .* use mode 'exact'"):
        predict(model, image(160, 160), MapTiles('average', size=64, divisor=8))
    predict(model, image(160, 160), MapTiles(size=96, divisor=8))


def test_the_divisor_is_that_of_the_model():
    model, picture = build(), image(160, 240)
    tiles = tiles_for(model, (96, 128), 'average')
    assert (tiles.mode, tiles.size, tiles.divisor) == ('average', (96, 128), 32)
    same(predict(model, picture, tiles), predict(model, picture, MapTiles('average', (96, 128), 32)))
    assert tiles_for(model, None) is None
    same(predict(model, picture, tiles_for(model, 128)), predict(model, picture, MapTiles(size=128, divisor=32)))
