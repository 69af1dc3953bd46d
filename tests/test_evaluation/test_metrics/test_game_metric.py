import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from mmcount.evaluation import CountMetric, GameMetric
from mmcount.evaluation.functional import game
from mmcount.structures import CountDataSample
from tests.builders import make_instances, make_sample, run_metric


def sample(img_id, points, density=None, labels=None, shape=(20, 30), **fields):
    """An image with points, whose counts are those of the points and the sum of the density."""
    truth = make_instances(labels, points=np.asarray(points, dtype=np.float32).reshape(-1, 2))
    if density is not None:
        density = np.asarray(density)
        fields = dict(
            pred_density=density,
            pred_counts=density.sum(axis=(1, 2)),
            gt_counts=torch.bincount(truth.labels, minlength=len(density)),
            **fields,
        )
    return make_sample(img_id, ori_shape=shape, gt_instances=truth, **fields)


def random_samples(num, classes=1):
    rng = np.random.default_rng(3)
    return [
        sample(
            str(index),
            rng.uniform(0, 20, (index, 2)),
            rng.random((classes, 5, 7)) / 8,
            labels=rng.integers(0, classes, index),
        )
        for index in range(num)
    ]


def test_the_metric_is_the_mean_of_the_function_over_images():
    samples = random_samples(5)
    metrics = run_metric(GameMetric(levels=(0, 2)), samples)
    for level in (0, 2):
        values = [game(one.pred_density.data[0], one.gt_instances.points, level, (20, 30)) for one in samples]
        assert metrics[f'count/GAME{level}'] == pytest.approx(np.mean(values), abs=1e-9)


def test_level_zero_is_the_mae_and_levels_do_not_fall():
    samples = random_samples(6, classes=3)
    metrics = run_metric(GameMetric(), samples)
    assert metrics['count/GAME0'] == pytest.approx(run_metric(CountMetric(), samples)['count/MAE'], abs=1e-5)
    values = [metrics[f'count/GAME{level}'] for level in range(4)]
    assert values == sorted(values)
    assert metrics['count/mGAME0'] == pytest.approx(run_metric(CountMetric(), samples)['count/mMAE'], abs=1e-5)


def test_positive_images_only_leaves_empty_images_out():
    density = np.full((1, 2, 2), 0.25)
    samples = [sample('empty', [], density), sample('one', [[0, 0], [1, 1], [2, 2]], density)]
    assert run_metric(GameMetric(levels=(0,)), samples)['count/GAME0'] == 1.5
    assert run_metric(GameMetric(levels=(0,), images='positive'), samples)['count/GAME0'] == 2.0


@pytest.mark.parametrize('images', ['all', 'positive'])
def test_every_class_has_the_mean_of_the_function_over_its_images(images):
    samples = random_samples(7, classes=3)
    metric = GameMetric(images=images, classwise=True)
    metric.dataset_meta = {'classes': ('cat', 'dog', 'cow')}
    metrics = run_metric(metric, samples)
    for label, name in enumerate(metric.classes):
        values = {level: [] for level in range(4)}
        for one in samples:
            points = one.gt_instances.points[one.gt_instances.labels == label]
            if images == 'all' or len(points):
                for level, found in values.items():
                    found.append(game(one.pred_density.data[label], points, level, (20, 30)))
        assert images == 'all' or 0 < len(values[0]) < 7
        means = [metrics[f'count/GAME{level}_{name}'] for level in range(4)]
        assert means == pytest.approx([np.mean(found) for found in values.values()], abs=1e-9)
        assert means == sorted(means)
    for level in range(4):
        classes = [metrics[f'count/GAME{level}_{name}'] for name in metric.classes]
        assert metrics[f'count/mGAME{level}'] == pytest.approx(np.mean(classes))


def test_a_class_that_no_image_holds_has_no_positive_images():
    density = np.full((2, 2, 2), 0.25)
    metrics = run_metric(GameMetric(levels=(0,), images='positive', classwise=True), [sample('a', [[0, 0]], density)])
    assert metrics == {'count/GAME0': 1.0, 'count/mGAME0': 0.0, 'count/GAME0_0': 0.0}


def test_points_serve_where_there_is_no_density():
    pred = InstanceData(points=torch.tensor([[29.0, 19.0], [0.0, 0.0]]), scores=torch.tensor([0.9, 0.1]))
    pred.labels = torch.zeros(2).long()
    metrics = run_metric(GameMetric(levels=(0, 1)), [sample('a', [[0, 0]], pred_instances=pred)])
    assert metrics == {'count/GAME0': 0.0, 'count/GAME1': 2.0}


def test_boxes_count_at_their_centres_with_their_counts():
    made = CountDataSample(metainfo={'img_id': 'a', 'ori_shape': (20, 20)})
    boxes = torch.tensor([[0.0, 0.0, 8.0, 8.0]])
    made.gt_instances = InstanceData(bboxes=boxes, labels=torch.zeros(1).long(), counts=torch.tensor([4]))
    made.pred_instances = InstanceData(bboxes=boxes + 10, labels=torch.zeros(1).long(), scores=torch.ones(1))
    assert run_metric(GameMetric(levels=(0, 1)), [made]) == {'count/GAME0': 3.0, 'count/GAME1': 5.0}


def test_the_extent_of_a_map_says_where_it_lies():
    density = np.zeros((1, 4, 4))
    density[0, 1, 1] = 1.0
    made = sample('a', [[0, 0]], density, shape=(4, 4))
    made.pred_density.set_metainfo({'extent': (-4.5, -4.5, 11.5, 11.5)})
    assert run_metric(GameMetric(levels=(2,)), [made])['count/GAME2'] == pytest.approx(2 * 15 / 16)


def test_what_is_missing_or_broken_names_the_image():
    with pytest.raises(ValueError, match="image a: no 'ori_shape'"):
        GameMetric().process({}, [{'img_id': 'a'}])
    with pytest.raises(ValueError, match="image a: no 'gt_instances'"):
        GameMetric().process({}, [{'img_id': 'a', 'ori_shape': (4, 4)}])
    with pytest.raises(ValueError, match='image a: no prediction'):
        run_metric(GameMetric(), [sample('a', [])])
    with pytest.raises(ValueError, match='image a: pred_density is not finite'):
        run_metric(GameMetric(), [sample('a', [], np.full((1, 2, 2), np.nan))])
