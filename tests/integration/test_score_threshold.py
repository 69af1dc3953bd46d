"""A plain detector's boxes count from one score on, whoever counts, draws or evaluates them."""

import inspect

import pytest

from mmcount.apis.options import CountOptions
from mmcount.apis.sample_results import result_from_sample
from mmcount.cli.count import count_images
from mmcount.engine.hooks import CountVisualizationHook
from mmcount.registry import METRICS
from mmcount.structures.sample_fields import SCORE_THR, predicted_counts
from mmcount.visualization import CountVisualizer

METRICS_OF_COUNTS = [
    'CalibrationMetric',
    'ClassRMSEMetric',
    'CountMetric',
    'CountValueMetric',
    'DumpCounts',
    'FitCalibration',
    'GameMetric',
    'LocalizationMetric',
    'PointingMetric',
    'SubitizingMetric',
]


@pytest.mark.parametrize(
    'where',
    [
        *(METRICS.get(f'mmcount.{name}') for name in METRICS_OF_COUNTS),
        predicted_counts,
        result_from_sample,
        CountOptions,
        CountVisualizationHook,
        CountVisualizer.add_datasample,
        count_images,
    ],
    ids=lambda where: getattr(where, '__qualname__', str(where)),
)
def test_the_default_threshold_is_the_same_everywhere(where):
    parameters = inspect.signature(where).parameters
    name = 'score_thr' if 'score_thr' in parameters else 'pred_score_thr'
    assert parameters[name].default == SCORE_THR
