import numpy as np
import pytest
from mmcv.transforms import CenterCrop, Compose

from mmcount.datasets.transforms import LoadCountAnnotations, PackCountInputs
from mmcount.evaluation import GameMetric, LocalizationMetric
from mmcount.registry import TRANSFORMS
from tests.builders import run_metric

RESIZE = dict(type='mmdet.Resize', scale_factor=0.5)
FLIP = dict(type='mmdet.RandomFlip', prob=1.0)
POINTS = np.array([[3.0, 4.0], [30.0, 20.0]])


def packed(*steps, geometry='points', image_counts='annotations'):
    """An image of two objects; the string 'load' among the steps stands for the transform that loads these."""
    image = dict(
        img=np.zeros((40, 60, 3), np.uint8),
        img_id='a',
        img_shape=(40, 60),
        ori_shape=(40, 60),
        num_classes=1,
        points=POINTS,
        bboxes=np.concatenate((POINTS - (2, 4), POINTS + 4), axis=1),
        labels=np.zeros(2, int),
    )
    load = LoadCountAnnotations(geometry)
    built = [load if step == 'load' else TRANSFORMS.build(step) if isinstance(step, dict) else step for step in steps]
    return Compose([*built, PackCountInputs(image_counts=image_counts)])(image)['data_samples']


def perfect(sample):
    sample.pred_counts = sample.gt_counts
    sample.pred_instances = sample.gt_instances
    return sample


@pytest.mark.parametrize('geometry', ['points', 'bboxes', 'counted_bboxes'])
@pytest.mark.parametrize('steps', [['load'], [RESIZE, 'load'], ['load', dict(RESIZE, scale_factor=1.0)]])
def test_a_perfect_prediction_scores_everything_in_a_right_pipeline(steps, geometry):
    sample = perfect(packed(*steps, geometry=geometry))
    assert 'gt_mismatch' not in sample
    assert run_metric(LocalizationMetric(sigmas=(4,)), [sample])['loc/F1_sigma4'] == 1
    assert run_metric(GameMetric(), [sample])['count/GAME3'] == 0


@pytest.mark.parametrize('geometry', ['points', 'bboxes', 'counted_bboxes'])
@pytest.mark.parametrize('step', [RESIZE, FLIP], ids=['resize', 'flip'])
def test_annotations_that_a_transform_moved_are_refused_by_a_metric(step, geometry):
    sample = perfect(packed('load', step, geometry=geometry))
    with pytest.raises(ValueError, match='image a: its annotations were resized, flipped or cut after they were'):
        run_metric(LocalizationMetric(sigmas=(4,)), [sample])


def test_objects_that_a_transform_dropped_are_refused_by_a_metric():
    def drop(results):
        for key in ('gt_bboxes', 'gt_bboxes_labels', 'gt_ignore_flags'):
            results[key] = results[key][:1]
        return results

    with pytest.raises(ValueError, match='image a: its annotations were resized, flipped or cut'):
        run_metric(GameMetric(), [perfect(packed('load', drop))])


def test_an_image_that_was_cut_before_its_annotations_were_loaded_is_refused_by_a_metric():
    sample = perfect(packed(CenterCrop((30, 30)), 'load'))
    with pytest.raises(ValueError, match=r'image a: its image was cut to \(30, 30\)'):
        run_metric(GameMetric(), [sample])


def test_training_refuses_annotations_that_were_loaded_after_the_image_was_resized():
    with pytest.raises(ValueError, match=r'image a was resized by \(0\.5, 0\.5\) before its annotations were loaded'):
        packed(RESIZE, 'load', image_counts='recompute')
    assert packed('load', RESIZE, image_counts='recompute').gt_counts.tolist() == [2]
