"""Tiles of P2PNet and DM-Count: exact ones give the whole image's counts, and maps of offsets are never averaged."""

import pytest
import torch
from torch import nn

from mmcount.models import DenseCounter
from mmcount.models.tiling import MapTiles
from mmcount.models.tiling.reach import StrideError
from mmcount.structures import CountDataSample


def counter_of(head, **options):
    torch.manual_seed(0)
    counter = DenseCounter(
        backbone=dict(type='mmcount.PlainConvNet', channels=(4, 4, 8, 8), kernel_size=3),
        head=dict(type=f'mmcount.{head}', **options),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor', pad_size_divisor=8),
    )
    counter.init_weights()
    return counter.eval()


def point_counter():
    counter = counter_of(
        'PointProposalHead',
        codec=dict(type='mmcount.PointProposalCodec', stride=8, offset_scale=8.0),
        in_channels=(8,),
        feat_channels=8,
        num_convs=1,
    )
    nn.init.normal_(counter.head.logits[-1].weight, std=2.0)
    return counter


def density_counter(upsample=1, **options):
    return counter_of(
        'DistributionMatchingHead',
        codec=dict(type='mmcount.DotMapCodec', stride=8 // upsample),
        in_channels=8,
        feat_channels=(8,),
        upsample=upsample,
        **options,
    )


def predict(counter, image, tiles=None):
    sample = CountDataSample(metainfo=dict(img_shape=tuple(image.shape[1:]), img_id='one'))
    data = counter.data_preprocessor(dict(inputs=[image], data_samples=[sample]), False)
    with torch.no_grad():
        (found,) = counter.predict(data['inputs'], data['data_samples'], tiles=tiles)
    return found


def noise(height=180, width=251):
    return torch.randint(0, 255, (3, height, width), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_exact_tiles_find_the_points_of_the_whole_image():
    counter, image = point_counter(), noise()
    whole, tiled = predict(counter, image), predict(counter, image, MapTiles(size=144, divisor=8))
    assert 50 < whole.pred_counts.item() < 2800
    assert tiled.pred_counts.tolist() == whole.pred_counts.tolist()
    torch.testing.assert_close(tiled.pred_instances.points, whole.pred_instances.points, rtol=0, atol=1e-3)
    assert tiled.pred_density.data.sum() == tiled.pred_counts.sum()


def test_offsets_are_never_averaged():
    with pytest.raises(ValueError, match="PointProposalHead may not be averaged where tiles overlap: use mode 'exact'"):
        MapTiles(mode='average', size=144, divisor=8).check(point_counter())


def test_exact_tiles_give_the_density_of_the_whole_image():
    counter, image = density_counter(upsample=2, align_corners=False), noise()
    whole, tiled = predict(counter, image), predict(counter, image, MapTiles(size=144, divisor=8))
    assert whole.pred_counts.item() > 0
    torch.testing.assert_close(tiled.pred_density.data, whole.pred_density.data, rtol=1e-4, atol=1e-6)


def test_published_enlargement_knows_the_size_of_the_image_and_says_so():
    counter = density_counter(upsample=2, align_corners=True)
    with pytest.raises(StrideError, match='cannot be tiled exactly'):
        MapTiles(size=144, divisor=8).check(counter)
    assert predict(counter, noise(), MapTiles(mode='average', size=64, divisor=8, whole_below=1)).pred_counts > 0


@pytest.mark.parametrize('build', [point_counter, density_counter])
def test_neighbours_in_a_batch_change_nothing(build):
    counter = build()
    images = [noise(40, 56), noise(33, 97), noise(40, 56)]
    samples = [
        CountDataSample(metainfo=dict(img_shape=tuple(one.shape[1:]), img_id=str(k))) for k, one in enumerate(images)
    ]
    with torch.no_grad():
        together = counter.test_step(dict(inputs=images, data_samples=samples))
    for image, found in zip(images, together, strict=True):
        assert found.pred_counts.item() == pytest.approx(predict(counter, image).pred_counts.item(), rel=1e-5)
