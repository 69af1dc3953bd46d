import pytest

from mmcount.evaluation.metrics import PointingMetric


def image(name, true, pred, boxes=(), pointers=(), **fields):
    instances = {'bboxes': list(pointers), 'scores': [1.0] * len(pointers)}
    truth = {'bboxes': list(boxes)}
    counts = {'gt_counts': [float(true)], 'pred_counts': [float(pred)]}
    return {'img_id': name, **counts, 'gt_instances': truth, 'pred_instances': instances, **fields}


def test_images_whose_count_is_wrong_are_left_out_of_pointing(tmp_path):
    metric = PointingMetric(curve_file=str(tmp_path / 'curve.csv'))
    box, far, near = [0, 0, 10, 10], [20, 20, 30, 30], [1, 1, 3, 3]
    samples = [
        image('right', 1, 1, [box], [near]),
        image('wrong', 2, 1, [box, far], [near]),
        image('missed', 2, 2, [box, far], [near, [60, 60, 61, 61]]),
        image('none', 0, 0),
    ]
    metric.process({}, samples)
    found = metric.evaluate(size=4)
    assert found['pointing/accuracy@0.5'] == pytest.approx(2 / 3)
    assert found['pointing/accuracy@0.5_1'] == 1.0
    assert found['pointing/accuracy@0.5_2'] == 0.5
    assert found['pointing/accuracy_all@0.5'] == pytest.approx(3 / 5)
    assert found['pointing/images@0.5'] == 0.5
    lines = (tmp_path / 'curve.csv').read_text().splitlines()
    assert lines[0] == 'threshold,accuracy,accuracy_all'
    assert len(lines) == 21


def test_pointers_below_the_threshold_are_not_counted_either():
    sample = image('a', 1, 1, [[0, 0, 10, 10]], [[1, 1, 3, 3], [20, 20, 30, 30]])
    del sample['pred_counts']
    sample['pred_instances'].update(scores=[0.9, 0.4], labels=[0, 0])
    for score_thr, accuracy in ((0.5, 1.0), (0.0, None)):
        metric = PointingMetric(score_thr=score_thr, thresholds=(0.5,))
        metric.process({}, [sample])
        assert metric.evaluate(size=1).get('pointing/accuracy@0.5') == accuracy


def test_ellipses_are_preferred_to_their_boxes():
    sample = image('a', 1, 1, [[0, 0, 5, 10]], [[0, 0, 10, 10]])
    sample['pred_instances']['ellipses'] = [[2, 5, 1, 1]]
    metric = PointingMetric(thresholds=(0.8,))
    metric.process({}, [sample])
    assert metric.evaluate(size=1)['pointing/accuracy@0.8'] == 1.0


@pytest.mark.parametrize('field', ['gt_instances', 'pred_instances'])
def test_pointing_needs_boxes_and_names_the_image(field):
    sample = image('im7', 1, 1, [[0, 0, 5, 10]], [[0, 0, 10, 10]])
    del sample[field]['bboxes']
    with pytest.raises(ValueError, match='image im7: no '):
        PointingMetric().process({}, [sample])
