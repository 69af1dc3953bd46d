"""``LocountMetric`` on samples and files, in one process and in several, and in the runner."""

import json

import numpy as np
import pytest
import torch
from mmdet.structures import DetDataSample
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.structures import InstanceData
from torch import nn

from mmcount.evaluation import LocountMetric
from mmcount.evaluation.functional import DetectedBoxes, TrueBoxes, locount_scores
from mmcount.evaluation.metrics import base
from mmcount.registry import METRICS
from mmcount.structures import CountDataSample, CountedBoxes
from mmcount.utils.errors import AnnotationError

BOX, OTHER = [0.0, 0.0, 200.0, 200.0], [300.0, 0.0, 400.0, 100.0]


def boxes_of(bboxes, labels=None, **fields):
    made = InstanceData()
    made.bboxes = torch.tensor(bboxes, dtype=torch.float32).reshape(-1, 4)
    made.labels = torch.zeros(len(bboxes), dtype=torch.int64) if labels is None else torch.tensor(labels)
    for name, value in fields.items():
        setattr(made, name, torch.as_tensor(value))
    return made


def sample(identity, gt=None, pred=None, kind=CountDataSample, **metainfo):
    made = kind(metainfo={'img_id': identity, **metainfo})
    if gt is not None:
        made.gt_instances = gt
    made.pred_instances = boxes_of([], scores=[]) if pred is None else pred
    return made


def run(metric, samples):
    metric.process({}, [one.to_dict() for one in samples])
    return metric.evaluate(len(samples))


def shelves(seed, number=6, counted=True):
    """Samples of random boxes of three classes, and the tables they make."""
    rng = np.random.default_rng(seed)
    samples = []
    for image in range(number):
        corner, side = rng.integers(0, 300, (7, 2)), rng.integers(50, 400, (7, 2))
        gt = np.concatenate((corner, corner + side), axis=1)
        labels, counts = rng.integers(0, 3, 7), rng.integers(1, 15, 7)
        pred = gt + rng.integers(-10, 10, gt.shape)
        extra = {'counts': np.maximum(1, counts + rng.integers(-1, 2, 7))} if counted else {}
        found = boxes_of(pred.tolist(), labels.tolist(), scores=rng.random(7).astype(np.float32), **extra)
        samples.append(sample(image, boxes_of(gt.tolist(), labels.tolist(), counts=counts), found))
    return samples


def tables(samples):
    def table(parts):
        boxes = torch.cat([one.bboxes for one in parts]).numpy().astype(np.float64)
        fields = {key: torch.cat([getattr(one, key) for one in parts]).numpy() for key in ('labels', 'scores', 'counts')
                  if key in parts[0]}  # fmt: skip
        images = np.repeat([one.metainfo['img_id'] for one in samples], [len(one) for one in parts])
        return dict(images=images, bboxes=np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2]), axis=1), **fields)

    found = DetectedBoxes(**table([one.pred_instances for one in samples]))
    return found, TrueBoxes(**table([one.gt_instances for one in samples]))


def expected_of(samples, **options):
    metrics = locount_scores(*tables(samples), 3, **options).metrics()
    return {f'locount/{key}': value for key, value in metrics.items() if not np.isnan(value)}


def test_the_metric_is_the_function_over_all_images():
    samples = shelves(0)
    metrics = run(METRICS.build(dict(type='LocountMetric')), samples)
    assert metrics == pytest.approx(expected_of(samples))
    assert 0 < metrics['locount/AP_lc'] < metrics['locount/AP'] < 1
    names = {key.split('/')[1] for key in metrics}
    wanted = {'AP_lc', 'AP_lc_50', 'AP_lc_75', 'AR_lc_150', 'AP', 'AP_50', 'AP_75', 'AR_150', 'count_MAE', 'count_bias'}
    subsets = ('SS', 'MS', 'LS', 'IN', 'MN', 'LN')
    assert names == wanted | {f'{kind}_lc_{one}' for kind in ('AP', 'AR') for one in subsets}
    assert run(LocountMetric(max_dets=2), samples)['locount/AR_lc_2'] < metrics['locount/AR_lc_150']


def test_boxes_of_a_plain_detector_hold_one_object():
    samples = shelves(1, counted=False)
    metrics = run(
        LocountMetric(), [sample(1, one.gt_instances, one.pred_instances, DetDataSample) for one in samples[:1]]
    )
    assert metrics == pytest.approx(expected_of(samples[:1]))
    for one in samples:
        one.pred_instances.counts = torch.ones(7)
    assert run(LocountMetric(), samples) == pytest.approx(expected_of(samples))
    assert metrics['locount/AP_lc'] < metrics['locount/AP']


def test_counted_boxes_carry_their_counts():
    gt = InstanceData(bboxes=CountedBoxes(torch.tensor([[*BOX, 4.0]])), labels=torch.tensor([0]))
    pred = boxes_of([BOX], counts=[3], scores=[0.9])
    metrics = run(LocountMetric(), [sample('a', gt, pred)])
    assert (metrics['locount/AP_lc'], metrics['locount/count_bias']) == pytest.approx((0.6, -1))


def test_ignored_instances_are_crowds():
    one = sample('a', boxes_of([BOX], counts=[4]), boxes_of([BOX, OTHER], counts=[4, 30], scores=[0.5, 0.9]))
    assert run(LocountMetric(), [one])['locount/AP_lc'] == pytest.approx(0.5)
    one.ignored_instances = boxes_of([OTHER], counts=[2])
    metrics = run(LocountMetric(), [one])
    assert (metrics['locount/AP_lc'], metrics['locount/AP']) == pytest.approx((1, 1))


def test_lists_of_instances_go_before_packed_ones():
    listed = [dict(bbox=BOX, bbox_label=0, count=4), dict(bbox=OTHER, bbox_label=0, ignore_flag=1)]
    half = boxes_of([[value / 2 for value in BOX]])
    one = sample('a', half, boxes_of([BOX, OTHER], counts=[4, 1], scores=[0.5, 0.9]), instances=listed)
    assert run(LocountMetric(), [one])['locount/AP_lc'] == pytest.approx(1)


def coco_file(path, samples, classes=('cup ', 'bowl', 'pan')):
    annotations = []
    for one in samples:
        gt = one.gt_instances
        for box, label, count in zip(gt.bboxes.tolist(), gt.labels.tolist(), gt.counts.tolist(), strict=True):
            sides = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            annotation = dict(id=len(annotations) + 1, image_id=one.metainfo['img_id'], bbox=sides, count=count)
            annotations.append({**annotation, 'category_id': 10 * label + 5, 'area': sides[2] * sides[3], 'iscrowd': 0})
    images = [dict(id=one.metainfo['img_id'], file_name=f'{one.metainfo["img_id"]}.jpg') for one in samples]
    categories = [dict(id=10 * label + 5, name=name) for label, name in enumerate(classes)]
    path.write_text(json.dumps(dict(images=images, annotations=annotations, categories=categories)))
    return path


def test_the_ground_truth_of_a_file_gives_the_same_numbers(tmp_path):
    samples = shelves(2)
    metric = LocountMetric(ann_file=str(coco_file(tmp_path / 'gt.json', samples)))
    metric.dataset_meta = {'classes': ('cup', 'bowl', 'pan')}
    assert run(metric, samples) == pytest.approx(expected_of(samples))
    # Classes in another order than the categories: labels are those of the data set.
    metric.dataset_meta = {'classes': ('pan', 'bowl', 'cup')}
    for one in samples:
        one.pred_instances.labels = 2 - one.pred_instances.labels
    assert run(metric, samples)['locount/AP_lc'] == pytest.approx(expected_of(shelves(2))['locount/AP_lc'])
    with pytest.raises(ValueError, match=r"image 77: image '77' is none of the 6 images of .*gt.json"):
        run(metric, [sample(77, boxes_of([]))])
    metric.dataset_meta = {'classes': ('plate',)}
    with pytest.raises(ValueError, match=r"class 'plate' is none of the 3 categories of .*gt.json"):
        run(metric, samples[:1])


def test_a_malformed_file_is_refused(tmp_path):
    path = coco_file(tmp_path / 'gt.json', shelves(2))
    content = json.loads(path.read_text())
    content['annotations'][3]['count'] = 0
    path.write_text(json.dumps(content))
    with pytest.raises(AnnotationError, match=r'annotations\[3\]: the count is 0'):
        LocountMetric(ann_file=str(path))
    content['annotations'][3]['count'] = 1
    for box in ([1, 2, 3], [5], 5, ['1', '2', '3', '4'], [1, 2, float('inf'), 4], None):
        content['annotations'][3]['bbox'] = box
        path.write_text(json.dumps(content))
        with pytest.raises(AnnotationError, match=r'annotations\[3\]: the bbox is'):
            LocountMetric(ann_file=str(path))


def test_the_file_says_the_classes_where_the_data_set_does_not(tmp_path):
    samples = shelves(2)
    ann_file = str(coco_file(tmp_path / 'gt.json', samples))
    metric = LocountMetric(ann_file=ann_file, outfile_prefix=str(tmp_path / 'results'))
    assert run(metric, samples) == pytest.approx(expected_of(samples))
    samples[0].pred_instances.labels[0] = 3
    with pytest.raises(ValueError, match=r'image 0: labels of pred_instances are in 0\.\.3, expected 0\.\.2'):
        run(LocountMetric(ann_file=ann_file), samples)


def test_boxes_that_are_not_finite_do_not_spoil_the_written_results(tmp_path):
    pred = boxes_of([[0, 0, float('inf'), 9], BOX], counts=[1, 4], scores=[0.9, 0.5])
    metrics = run(LocountMetric(outfile_prefix=str(tmp_path / 'x')), [sample('a', boxes_of([BOX], counts=[4]), pred)])
    assert metrics['locount/AP_lc'] == pytest.approx(0.5)  # the first one is wrong

    def refuse(constant):
        raise ValueError(constant)

    (one,) = json.loads((tmp_path / 'x.bbox.json').read_text(), parse_constant=refuse)
    assert one['bbox'] == [0, 0, 200, 200]


@pytest.mark.parametrize('with_file', [False, True])
def test_results_are_written_with_their_counts(tmp_path, with_file):
    samples = shelves(3, number=2)
    samples[0].pred_instances.count_scores = torch.full((7,), 0.25)
    ann_file = str(coco_file(tmp_path / 'gt.json', samples)) if with_file else None
    run(LocountMetric(ann_file=ann_file, outfile_prefix=str(tmp_path / 'new' / 'results')), samples)
    results = json.loads((tmp_path / 'new' / 'results.bbox.json').read_text())
    pred = samples[0].pred_instances
    assert len(results) == 14
    label = int(pred.labels[2])
    x1, y1, x2, y2 = pred.bboxes[2].tolist()
    assert results[2] == dict(
        image_id=0,
        category_id=10 * label + 5 if with_file else label,
        bbox=[x1, y1, x2 - x1, y2 - y1],
        score=float(pred.scores[2]),
        count=int(pred.counts[2]),
        cnt_score=0.25,
    )
    assert 'cnt_score' not in results[7]
    assert run(LocountMetric(outfile_prefix=str(tmp_path / 'empty')), [sample(1, boxes_of([BOX]))])
    assert json.loads((tmp_path / 'empty.bbox.json').read_text()) == []


def test_every_class_on_demand():
    samples = shelves(4)
    metric = LocountMetric(classwise=True)
    metric.dataset_meta = {'classes': ('cup', 'bowl', 'pan', 'never')}
    metrics = run(metric, samples)
    means = [metrics[f'locount/AP_lc_{name}'] for name in ('cup', 'bowl', 'pan')]
    assert np.mean(means) == pytest.approx(metrics['locount/AP_lc'])
    assert 'locount/AP_lc_never' not in metrics


def test_several_processes_give_the_numbers_of_one(monkeypatch):
    samples = shelves(5, number=12)
    expected = run(LocountMetric(), samples)
    first, second = LocountMetric(), LocountMetric()
    first.process({}, [one.to_dict() for one in samples[:7]])
    repeated = samples[6].to_dict()
    nudged = sample(6, samples[6].gt_instances, samples[6].pred_instances[:6]).to_dict()
    second.process({}, [one.to_dict() for one in samples[7:]] + [repeated])
    monkeypatch.setattr(base, 'all_gather_object', lambda mine: [second.results, mine])
    assert first.evaluate(12) == expected
    # A repeated image may differ by a box; whichever record is kept, it is the same in any order.
    outcomes = []
    for one, other in ((samples[6].to_dict(), nudged), (nudged, samples[6].to_dict())):
        first.process({}, [one.to_dict() for one in samples[:6]] + [one])
        second = LocountMetric()
        second.process({}, [one.to_dict() for one in samples[7:]] + [other])
        monkeypatch.setattr(base, 'all_gather_object', lambda mine, theirs=second: [mine, theirs.results])
        outcomes.append(first.evaluate(12))
    assert outcomes[0] == outcomes[1]
    changed = sample(6, samples[5].gt_instances, samples[6].pred_instances).to_dict()
    first.process({}, [one.to_dict() for one in samples[:7]])
    second = LocountMetric()
    second.process({}, [one.to_dict() for one in samples[7:]] + [changed])
    monkeypatch.setattr(base, 'all_gather_object', lambda mine: [second.results, mine])
    with pytest.raises(ValueError, match="image '6' has two different ground truths"):
        first.evaluate(12)


def test_images_in_any_order_give_the_same_numbers():
    samples = shelves(6, number=12)
    for one in samples:
        one.pred_instances.scores = (one.pred_instances.scores * 3).round() / 3
    assert run(LocountMetric(), samples) == run(LocountMetric(), samples[::-1])


def test_nothing_found_and_nothing_to_find():
    metrics = run(LocountMetric(), [sample('a', boxes_of([BOX], counts=[2])), sample('b', boxes_of([]))])
    assert (metrics['locount/AP_lc'], metrics['locount/AR_150']) == (0, 0)
    assert 'locount/count_MAE' not in metrics
    assert run(LocountMetric(classwise=True), [sample('a', boxes_of([]))]) == {}


@pytest.mark.parametrize(
    ('gt', 'pred', 'message'),
    [
        (None, None, "no ground truth: expected 'gt_instances'"),
        (boxes_of([BOX], counts=[0]), None, 'ground truth: counts must be at least 1'),
        (boxes_of([BOX]), boxes_of([BOX], scores=[np.nan]), 'pred_instances: scores must be finite'),
        (
            boxes_of([BOX]),
            boxes_of([BOX], [3], scores=[0.5]),
            r'labels of pred_instances are in 3\.\.3',
        ),
        (boxes_of([BOX]), boxes_of([BOX]), "pred_instances have no 'scores'"),
    ],
)
def test_bad_samples_are_named(gt, pred, message):
    metric = LocountMetric()
    metric.dataset_meta = {'classes': ('cup', 'bowl', 'pan')}
    with pytest.raises(ValueError, match=f'image a: {message}'):
        run(metric, [sample('a', gt, pred)])


def test_options_out_of_range_are_refused(tmp_path):
    with pytest.raises(ValueError, match='max_dets must be at least 1'):
        LocountMetric(max_dets=0)
    with pytest.raises(ValueError, match='count_rule must be one of'):
        LocountMetric(count_rule='true')
    with pytest.raises(FileNotFoundError, match='nowhere'):
        LocountMetric(ann_file=str(tmp_path / 'nowhere.json'))


class Repeater(BaseModel):
    """Predicts the ground truth, one object too many in each box."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(1, 1)

    def forward(self, inputs, data_samples=None, mode='tensor'):
        for one in data_samples:
            gt = one.gt_instances
            one.pred_instances = InstanceData(
                bboxes=gt.bboxes, labels=gt.labels, counts=gt.counts + 1, scores=torch.ones(len(gt))
            )
        return data_samples


def test_in_the_runner(tmp_path):
    samples = shelves(7)

    class Images(torch.utils.data.Dataset):
        metainfo = {'classes': ('cup', 'bowl', 'pan')}  # noqa: RUF012

        def __len__(self):
            return len(samples)

        def __getitem__(self, index):
            return dict(inputs=torch.zeros(1), data_samples=samples[index])

    runner = Runner(
        model=Repeater(),
        work_dir=str(tmp_path),
        test_dataloader=dict(dataset=Images(), batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False),
                             collate_fn=dict(type='pseudo_collate')),
        test_evaluator=dict(type='mmcount.LocountMetric'),
        test_cfg=dict(),
        cfg=Config(dict(model_wrapper_cfg=None)),
        log_level='WARNING',
    )  # fmt: skip
    metrics = runner.test()
    assert (metrics['locount/AP'], metrics['locount/count_MAE']) == pytest.approx((1, 1))
    assert 0 < metrics['locount/AP_lc'] < 1
