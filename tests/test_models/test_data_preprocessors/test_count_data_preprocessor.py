"""Normalisation, halo and padding of batches."""

import pytest
import torch

from mmcount.models import CountDataPreprocessor
from mmcount.structures import CountDataSample


def sample(**meta):
    return CountDataSample(metainfo=dict(img_shape=(4, 5), **meta))


def test_normalises_in_rgb_order():
    preprocessor = CountDataPreprocessor(mean=(1.0, 2.0, 3.0), std=(2.0, 2.0, 2.0))
    image = torch.tensor([3, 2, 1], dtype=torch.uint8)[:, None, None].expand(3, 4, 5)
    out = preprocessor(dict(inputs=[image], data_samples=[sample()]))['inputs']
    assert out.shape == (1, 3, 4, 5)
    assert float(out.abs().max()) == 0


def test_halo_is_zero_after_normalisation():
    preprocessor = CountDataPreprocessor(mean=(9.0,) * 3, std=(1.0,) * 3)
    preprocessor.halo = 2
    out = preprocessor(dict(inputs=[torch.full((3, 4, 5), 10, dtype=torch.uint8)], data_samples=[sample()]))['inputs']
    assert out.shape == (1, 3, 8, 9)
    assert out.sum() == 3 * 4 * 5
    assert out[:, :, 2:6, 2:7].min() == 1


def test_crops_keep_the_halo_they_have():
    preprocessor = CountDataPreprocessor()
    preprocessor.halo = 2
    image = torch.zeros(3, 4, 5, dtype=torch.uint8)
    assert preprocessor(dict(inputs=[image], data_samples=[sample(halo=2)]))['inputs'].shape == (1, 3, 4, 5)
    with pytest.raises(ValueError, match='halo of 2 pixels, the batch has crops with'):
        preprocessor(dict(inputs=[image], data_samples=[sample(halo=1)]))
    with pytest.raises(ValueError, match='halo of 2 pixels'):
        preprocessor(dict(inputs=[image, image], data_samples=[sample(halo=2), sample()]))


def test_smaller_images_are_padded_at_the_bottom_and_right():
    images = [torch.ones(3, 4, 5, dtype=torch.uint8), torch.ones(3, 6, 3, dtype=torch.uint8)]
    out = CountDataPreprocessor(std=(1.0,) * 3)(dict(inputs=images, data_samples=[sample(), sample()]))['inputs']
    assert out.shape == (2, 3, 6, 5)
    assert out[1, 0].sum() == 18
    assert out[1, :, :, 3:].sum() == 0


def test_batches_are_padded_to_multiples_of_a_stride():
    images = [torch.ones(3, 4, 17, dtype=torch.uint8), torch.ones(3, 9, 3, dtype=torch.uint8)]
    out = CountDataPreprocessor(std=(1.0,) * 3, pad_size_divisor=8)(dict(inputs=images))['inputs']
    assert out.shape == (2, 3, 16, 24)
    assert out[0].sum() == 3 * 4 * 17
    preprocessor = CountDataPreprocessor(pad_size_divisor=8)
    preprocessor.halo = 3
    samples = [sample(), sample()]
    data = preprocessor(dict(inputs=images, data_samples=samples))
    haloed, samples = data['inputs'], data['data_samples']
    assert [one.pad_shape for one in samples] == [(10, 18), (10, 10)]
    assert [one.batch_input_shape for one in samples] == [(10, 18)] * 2
    assert haloed.shape == (2, 3, 16, 24)
    with pytest.raises(ValueError, match='at least 1, got 0'):
        CountDataPreprocessor(pad_size_divisor=0)


def test_channels_last_changes_the_layout_only():
    image = torch.randint(0, 255, (3, 6, 7), dtype=torch.uint8)
    plain = CountDataPreprocessor()(dict(inputs=[image]))['inputs']
    last = CountDataPreprocessor(channels_last=True)(dict(inputs=[image]))['inputs']
    assert last.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(plain, last)


def test_wrong_channels_are_refused():
    with pytest.raises(ValueError, match='one value per channel'):
        CountDataPreprocessor(mean=(0.0,), std=(1.0, 1.0))
    with pytest.raises(ValueError, match='the image has 1 channels'):
        CountDataPreprocessor()(dict(inputs=[torch.zeros(1, 4, 4, dtype=torch.uint8)]))
