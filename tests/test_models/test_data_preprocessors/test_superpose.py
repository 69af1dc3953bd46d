"""Sums of images have the sums of their targets."""

import pytest
import torch
from mmengine.structures import PixelData

from mmcount.models import CountDataPreprocessor, Superpose
from mmcount.structures import CountDataSample


def make_samples(*values, side=2):
    return [CountDataSample(gt_map=PixelData(data=torch.full((1, side, side), float(value)))) for value in values]


def test_light_and_targets_add_up():
    images = torch.stack([torch.full((3, 4, 4), value) for value in (0.1, 0.2, 0.4)])
    out, samples = Superpose(prob=1.0)(images.clone(), make_samples(1, 2, 4))
    torch.testing.assert_close(out[:, 0, 0, 0], torch.tensor([0.5, 0.3, 0.6]))
    assert [float(sample.gt_map.data[0, 0, 0]) for sample in samples] == [5, 3, 6]


def test_light_saturates():
    out, _ = Superpose(prob=1.0)(torch.full((2, 3, 4, 4), 0.8), make_samples(1, 1))
    assert float(out.max()) == 1.0


def test_zero_probability_changes_nothing():
    images = torch.rand(2, 3, 4, 4)
    out, samples = Superpose(prob=0.0)(images, make_samples(1, 2))
    assert torch.equal(out, images)
    assert float(samples[1].gt_map.data.max()) == 2


def test_share_of_sums_follows_the_probability():
    torch.manual_seed(0)
    out, _ = Superpose(prob=0.3)(torch.full((1000, 1, 1, 1), 0.25), make_samples(*[1] * 1000))
    assert float((out > 0.3).float().mean()) == pytest.approx(0.3, abs=0.05)


def test_targets_of_different_shape_are_refused():
    with pytest.raises(ValueError, match='only targets of one shape'):
        Superpose(prob=1.0)(torch.zeros(2, 1, 4, 4), make_samples(1) + make_samples(2, side=3))
    with pytest.raises(ValueError, match='prob must lie'):
        Superpose(prob=1.5)


def test_only_training_batches_are_augmented():
    preprocessor = CountDataPreprocessor(batch_augments=[dict(type='mmcount.Superpose', prob=1.0)])
    images = [torch.full((3, 4, 4), 50, dtype=torch.uint8)] * 2
    for training, expected in ((False, 50 / 255), (True, 100 / 255)):
        out = preprocessor(dict(inputs=list(images), data_samples=make_samples(1, 1)), training)
        assert float(out['inputs'].max()) == pytest.approx(expected)
