"""Class, box and count of each RoI, and how the count follows its box."""

import pytest
import torch
from mmdet.models.task_modules.assigners import AssignResult
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData

from mmcount.models.roi_heads import BoxAndCount, CountBBoxHead, CountRandomSampler, with_gt_counts

DIGITS = dict(type='mmcount.DigitCodec', max_count=20, base=10)
NUMBERS = dict(type='mmcount.CountRegressionCodec')
TEST_CFG = ConfigDict(score_thr=0.05, nms=dict(type='nms', iou_threshold=0.5), max_per_img=100)
META = dict(img_shape=(200, 200), scale_factor=(2.0, 2.0))


def make_head(codec=DIGITS, **kwargs):
    torch.manual_seed(0)
    options = dict(in_channels=4, fc_out_channels=8, num_classes=3, reg_class_agnostic=True)
    head = CountBBoxHead(codec=codec, **{**options, **kwargs})
    head.init_weights()
    return head


def sampled(gt_counts, rois, num_pos):
    """The first ``num_pos`` of the boxes are positive, each assigned to the ground truth of its index."""
    gt = InstanceData(
        bboxes=rois[: len(gt_counts)], labels=torch.arange(len(gt_counts)) % 3, counts=torch.tensor(gt_counts)
    )
    gt_inds = torch.zeros(len(rois), dtype=torch.long)
    gt_inds[:num_pos] = torch.arange(num_pos) + 1
    labels = torch.full((len(rois),), -1)
    labels[:num_pos] = gt.labels[:num_pos]
    assigned = AssignResult(len(gt_counts), gt_inds, torch.zeros(len(rois)), labels)
    sampler = CountRandomSampler(num=len(rois), pos_fraction=1.0, add_gt_as_proposals=False)
    return sampler.sample(assigned, InstanceData(priors=rois), gt)


def boxes(number):
    """Boxes that do not overlap."""
    corners = torch.stack([torch.arange(number) % 8 * 24.0, torch.arange(number) // 8 * 24.0], dim=1)
    return torch.cat([corners, corners + 20], dim=1)


def test_a_third_output_of_the_width_the_codec_says():
    codec = dict(type='mmcount.DigitCodec', max_count=56, base=2, num_stages=3)
    for stage, width in enumerate((4, 16, 64)):
        head = make_head(codec, stage=stage)
        cls_score, (bbox_pred, cnt_score) = head(torch.zeros(5, 4, 7, 7))
        assert (cls_score.shape, bbox_pred.shape, cnt_score.shape) == ((5, 4), (5, 4), (5, width))
    assert make_head(NUMBERS, reg_class_agnostic=False).fc_cnt.out_features == 3
    assert make_head(NUMBERS).fc_cnt.out_features == 1
    assert make_head(DIGITS, reg_class_agnostic=False).fc_cnt.out_features == 100
    assert make_head(DIGITS, count_class_agnostic=False).fc_cnt.out_features == 300
    with pytest.raises(ValueError, match=r'stage must be in 0..2, got 3'):
        make_head(codec, stage=3)


def test_box_and_class_are_those_of_the_head_without_counts():
    head = make_head().eval()
    x = torch.rand(3, 4, 7, 7)
    plain = super(CountBBoxHead, head).forward(x)
    cls_score, (bbox_pred, _) = head(x)
    assert torch.equal(plain[0], cls_score)
    assert torch.equal(plain[1], bbox_pred)


@pytest.mark.parametrize(('codec', 'std', 'weight'), [(DIGITS, 0.01, 0.1), (NUMBERS, 0.001, 1e-4)])
def test_initialisation_and_loss_weight_of_the_paper(codec, std, weight):
    head = make_head(codec, fc_out_channels=1024, count_class_agnostic=False, num_classes=3)
    assert head.fc_cnt.weight.std().item() == pytest.approx(std, rel=0.1)
    assert not head.fc_cnt.bias.any()
    assert head.loss_cnt.loss_weight == weight


def test_loss_is_the_mean_over_the_positives():
    head = make_head()
    rois = boxes(6)
    results = [sampled([3, 20, 7], rois, 2), sampled([11], rois, 1), sampled([], rois, 0)]
    cnt_score = torch.randn(18, 100, requires_grad=True)
    losses = head.count_loss(cnt_score, results)
    rows, counts = [0, 1, 6], torch.tensor([3, 20, 11])
    expected = 0.1 * torch.nn.functional.cross_entropy(cnt_score[rows], counts)
    torch.testing.assert_close(losses['loss_cnt'], expected)
    losses['loss_cnt'].backward()
    assert cnt_score.grad.abs().sum(1).nonzero().flatten().tolist() == rows
    with torch.no_grad():
        cnt_score[0, 3], cnt_score[1, 20], cnt_score[6, 12] = 99.0, 99.0, 99.0
    assert head.count_loss(cnt_score, results)['acc_cnt'].tolist() == pytest.approx([200 / 3])


def test_regression_takes_the_number_of_the_class():
    head = make_head(NUMBERS, reg_class_agnostic=False, loss_cnt=dict(type='mmdet.SmoothL1Loss', loss_weight=2.0))
    results = [sampled([4, 5, 6], boxes(4), 3)]
    cnt_score = torch.zeros(4, 3, requires_grad=True)
    losses = head.count_loss(cnt_score, results)
    assert float(losses['loss_cnt']) == pytest.approx(2.0 * (3.5 + 4.5 + 5.5) / 3)
    losses['loss_cnt'].backward()
    assert cnt_score.grad.nonzero().tolist() == [[0, 0], [1, 1], [2, 2]]
    exact = torch.tensor([[4.2, 0, 0], [0, 4.9, 0], [0, 0, 7.0], [0, 0, 0]])
    assert head.count_loss(exact, results)['acc_cnt'].tolist() == pytest.approx([200 / 3])


@pytest.mark.parametrize('codec', [DIGITS, NUMBERS])
def test_counts_of_weight_zero_teach_nothing(codec):
    head = make_head(codec)
    result = sampled([4, 5, 6], boxes(4), 3)
    gt = InstanceData(counts=torch.tensor([4, 5, 6]), count_weights=torch.tensor([1.0, 0.0, 1.0]))
    weighted = with_gt_counts(sampled([4, 5, 6], boxes(4), 3), gt)
    cnt_score = torch.randn(4, head.fc_cnt.out_features, requires_grad=True)
    (grad,) = torch.autograd.grad(head.count_loss(cnt_score, [result])['loss_cnt'], cnt_score)
    losses = head.count_loss(cnt_score, [weighted])
    (weighted_grad,) = torch.autograd.grad(losses['loss_cnt'], cnt_score)
    assert not weighted_grad[1].any()
    torch.testing.assert_close(weighted_grad[[0, 2]], grad[[0, 2]] * 3 / 2)


@pytest.mark.parametrize('codec', [DIGITS, NUMBERS])
def test_no_positives_give_zero_and_keep_the_graph(codec):
    head = make_head(codec)
    cls_score, (bbox_pred, cnt_score) = head(torch.rand(4, 4, 7, 7))
    results = [sampled([], boxes(4), 0)]
    rois = torch.cat([torch.zeros(4, 1), boxes(4)], dim=1)
    losses = head.loss_and_target(
        cls_score, BoxAndCount(bbox_pred, cnt_score), rois, results, ConfigDict(pos_weight=-1)
    )['loss_bbox']
    assert float(losses['loss_cnt']) == 0
    assert {'loss_cls', 'loss_bbox', 'loss_cnt', 'acc', 'acc_cnt'} == set(losses)
    losses['loss_cnt'].backward()
    assert head.fc_cnt.weight.grad is not None
    assert not head.fc_cnt.weight.grad.any()


def test_no_boxes_at_all_give_zero_too():
    head = make_head(NUMBERS, reg_class_agnostic=False)
    losses = head.count_loss(torch.zeros(0, 3, requires_grad=True), [sampled([], boxes(0), 0)])
    assert float(losses['loss_cnt'].detach()) == float(losses['acc_cnt']) == 0


def test_counts_are_asked_for_where_they_are_missing():
    result = sampled([1], boxes(2), 1)
    del result.pos_gt_counts
    with pytest.raises(ValueError, match='CountRandomSampler'):
        make_head().count_loss(torch.zeros(2, 100), [result])
    with pytest.raises(ValueError, match="gt_instances need 'counts'"):
        with_gt_counts(result, InstanceData(labels=torch.zeros(1)))


@pytest.mark.parametrize('reg_class_agnostic', [True, False])
@pytest.mark.parametrize('codec', [DIGITS, NUMBERS])
def test_counts_follow_their_boxes_through_suppression(codec, reg_class_agnostic):
    """Every RoI has a count of its own; doubles of lower score are suppressed, the order is shuffled."""
    head = make_head(codec, reg_class_agnostic=reg_class_agnostic)
    generator = torch.Generator().manual_seed(1)
    keep = boxes(15)
    doubles = keep + 1
    rois = torch.cat([keep, doubles])
    counts = torch.arange(30) % 15 + 1
    counts[15:] = 20
    classes = torch.randint(0, 3, (30,), generator=generator)
    classes[15:] = classes[:15]
    cls_score = torch.full((30, 4), -9.0)
    cls_score[torch.arange(30), classes] = torch.cat([5 + torch.rand(15, generator=generator), torch.full((15,), 4.0)])
    if codec is DIGITS:
        cnt_score = 50.0 * torch.nn.functional.one_hot(counts, 100)
    elif reg_class_agnostic:
        cnt_score = counts[:, None].float()
    else:
        # Other classes of the same box say another number.
        cnt_score = torch.full((30, 3), 17.0)
        cnt_score[torch.arange(30), classes] = counts.float()
    order = torch.randperm(30, generator=generator)
    deltas = torch.zeros(30, 4 if reg_class_agnostic else 12)
    roi = torch.cat([torch.zeros(30, 1), rois], dim=1)[order]
    results = head.predict_by_feat(
        rois=(roi,),
        cls_scores=(cls_score[order],),
        bbox_preds=(BoxAndCount(deltas, cnt_score[order]),),
        batch_img_metas=[META],
        rcnn_test_cfg=TEST_CFG,
        rescale=True,
    )[0]
    assert len(results) == 15
    assert results.counts.dtype == torch.int64
    pairs = zip(results.bboxes, results.counts.tolist(), strict=True)
    found = {tuple((2 * box).round().int().tolist()): count for box, count in pairs}
    assert found == {tuple(box.int().tolist()): index + 1 for index, box in enumerate(keep)}
    for box, label in zip(2 * results.bboxes, results.labels, strict=True):
        assert int(label) == int(classes[(keep - box).abs().sum(1).argmin()])


def test_boxes_scores_and_labels_are_those_of_mmdet():
    head = make_head()
    generator = torch.Generator().manual_seed(3)
    roi = torch.cat([torch.zeros(24, 1), boxes(24) + 4 * torch.rand(24, 4, generator=generator)], dim=1)
    cls_score, deltas = torch.randn(24, 4, generator=generator), torch.randn(24, 4, generator=generator)
    pred = BoxAndCount(deltas, torch.randn(24, 100, generator=generator))
    ours = head._predict_by_feat_single(roi, cls_score, pred, META, True, TEST_CFG)
    plain = super(CountBBoxHead, head)._predict_by_feat_single(roi, cls_score, deltas, META, True, TEST_CFG)
    for key in ('bboxes', 'scores', 'labels'):
        assert torch.equal(ours[key], plain[key])
    raw = head._predict_by_feat_single(roi, cls_score, pred, META)
    assert raw.counts.shape == (24,)


def test_nothing_to_predict():
    head = make_head()
    none = BoxAndCount(torch.zeros(0, 4), torch.zeros(0, 100))
    empty = head._predict_by_feat_single(torch.zeros(0, 5), torch.zeros(0, 4), none, META, True, TEST_CFG)
    low = BoxAndCount(torch.zeros(2, 4), torch.zeros(2, 100))
    roi = torch.cat([torch.zeros(2, 1), boxes(2)], dim=1)
    background = torch.tensor([[-9.0, -9, -9, 9]]).repeat(2, 1)
    nothing = head._predict_by_feat_single(roi, background, low, META, True, TEST_CFG)
    for results in (empty, nothing):
        assert len(results.counts) == len(results.count_scores) == len(results.bboxes) == 0
        assert results.counts.dtype == torch.int64
