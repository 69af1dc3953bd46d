import numpy as np
import pycocotools.mask as mask_utils
import pytest
import torch
from mmdet.structures import DetDataSample
from mmdet.structures.mask import BitmapMasks, PolygonMasks
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData, PixelData
from pycocotools.coco import COCO

from benchmarks.real_data import data_root
from mmcount.evaluation import MaskOverlapMetric
from mmcount.evaluation.metrics import base

THRS = (0.25, 0.5, 0.75)


def boxes(*corners, shape=(20, 20)):
    """Masks of filled boxes (x1, y1, x2, y2)."""
    masks = np.zeros((len(corners), *shape), dtype=bool)
    for mask, (x1, y1, x2, y2) in zip(masks, corners, strict=True):
        mask[y1:y2, x1:x2] = True
    return masks


def instances(masks, labels=None, scores=None):
    labels = [0] * len(masks) if labels is None else labels
    made = {'masks': masks, 'labels': labels}
    return made if scores is None else {**made, 'scores': scores}


def sample(identity, true, pred, **fields):
    return {'img_id': identity, 'gt_instances': true, 'pred_instances': pred, **fields}


def run(metric, *samples, classes=None):
    if classes is not None:
        metric.dataset_meta = {'classes': classes}
    for one in samples:
        metric.process({}, [one])
    return {key.removeprefix('segm/'): value for key, value in metric.evaluate(len(samples)).items()}


def test_three_instances_by_hand():
    """IoU 70/130 for one, 1 for another, none for the third; the last prediction is wrong and the best scored."""
    true = boxes((2, 2, 12, 12), (0, 15, 5, 20), (15, 0, 20, 5))
    pred = boxes((5, 2, 15, 12), (0, 15, 5, 20), (10, 15, 14, 19))
    one = sample('a', instances(true, [0, 0, 1]), instances(pred, [0, 0, 0], [0.5, 0.4, 0.9]))
    metrics = run(MaskOverlapMetric(pair_abo=True, classwise=True), one, classes=('cat', 'dog'))
    first = (70 / 130 + 1) / 2
    # Class 0: wrong, right, right -> 2/3 on both instances; at 0.75 the second of three only.
    assert metrics == pytest.approx(
        {
            'ABO': first * 2 / 3,
            'MABO': first / 2,
            'ABO_pairs': first,
            'ABO_cat': first,
            'ABO_dog': 0.0,
            'mAP_25': 1 / 3,
            'AP_25_cat': 2 / 3,
            'AP_25_dog': 0.0,
            'mAP_50': 1 / 3,
            'AP_50_cat': 2 / 3,
            'AP_50_dog': 0.0,
            'mAP_75': 1 / 12,
            'AP_75_cat': 1 / 6,
            'AP_75_dog': 0.0,
        }
    )


def random_samples(num, seed=0, classes=3):
    rng = np.random.default_rng(seed)
    samples = []
    for index in range(num):
        shape = (int(rng.integers(6, 12)), int(rng.integers(6, 12)))

        def some(count, shape=shape):
            corners = [(x, y, x + w, y + h) for x, y, w, h in rng.integers((0, 0, 2, 2), (6, 6, 7, 7), (count, 4))]
            return instances(boxes(*corners, shape=shape).reshape(count, *shape), rng.integers(0, classes, count))

        true, ignored, pred = (some(int(rng.integers(0, size))) for size in (5, 3, 9))
        pred['scores'] = rng.integers(0, 6, len(pred['labels'])) / 5 - 0.4
        samples.append(sample(f'{index:02}', true, pred, ignored_instances=ignored, ori_shape=shape))
    return samples


def plain_metrics(samples, thr, classes=3):
    """ABO and mAP^r straight from their definitions, one pixel mask against the other."""
    best, precisions = [], []
    for label in range(classes):
        found, number = [], 0
        for one in samples:
            gt, more, pred = one['gt_instances'], one['ignored_instances'], one['pred_instances']
            true = [m for m, k in zip(gt['masks'], gt['labels'], strict=True) if k == label]
            extra = [m for m, k in zip(more['masks'], more['labels'], strict=True) if k == label]
            rows = zip(pred['masks'], pred['labels'], pred['scores'], strict=True)
            preds = [(m, s) for m, k, s in rows if k == label]
            number += len(true)
            best += [max(((m & t).sum() / (m | t).sum() for m, _ in preds), default=0.0) for t in true]
            taken = []
            for mask, score in sorted(preds, key=lambda pair: -pair[1]):
                over = [(mask & t).sum() / (mask | t).sum() for t in true]
                open_ones = [(iou, -index) for index, iou in enumerate(over) if iou > thr and index not in taken]
                if open_ones:
                    taken.append(-max(open_ones)[1])
                    found.append((score, True))
                elif not any((mask & t).sum() / (mask | t).sum() > thr for t in extra):
                    found.append((score, False))
        if number:
            found.sort(key=lambda pair: -pair[0])
            right = np.cumsum([hit for _, hit in found])
            ladder = right / np.arange(1, len(found) + 1)
            hits = [max(ladder[index:]) for index, (_, hit) in enumerate(found) if hit]
            precisions.append(sum(hits) / number)
    return np.mean(best), np.mean(precisions)


@pytest.mark.parametrize('seed', range(6))
def test_the_metric_agrees_with_its_definition_pixel_by_pixel(seed):
    samples = random_samples(12, seed)
    metrics = run(MaskOverlapMetric(), *samples)
    assert 0 < metrics['mAP_25'] < 1
    for thr in THRS:
        abo, precision = plain_metrics(samples, thr)
        assert metrics['ABO'] == pytest.approx(abo)
        assert metrics[f'mAP_{100 * thr:g}'] == pytest.approx(precision)


@pytest.mark.parametrize('world', [2, 3])
def test_shards_and_padding_do_not_change_the_result(world, monkeypatch):
    samples = random_samples(7)
    expected = run(MaskOverlapMetric(classwise=True), *samples)
    padded = (samples + samples)[: -(-7 // world) * world]
    shards = []
    for rank in range(world):
        metric = MaskOverlapMetric(classwise=True)
        metric.process({}, padded[rank::world])
        shards.append(metric.results[:])
    monkeypatch.setattr(base, 'all_gather_object', lambda _: shards)
    got = {key.removeprefix('segm/'): value for key, value in metric.evaluate(7).items()}
    assert got == pytest.approx(expected, abs=1e-12)


def test_records_hold_overlaps_and_no_masks():
    metric = MaskOverlapMetric()
    metric.process(
        {}, [sample('a', instances(boxes(*[(0, 0, 9, 9)] * 4)), instances(boxes((0, 0, 9, 9)), scores=[1.0]))]
    )
    sizes = {key: np.asarray(value).size for key, value in metric.results[0].items()}
    assert sizes == {'img_id': 1, 'pred_labels': 1, 'scores': 1, 'outcomes': 3, 'true_labels': 4, 'best': 4}


def test_every_notation_of_masks_gives_the_same():
    true, pred = boxes((2, 2, 12, 12), (0, 15, 5, 20)), boxes((5, 2, 15, 12), (0, 15, 5, 20))
    corners = [[np.array([2, 2, 12, 2, 12, 12, 2, 12.0])], [np.array([0, 15, 5, 15, 5, 20, 0, 20.0])]]
    rles = [mask_utils.encode(np.asfortranarray(mask.astype(np.uint8))) for mask in pred]
    results = []
    for gt_masks in (
        true,
        BitmapMasks(true.astype(np.uint8), 20, 20),
        PolygonMasks(corners, 20, 20),
        torch.tensor(true),
    ):
        for pred_masks in (pred, torch.tensor(pred), torch.tensor(pred).to(torch.uint8), rles):
            one = sample('a', instances(gt_masks), instances(pred_masks, scores=torch.tensor([0.5, 0.4])))
            results.append(run(MaskOverlapMetric(score_thr=0.1), one))
    assert all(one == results[0] for one in results)
    assert results[0]['ABO'] == pytest.approx((70 / 130 + 1) / 2)


def test_the_evaluator_takes_samples_of_mmdet():
    made = DetDataSample(metainfo={'img_id': 7, 'ori_shape': (20, 20)})
    masks = boxes((2, 2, 12, 12))
    made.gt_instances = InstanceData(masks=BitmapMasks(masks.astype(np.uint8), 20, 20), labels=torch.tensor([1]))
    made.ignored_instances = InstanceData(masks=BitmapMasks([], 20, 20), labels=torch.zeros(0).long())
    made.pred_instances = InstanceData(masks=torch.tensor(masks), labels=torch.tensor([1]), scores=torch.tensor([0.9]))
    evaluator = Evaluator([{'type': 'mmcount.MaskOverlapMetric'}])
    evaluator.dataset_meta = {'classes': ('cat', 'dog')}
    evaluator.process([made])
    expected = {'segm/ABO': 1.0, 'segm/MABO': 1.0, 'segm/mAP_25': 1.0, 'segm/mAP_50': 1.0, 'segm/mAP_75': 1.0}
    assert evaluator.evaluate(1) == expected


def test_an_ignored_instance_is_neither_missed_nor_wrongly_found():
    true, other = boxes((0, 0, 10, 10)), boxes((12, 12, 18, 18))
    pred = instances(np.concatenate([other, true]), scores=[0.9, 0.8])
    ignoring = sample('a', instances(true), pred, ignored_instances=instances(other))
    assert run(MaskOverlapMetric(), ignoring)['mAP_50'] == 1.0
    assert run(MaskOverlapMetric(), sample('a', instances(true), pred))['mAP_50'] == 0.5
    # As another class it excuses nothing.
    ignoring['ignored_instances'] = instances(other, [1])
    assert run(MaskOverlapMetric(), ignoring)['mAP_50'] == 0.5


def test_a_small_prediction_in_a_crowd_is_excused_as_coco_does():
    pred = instances(boxes((0, 0, 2, 2), (10, 10, 14, 14)), scores=[0.9, 0.8])
    one = sample('a', instances(boxes((10, 10, 14, 14))), pred, ignored_instances=instances(boxes((0, 0, 9, 9))))
    assert run(MaskOverlapMetric(), one)['mAP_50'] == 0.5
    assert run(MaskOverlapMetric(crowd=True), one)['mAP_50'] == 1.0
    assert run(MaskOverlapMetric(crowd=True), one)['ABO'] == 1.0


def test_void_pixels_are_background_unless_they_are_ignored():
    true, pred, void = boxes((0, 0, 10, 10)), boxes((0, 0, 12, 10)), boxes((10, 0, 12, 20))[0]
    one = sample('a', instances(true), instances(pred, scores=[1.0]))
    assert run(MaskOverlapMetric(), one)['ABO'] == pytest.approx(100 / 120)
    segments = torch.tensor(np.where(void, 255, 0))[None]
    given = {'gt_void_mask': torch.tensor(void)}, {'gt_sem_seg': PixelData(data=segments)}
    for fields in given:
        assert run(MaskOverlapMetric(void='ignore'), {**one, **fields})['ABO'] == 1.0
    with pytest.raises(ValueError, match=r"image a: void='ignore' needs 'gt_void_mask' or 'gt_sem_seg'"):
        run(MaskOverlapMetric(void='ignore'), one)


def test_scores_of_masks_come_before_those_of_boxes_and_may_be_negative():
    pred = instances(boxes((0, 0, 4, 4), (10, 10, 14, 14)), scores=[0.9, 0.1])
    one = sample('a', instances(boxes((10, 10, 14, 14))), pred)
    assert run(MaskOverlapMetric(), one)['mAP_50'] == 0.5
    pred['mask_scores'] = torch.tensor([-0.9, -0.1])
    assert run(MaskOverlapMetric(), one)['mAP_50'] == 1.0
    assert run(MaskOverlapMetric(score_thr=0.0), one) == dict.fromkeys(
        ['ABO', 'MABO', 'mAP_25', 'mAP_50', 'mAP_75'], 0.0
    )


def test_images_without_instances_or_predictions_count():
    empty = instances(torch.zeros(0, 20, 20, dtype=torch.bool), [], [])
    wrong = sample('a', instances(BitmapMasks([], 20, 20), []), instances(boxes((0, 0, 4, 4)), scores=[0.9]))
    missed = sample('b', instances(boxes((0, 0, 4, 4))), empty)
    right = sample('c', instances(boxes((0, 0, 4, 4))), instances(boxes((0, 0, 4, 4)), scores=[0.8]))
    metrics = run(MaskOverlapMetric(pair_abo=True), wrong, missed, right)
    assert (metrics['ABO'], metrics['ABO_pairs'], metrics['mAP_50']) == (0.5, 1.0, 0.25)
    assert run(MaskOverlapMetric(), wrong) == {}  # nothing to find: no number exists


def test_what_is_missing_or_broken_names_the_image():
    true, pred = instances(boxes((0, 0, 4, 4))), instances(boxes((0, 0, 4, 4)), scores=[0.9])
    cases = [
        (sample('x', true, None), "no 'pred_instances'"),
        (sample('x', {'labels': [0]}, pred), "gt_instances: no 'masks'"),
        (sample('x', true, {'labels': [0], 'scores': [1.0]}), "pred_instances: no 'masks'"),
        (sample('x', true, instances(boxes((0, 0, 4, 4)))), "pred_instances: no 'scores'"),
        (sample('x', true, {**pred, 'labels': [0, 0]}), '2 labels, but 1 scores'),
        (sample('x', {**true, 'labels': [0, 0]}, pred), '2 labels, but 1 masks'),
        (sample('x', {**true, 'labels': [2]}, pred), r'labels must be in 0\.\.1, got 2\.\.2'),
        (sample('x', true, {**pred, 'scores': [float('nan')]}), 'score 0 is not a number'),
        (sample('x', true, pred, ori_shape=(10, 20)), r'expected \(10, 20\)\. Masks are compared in pixels of the'),
        (sample('x', true, instances(boxes((0, 0, 4, 4), shape=(9, 9)), scores=[1])), r'expected \(20, 20\)'),
    ]
    for one, message in cases:
        with pytest.raises(ValueError, match=f'image x: .*{message}'):
            run(MaskOverlapMetric(), one, classes=('cat', 'dog'))


def test_options_out_of_range_are_refused():
    for options in ({'iou_thrs': ()}, {'iou_thrs': (1.0,)}, {'matching': 'x'}, {'ap_mode': 'x'}, {'void': 'x'}):
        with pytest.raises(ValueError, match=next(iter(options))):
            MaskOverlapMetric(**options)


@pytest.fixture(scope='module')
def coco():
    folder = data_root('coco_sample')
    if folder is None:
        pytest.skip('the COCO sample is not on this machine')
    return COCO(str(folder / 'val2017.json'))


def real_samples(coco, change=lambda mask: mask):
    labels = {category: label for label, category in enumerate(sorted(coco.cats))}
    for image in coco.loadImgs(coco.getImgIds()):
        found = [one for one in coco.loadAnns(coco.getAnnIds(image['id'])) if one.get('segmentation')]
        shape = (image['height'], image['width'])
        masks = np.zeros((len(found), *shape), dtype=np.uint8)
        for mask, one in zip(masks, found, strict=True):
            mask[...] = coco.annToMask(one)
        kinds = [labels[one['category_id']] for one in found]
        pred = instances(torch.tensor(change(masks).astype(bool)), kinds, torch.linspace(0.9, 0.1, len(found)))
        yield sample(image['id'], instances(BitmapMasks(masks, *shape), kinds), pred, ori_shape=shape), masks


def test_real_masks_found_perfectly_have_no_error(coco):
    metrics = run(MaskOverlapMetric(), *(one for one, _ in real_samples(coco)))
    assert metrics == dict.fromkeys(['ABO', 'MABO', 'mAP_25', 'mAP_50', 'mAP_75'], 1.0)


def test_real_masks_that_are_shifted_have_the_known_overlap(coco):
    def shift(masks):
        moved = np.zeros_like(masks)
        moved[:, :, 8:] = masks[:, :, :-8]
        return moved

    samples, overlaps = [], []
    for one, masks in real_samples(coco, shift):
        samples.append(one)
        moved, kinds = shift(masks).astype(bool), np.array(one['gt_instances']['labels'])
        for mask, kind in zip(masks.astype(bool), kinds, strict=True):
            others = moved[kinds == kind]
            overlaps.append(max((mask & other).sum() / (mask | other).sum() for other in others))
    metrics = run(MaskOverlapMetric(), *samples)
    assert metrics['ABO'] == pytest.approx(np.mean(overlaps), abs=1e-12)
    assert 0.3 < metrics['ABO'] < 0.95
    assert metrics['mAP_25'] > metrics['mAP_50'] > metrics['mAP_75'] > 0
