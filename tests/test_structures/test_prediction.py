"""The prediction of one image in its sample."""

import torch

from mmcount.registry import CODECS
from mmcount.structures import CountDataSample, CountPrediction
from tests.encoding import decoded


def test_places_are_written_in_pixels_of_the_original_image():
    codec = CODECS.build(dict(type='mmcount.InstanceMapCodec', min_area=1))
    confidence = torch.zeros(1, 8, 12)
    confidence[0, 2:5, 4:8] = 0.9
    sample = CountDataSample(metainfo=dict(img_id='a', img_shape=(8, 12), scale_factor=(0.5, 0.25)))
    instances = decoded(codec, confidence, (8, 12)).write(sample).pred_instances
    assert instances.bboxes.tolist() == [[8, 8, 16, 20]]
    assert instances.points.tolist() == [[11.5, 13.5]]
    assert sample.pred_density.extent == (-0.5, -0.5, 23.5, 31.5)


def prediction(**fields):
    one = torch.ones(1)
    return CountPrediction(
        counts=one,
        points=torch.zeros(1, 2),
        labels=torch.zeros(1, dtype=torch.long),
        scores=one,
        density=torch.ones(1, 1, 1),
        extent=(-0.5, -0.5, 3.5, 3.5),
        **fields,
    )


def test_what_was_not_measured_is_absent():
    sample = prediction().write(CountDataSample(), calibration=lambda counts, spread: (None, None))
    for name in ('pred_calibrated_counts', 'pred_interval', 'pred_spread', 'saturated'):
        assert name not in sample
    assert 'bboxes' not in sample.pred_instances


def test_what_was_measured_is_written():
    fitted = prediction(spread=torch.ones(1), saturated=True, extras=dict(pred_count_scores=torch.zeros(5)))
    bounds = torch.tensor([[1.0, 3.0]])
    sample = fitted.write(CountDataSample(), calibration=lambda counts, spread: (counts + spread, bounds))
    assert sample.pred_calibrated_counts.tolist() == [2]
    assert sample.pred_interval is bounds
    assert sample.saturated is True
    assert sample.pred_count_scores.shape == (5,)
