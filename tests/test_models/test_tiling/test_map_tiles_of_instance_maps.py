"""Tiles of IIM: its head of confidence and thresholds behind a small network."""

import pytest
import torch

from mmcount.models import DenseCounter
from mmcount.models.tiling import MapTiles, StrideError, averaged_maps, measured_reach, tiles_for
from mmcount.structures import CountDataSample
from tests.encoding import decoded

PIXEL = dict(
    type='mmcount.PixelThreshold', in_channels=8, feat_channels=(4,), feat_stride=4, threshold_stride=4, pool_size=3
)
FIXED = dict(type='mmcount.FixedThreshold', value=0.55)
IMAGE = dict(type='mmcount.ImageThreshold', in_channels=8, feat_stride=4, threshold_stride=4)


def build(binarizer=PIXEL, tiles=None):
    torch.manual_seed(5)
    model = DenseCounter(
        backbone=dict(
            type='mmdet.ResNet',
            depth=18,
            stem_channels=8,
            base_channels=8,
            num_stages=1,
            strides=(1,),
            dilations=(1,),
            out_indices=(0,),
            norm_eval=False,
        ),
        head=dict(
            type='mmcount.InstanceMapHead',
            codec=dict(type='mmcount.InstanceMapCodec'),
            in_channels=8,
            predictor=dict(upsample_channels=(4,)),
            binarizer=binarizer,
        ),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor', pad_size_divisor=8),
        test_cfg=dict(tiles=tiles) if tiles else None,
    )
    with torch.no_grad():
        # An untrained confidence is flat: let it cross its thresholds.
        last = [one for one in model.head.predictor.modules() if isinstance(one, torch.nn.ConvTranspose2d)][-1]
        picture = image(128, 128)[None].float()
        values = model.eval().head.predictor(model.extract_feat(picture)[-1])
        last.weight *= 2 / values.std()
        last.bias.copy_(-1 - 2 * (values.mean() - last.bias) / values.std())
    return model.double().eval()


def image(height, width):
    return torch.randn(3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def predict(model, picture, tiles=None):
    sample = CountDataSample(metainfo=dict(img_shape=tuple(picture.shape[1:]), scale_factor=(0.5, 0.5)))
    with torch.no_grad():
        return model.predict(picture[None], [sample], tiles)[0]


@pytest.mark.parametrize('binarizer', [PIXEL, FIXED], ids=['pixel', 'fixed'])
@pytest.mark.parametrize('shape', [(200, 296), (197, 140)])
def test_exact_tiles_give_the_points_of_the_whole_image(binarizer, shape):
    model, picture = build(binarizer), image(*shape)
    whole = predict(model, picture, MapTiles(size=2048, divisor=8))
    found = predict(model, picture, MapTiles(size=(136, 144), divisor=8))
    assert len(whole.pred_instances) > 30
    assert torch.equal(found.pred_counts, whole.pred_counts)
    assert torch.equal(found.pred_instances.points, whole.pred_instances.points)
    assert torch.equal(found.pred_instances.bboxes, whole.pred_instances.bboxes)
    if shape[0] % 8 == 0:
        alone = predict(model, picture)
        assert torch.equal(found.pred_instances.points, alone.pred_instances.points)


def test_thresholds_reach_farther_than_the_confidence():
    like = torch.zeros(1, 3, dtype=torch.float64)
    model = build()
    both = measured_reach(model.maps, like, 8)
    alone = measured_reach(lambda inputs: (model.maps(inputs)[0],), like, 8)
    # A 3x3 convolution and two pools of 3 at stride 4, and the features that they see.
    assert both > alone > 8


def test_one_threshold_for_the_whole_image_cannot_be_tiled_exactly():
    model = build(IMAGE)
    with pytest.raises(ValueError, match='needs the whole'):
        measured_reach(model.maps, torch.zeros(1, 3, dtype=torch.float64), 8, max_strip=1024)
    found = predict(model, image(100, 150), MapTiles('average', size=(64, 128), divisor=8))
    assert found.pred_counts.isfinite().all()


def test_the_published_way_binarises_the_means_once():
    tiles = dict(mode='average', size=(64, 128), divisor=8)
    model, picture = build(tiles=tiles), image(200, 296)
    found = predict(model, picture)
    with torch.no_grad():
        maps = averaged_maps(model.maps, picture[None], (64, 128), 8)
        expected = decoded(model.head.codec, maps[0][0].float(), (200, 296), threshold=maps[1][0].float())
    # Half the size: predictions are in pixels of the original image.
    assert torch.allclose(found.pred_instances.points, (expected.points + 0.5) * 2 - 0.5)
    assert found.pred_counts.tolist() == expected.counts.tolist()
    whole = predict(model, picture, MapTiles(size=2048, divisor=8))
    assert found.pred_counts.tolist() != whole.pred_counts.tolist()
    assert len(predict(model, image(64, 120)).pred_instances) == len(predict(build(), image(64, 120)).pred_instances)


@pytest.mark.parametrize('mode', ['exact', 'average'])
def test_without_objects_and_with_one(mode):
    model = build(FIXED)
    model.head.binarizer = type(model.head.binarizer)(value=1.0)
    assert predict(model, image(150, 200), MapTiles(mode, (136, 144), 8)).pred_counts.tolist() == [0]
    model.head.binarizer = type(model.head.binarizer)(value=0.0)
    found = predict(model, image(150, 200), MapTiles(mode, (136, 144), 8))
    assert found.pred_counts.tolist() == [1]
    assert found.pred_instances.bboxes.tolist() == [[0, 0, 400, 300]]


def build_hrnet():
    """Strides of 4 to 32, padded to multiples of 16 as published."""
    torch.manual_seed(0)
    widths = (4, 6, 8, 10)
    extra = dict(stage1=dict(num_modules=1, num_branches=1, block='BASIC', num_blocks=(1,), num_channels=(8,)))
    for branches in (2, 3, 4):
        extra[f'stage{branches}'] = dict(
            num_modules=1,
            num_branches=branches,
            block='BASIC',
            num_blocks=(1,) * branches,
            num_channels=widths[:branches],
        )
    binarizer = dict(type='mmcount.PixelThreshold', in_channels=28, feat_channels=(4,), pool_size=3)
    return DenseCounter(
        backbone=dict(type='mmcount.BilinearHRNet', extra=extra),
        neck=dict(type='mmcount.ResizeConcat', mode='bilinear'),
        head=dict(
            type='mmcount.InstanceMapHead',
            codec=dict(type='mmcount.InstanceMapCodec'),
            in_channels=28,
            predictor=dict(upsample_channels=(4,)),
            binarizer=binarizer,
        ),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor', pad_size_divisor=16),
        test_cfg=dict(tiles=dict(mode='average', size=(512, 1024), divisor=16)),
    ).eval()


def test_exact_tiles_of_an_hrnet_are_cut_where_all_its_strides_allow():
    model = build_hrnet()
    with pytest.raises(StrideError, match='moved by 16 px'):
        MapTiles(size=512, divisor=16).check(model)
    tiles = tiles_for(model, 512)
    assert tiles.divisor == 32
    assert tiles_for(model, 512, 'average').divisor == 16
    model, picture = model.double(), image(544, 96)
    with torch.no_grad():
        whole, found = model.maps(picture[None]), tiles.maps(model, picture)
    for one, other in zip(whole, found, strict=True):
        assert float(one.std()) > 0
        torch.testing.assert_close(other, one, rtol=0, atol=1e-6 * float(one.std()))
