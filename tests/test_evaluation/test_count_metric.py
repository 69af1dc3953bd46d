import csv
import itertools
import json
import math

import cv2
import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData, PixelData

from mmcount.evaluation import CountMetric, GameMetric, load_calibration
from mmcount.evaluation.metrics import base, count_metric
from mmcount.structures import CountDataSample

TRUE = [2, 10, 20, 5, 0]
PRED = [3.0, 8.0, 23.0, 5.0, 1.0]


def sample(identity, true, pred, **fields):
    made = CountDataSample(metainfo={'img_id': identity, 'ori_shape': (8, 8)})
    made.gt_counts = torch.as_tensor(true, dtype=torch.float32).reshape(-1)
    made.pred_counts = torch.as_tensor(pred, dtype=torch.float32).reshape(-1)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def five(**fields):
    pairs = enumerate(zip(TRUE, PRED, strict=True))
    return [sample(f'image {index}', true, pred, **fields) for index, (true, pred) in pairs]


def run(metric, samples, size=None, classes=None):
    if classes is not None:
        metric.dataset_meta = {'classes': classes}
    for one in samples:
        metric.process({}, [one.to_dict() if hasattr(one, 'to_dict') else one])
    return metric.evaluate(len(samples) if size is None else size)


def test_five_images_by_hand():
    """Errors +1, -2, +3, 0, +1: MAE 7/5, squares 15/5, ratios 1/2, 2/10, 3/20, 0/5 and one image left out."""
    assert run(CountMetric(), five()) == pytest.approx(
        {
            'count/MAE': 1.4,
            'count/RMSE': math.sqrt(3),
            'count/NAE': 0.2125,
            'count/NAE_left_out': 1,
            'count/bias': 0.6,
            'count/std': math.sqrt(2.64),
        }
    )


def test_the_evaluator_of_the_runner_takes_our_samples():
    evaluator = Evaluator([{'type': 'mmcount.CountMetric'}, {'type': 'mmcount.GameMetric', 'levels': (0,)}])
    made = sample('a', 1, 2, gt_instances=InstanceData(points=torch.zeros(1, 2), labels=torch.zeros(1).long()))
    made.pred_density = PixelData(data=torch.full((1, 2, 2), 0.5))
    evaluator.process([made])
    assert evaluator.evaluate(1)['count/GAME0'] == 1.0


def test_the_metric_can_be_used_again_after_an_evaluation():
    metric = CountMetric()
    assert run(metric, five()) == run(metric, five())


@pytest.mark.parametrize('world', [1, 2, 3, 4])
@pytest.mark.parametrize('size', [1, 5, 7, 8, 13])
def test_shards_padding_and_order_do_not_change_the_result(world, size, monkeypatch):
    rng = np.random.default_rng(size)
    samples = [sample(str(index), rng.integers(0, 9), rng.random() * 9) for index in range(size)]
    expected = run(CountMetric(count_ranges=(0, 5)), samples)
    padded = list(itertools.islice(itertools.cycle(range(size)), -(-size // world) * world))
    shards = []
    for rank in range(world):
        metric = CountMetric(count_ranges=(0, 5))
        for index in rng.permutation(padded[rank::world]):
            metric.process({}, [samples[index].to_dict()])
        shards.append(metric.results[:])
    monkeypatch.setattr(base, 'all_gather_object', lambda _: shards)
    assert metric.evaluate(size) == pytest.approx(expected, abs=1e-12)


def test_an_image_that_is_pushed_twice_is_an_error():
    with pytest.raises(ValueError, match="image 'a' was evaluated twice"):
        run(CountMetric(), [sample('a', 1, 1), sample('a', 1, 1)])


def test_two_records_of_one_image_that_differ_are_an_error(monkeypatch):
    metric, other = CountMetric(), CountMetric()
    metric.process({}, [sample('a', 1, 1).to_dict()])
    other.process({}, [sample('a', 2, 1).to_dict()])
    monkeypatch.setattr(base, 'all_gather_object', lambda mine: [mine, other.results])
    with pytest.raises(ValueError, match="image 'a' has two different records"):
        metric.evaluate(1)


@pytest.mark.parametrize('size', [4, 6])
def test_another_number_of_images_than_the_data_set_has_is_an_error(size):
    with pytest.raises(ValueError, match=f'records of 5 images, but the data set has {size}'):
        run(CountMetric(), five(), size=size)


def test_no_image_is_an_error():
    with pytest.raises(ValueError, match='no image was evaluated'):
        CountMetric().evaluate(0)


@pytest.mark.parametrize('bad', [math.nan, math.inf, -math.inf])
def test_a_count_that_is_not_finite_is_refused_by_the_name_of_its_image(bad):
    with pytest.raises(ValueError, match=r'image broken\.png: pred_counts is not finite'):
        run(CountMetric(), [sample('broken.png', 1, bad)])


def test_another_number_of_classes_is_refused():
    with pytest.raises(ValueError, match='image a: gt_counts has 1 classes, expected 2'):
        run(CountMetric(), [sample('a', 1, 1)], classes=('one', 'two'))
    with pytest.raises(ValueError, match='image a: pred_counts has 2 classes, expected 1'):
        run(CountMetric(), [sample('a', 1, [1, 1])])
    with pytest.raises(ValueError, match='different numbers of classes'):
        run(CountMetric(), [sample('a', 1, 1), sample('b', [1, 1], [1, 1])])


def test_a_sample_without_name_truth_or_prediction_says_what_is_missing():
    with pytest.raises(ValueError, match="no 'img_id'"):
        run(CountMetric(), [{'gt_counts': [1], 'pred_counts': [1]}])
    with pytest.raises(ValueError, match='image a: no ground truth'):
        run(CountMetric(), [{'img_id': 'a', 'pred_counts': [1]}])
    with pytest.raises(ValueError, match='image a: no prediction'):
        run(CountMetric(), [{'img_id': 'a', 'gt_counts': [1]}])


def test_classes_are_reported_beside_their_total():
    samples = [sample('a', [1, 5], [2, 4]), sample('b', [0, 0], [0, 3])]
    metrics = run(CountMetric(), samples, classes=('cat', 'dog'))
    assert metrics['count/MAE'] == 1.5  # a confusion of classes does not change the total
    assert (metrics['count/MAE_cat'], metrics['count/MAE_dog'], metrics['count/mMAE']) == (0.5, 2.0, 1.25)
    assert not any('cat' in key for key in run(CountMetric(classwise=False), samples, classes=('cat', 'dog')))


def test_ranges_have_names_that_every_logger_takes():
    metrics = run(CountMetric(count_ranges=(0, 5, 10)), five())
    assert (metrics['count/MAE_0to4'], metrics['count/MAE_5to9'], metrics['count/MAE_10up']) == (1.0, 0.0, 2.5)
    assert metrics['count/images_10up'] == 2
    assert all(set(key) <= set('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_-.') for key in metrics)


def test_images_without_objects_count_and_have_no_ratio():
    metrics = run(CountMetric(), [sample('a', 0, 0.5), sample('b', 0, 0)])
    assert metrics['count/MAE'] == 0.25
    assert metrics['count/NAE_left_out'] == 2
    assert 'count/NAE' not in metrics


def test_class_rmse_rounds_first():
    metrics = run(CountMetric(class_rmse=True), [sample('a', [1, 0], [1.4, 0.4])])
    assert (metrics['count/mRMSE'], metrics['count/mRMSE-nz'], metrics['count/m-relRMSE']) == (0.0, 0.0, 0.0)


def test_class_rmse_of_the_golden_vector_and_its_deviation():
    true, pred = [[2, 0, 7], [0, 1, 3], [1, 0, 0], [0, 0, 1]], [[1, 0, 5], [0, 2, 3], [1, 1, 0], [0, 0, 0]]
    samples = [sample(str(index), *pair) for index, pair in enumerate(zip(true, pred, strict=True))]
    metrics = run(CountMetric(class_rmse=True, resamples=10), samples)
    expected = {'mRMSE': 0.775047, 'm-relRMSE': 0.467016, 'mRMSE-nz': 0.999367, 'm-relRMSE-nz': 0.564235}
    assert {name: metrics[f'count/{name}'] for name in expected} == pytest.approx(expected, abs=1e-5)
    assert 0 < metrics['count/mRMSE_std'] < 1
    assert run(CountMetric(class_rmse=True, resamples=10), samples[::-1]) == metrics


def test_rounding_and_clamping_touch_only_the_numbers_of_whole_counts():
    samples = [sample('a', [0, 1], [-0.6, 0.5])]
    plain = run(CountMetric(class_rmse=True, count_values=(0, 1)), samples)
    clamped = run(CountMetric(class_rmse=True, count_values=(0, 1), rounding='half_away', clamp=True), samples)
    raw = run(CountMetric(class_rmse=True, count_values=(0, 1), rounding='none'), samples)
    assert (plain['count/mRMSE'], clamped['count/mRMSE']) == (1.0, 0.0)
    assert raw['count/mRMSE'] == pytest.approx(0.55)
    assert (plain['count/bias_count0'], clamped['count/bias_count0']) == (-1.0, 0.0)
    assert plain['count/MAE'] == clamped['count/MAE'] == raw['count/MAE'] == pytest.approx(1.1)


def test_a_class_that_no_image_holds_is_told_once(monkeypatch):
    told = []
    monkeypatch.setattr(count_metric, 'print_log', lambda text, **_: told.append(text))
    metric = CountMetric(class_rmse=True)
    samples = [sample('a', [1, 0, 0], [3, 1, 0])]
    for _ in range(2):
        assert run(metric, samples, classes=('cat', 'dog', 'cow'))['count/mRMSE-nz'] == 2.0
    assert len(told) == 1
    assert '2 of 3 classes (dog, cow)' in told[0]
    run(CountMetric(class_rmse=True), [sample('a', [1, 2], [1, 2])])
    assert len(told) == 1


def test_errors_by_count_value_are_of_pairs_of_image_and_class(tmp_path):
    """Pairs (true, pred): (0, 0), (0, 2), (3, 1), (3, 4), (9, 5)."""
    files = [str(tmp_path / 'new' / 'counts.csv'), str(tmp_path / 'new' / 'counts.png')]
    samples = [sample('a', [0, 3], [0, 1]), sample('b', [0, 3], [2, 4.4]), sample('c', [9, 9], [5, 5])]
    metrics = run(CountMetric(count_values=range(4), count_values_file=files), samples)
    assert metrics['count/pairs_count0'] == metrics['count/pairs_count3'] == 2
    assert metrics['count/RMSE_count0'] == pytest.approx(math.sqrt(2))
    assert (metrics['count/MAE_count3'], metrics['count/bias_count3']) == (1.5, -0.5)
    assert not any('count1' in key or 'count9' in key for key in metrics)
    with open(files[0], newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert [(row['gt'], row['pairs'], row['MAE'], row['bias']) for row in rows] == [
        ('0', '2', '1', '1'),
        ('3', '2', '1.5', '-0.5'),
        ('9', '2', '4', '-4'),
    ]
    assert cv2.imread(files[1]) is not None
    assert len(list((tmp_path / 'new').iterdir())) == 2


def test_coverage_counts_intervals_that_hold_the_truth():
    metrics = run(CountMetric(), five(pred_interval=torch.tensor([[0.0, 5.0]])))
    assert (metrics['count/coverage'], metrics['count/interval_width']) == (0.6, 5.0)


def test_saturated_images_are_counted():
    assert run(CountMetric(), five(saturated=True))['count/saturated'] == 5


def test_the_mean_of_the_training_set_is_the_number_to_beat():
    metrics = run(CountMetric(baseline={'mean_count': 7.0}), five())
    assert metrics['count/MAE_mean_baseline'] == np.abs(7.0 - np.array(TRUE)).mean()
    assert metrics['count/bias_mean_baseline'] == pytest.approx(7.0 - np.mean(TRUE))


def test_the_baseline_reads_its_data_set_once():
    class Counted:
        calls = 0

        def class_counts(self):
            self.calls += 1
            return np.array([[1], [3]])

    dataset = Counted()
    metric = CountMetric(baseline={'dataset': dataset})
    for _ in range(2):
        assert run(metric, five())['count/MAE_mean_baseline'] == np.abs(2.0 - np.array(TRUE)).mean()
    assert dataset.calls == 1


def test_the_baseline_reads_the_instances_of_a_detection_data_set():
    class Detection:
        def __init__(self):
            self.metainfo = {'classes': ('a', 'b')}

        def __len__(self):
            return 2

        def get_data_info(self, index):
            ignored = {'bbox_label': 0, 'ignore_flag': 1}
            return {'instances': [{'bbox_label': 1, 'ignore_flag': 0}, ignored]} if index else {'instances': []}

    metrics = run(CountMetric(baseline={'dataset': Detection()}), [sample('x', [0, 1], [0, 1])])
    assert metrics['count/MAE_mean_baseline'] == 0.5


def test_a_baseline_that_cannot_be_is_refused():
    with pytest.raises(ValueError, match='exactly one of'):
        CountMetric(baseline={})
    with pytest.raises(TypeError, match='cannot serve a baseline'):
        run(CountMetric(baseline={'dataset': object()}), five())
    with pytest.raises(ValueError, match='the baseline has 3 classes, the evaluated data set 1'):
        run(CountMetric(baseline={'mean_count': [1, 2, 3]}), five())


def test_a_line_fitted_on_validation_images_is_a_separate_number_of_the_test(tmp_path):
    path = tmp_path / 'new' / 'line.json'
    val = [sample(str(index), 2 * index + 1, index) for index in range(4)]
    run(CountMetric(save_calibration=str(path)), val)
    assert load_calibration(path).slope == pytest.approx(2)
    assert json.loads(path.read_text())['images'] == 4
    metrics = run(CountMetric(calibration_file=str(path)), [sample('t', 21, 10)])
    assert metrics['count/MAE'] == 11
    assert metrics['count/MAE_calibrated'] == pytest.approx(0, abs=1e-9)
    assert list(path.parent.iterdir()) == [path]


def test_a_scale_keeps_zero_at_zero(tmp_path):
    path = tmp_path / 'scale.json'
    run(CountMetric(save_calibration=str(path), calibration='scale'), [sample('a', 4, 2), sample('b', 0, 0)])
    assert json.loads(path.read_text()) == {'kind': 'scale', 'slope': 2.0, 'offset': 0.0, 'images': 2}


def test_a_missing_or_broken_calibration_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match='save_calibration'):
        run(CountMetric(calibration_file=str(tmp_path / 'no.json')), five())
    broken = tmp_path / 'broken.json'
    broken.write_text('{"slope": 1}')
    with pytest.raises(ValueError, match=r'broken.json: expected JSON with the numbers "slope" and "offset"'):
        run(CountMetric(calibration_file=str(broken)), five())


def test_calibrated_counts_of_the_model_are_reported_beside_the_raw_ones():
    metrics = run(CountMetric(), [sample('a', 4, 2, pred_calibrated_counts=torch.tensor([3.5]))])
    assert (metrics['count/MAE'], metrics['count/MAE_calibrated']) == (2.0, 0.5)


def test_the_csv_file_has_a_row_for_every_image_and_class(tmp_path):
    path = tmp_path / 'deep' / 'counts.csv'
    interval = torch.tensor([[0, 2], [0, 1]])
    samples = [sample('b,1', [0, 3], [0.25, 3]), sample('a', [1, 0], [1, 0], pred_interval=interval)]
    run(CountMetric(out_file=str(path)), samples, classes=('cat', 'dog'))
    with path.open(newline='') as stream:
        rows = list(csv.DictReader(stream))
    assert [tuple(row.values()) for row in rows] == [
        ('a', 'cat', '1', '1', '0', '2'),
        ('a', 'dog', '0', '0', '0', '1'),
        ('b,1', 'cat', '0', '0.25', '', ''),
        ('b,1', 'dog', '3', '3', '', ''),
    ]
    assert list(path.parent.iterdir()) == [path]


def test_a_plain_detector_counts_its_boxes_above_the_threshold():
    made = DetDataSample(metainfo={'img_id': 7, 'ori_shape': (8, 8)})
    made.gt_instances = InstanceData(bboxes=torch.zeros(3, 4), labels=torch.tensor([0, 1, 1]))
    made.pred_instances = InstanceData(
        bboxes=torch.zeros(4, 4), labels=torch.tensor([0, 1, 1, 1]), scores=torch.tensor([0.9, 0.6, 0.4, 0.1])
    )
    assert run(CountMetric(score_thr=0.3), [made], classes=('a', 'b'))['count/MAE'] == 0
    assert run(CountMetric(score_thr=0.5), [made], classes=('a', 'b'))['count/bias'] == -1


def test_options_out_of_range_are_refused_before_training():
    with pytest.raises(ValueError, match='edges must increase'):
        CountMetric(count_ranges=(10, 0))
    with pytest.raises(ValueError, match="calibration must be 'line' or 'scale'"):
        CountMetric(calibration='cubic')
    with pytest.raises(ValueError, match='rounding must be one of'):
        CountMetric(rounding='up')
    with pytest.raises(ValueError, match=r'errors\.txt: errors by count are written'):
        CountMetric(count_values_file='errors.txt')
    with pytest.raises(ValueError, match='at least 2 together with class_rmse'):
        CountMetric(resamples=10)
    with pytest.raises(ValueError, match='levels'):
        GameMetric(levels=())
