import pytest

from mmcount.evaluation.metrics import ClassAccuracy


def test_class_accuracy_ranks_the_true_class():
    metric = ClassAccuracy(topk=(1, 2))
    for name, counts, scores in (
        ('a', [0, 3, 0], [0.1, 0.8, 0.1]),
        ('b', [1, 0, 0], [0.3, 0.6, 0.1]),
        ('c', [0, 0, 1], [0.5, 0.4, 0.1]),
        ('empty', [0, 0, 0], [1, 0, 0]),
    ):
        metric.process({}, [{'img_id': name, 'gt_counts': counts, 'pred_scores': scores}])
    assert metric.evaluate(size=4) == pytest.approx({'class/top1': 1 / 3, 'class/top2': 2 / 3})
    with pytest.raises(ValueError, match=r'image z: objects of the classes \[0, 1\]'):
        ClassAccuracy().process({}, [{'img_id': 'z', 'gt_counts': [1, 1], 'pred_scores': [1, 0]}])
    with pytest.raises(ValueError, match="image z: no 'pred_scores'"):
        ClassAccuracy().process({}, [{'img_id': 'z', 'gt_counts': [1, 1]}])
