"""CLCNet as a whole: mmdet's detectors with RoI heads of counts, very small."""

import copy

import pytest
import torch

from mmcount.evaluation import CountMetric

DIGITS = dict(type='mmcount.DigitCodec', max_count=20, base=2)
NUMBERS = dict(type='mmcount.CountRegressionCodec', max_count=20)
CASES = [(DIGITS, 1), (DIGITS, 2), (DIGITS, 3), (NUMBERS, 1), (NUMBERS, 2)]
IDS = [f'{codec["type"]}-s{num_stages}' for codec, num_stages in CASES]


def losses_of(model, batch):
    data = model.train().data_preprocessor(copy.deepcopy(batch), True)
    return model(**data, mode='loss')


def predict(model, batch):
    with torch.no_grad():
        return model.eval().test_step(copy.deepcopy(batch))


def heads_of(model):
    heads = model.roi_head.bbox_head
    return list(heads) if isinstance(heads, torch.nn.ModuleList) else [heads]


@pytest.mark.parametrize(('codec', 'num_stages'), CASES, ids=IDS)
def test_gradient_reaches_every_count_layer(tiny, batch, codec, num_stages):
    model = tiny(codec, num_stages)
    assert [head.stage for head in heads_of(model)] == list(range(num_stages))
    losses = losses_of(model, batch(4, 2))
    names = ['loss_cnt'] if num_stages == 1 else [f's{stage}.loss_cnt' for stage in range(num_stages)]
    assert set(names) == {name for name in losses if 'loss_cnt' in name}
    assert {name.replace('loss', 'acc') for name in names} <= set(losses)
    for name, head in zip(names, heads_of(model), strict=True):
        model.zero_grad()
        losses[name].backward(retain_graph=True)
        assert head.fc_cnt.weight.grad.abs().sum() > 0
        assert head.shared_fcs[0].weight.grad.abs().sum() > 0
    model.zero_grad()
    total, _ = model.parse_losses(losses)
    total.backward()
    assert torch.isfinite(total)
    unused = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not unused


def test_weight_of_the_count_does_not_depend_on_the_stage(tiny, batch):
    """Doubling the weights of the stages doubles the losses of class and box and leaves those of the count alone."""
    losses = []
    for factor in (1.0, 2.0):
        model = tiny(DIGITS, 2, stage_loss_weights=[factor, 0.5 * factor])
        torch.manual_seed(1)
        losses.append(losses_of(model, batch(4)))
    for stage in range(2):
        assert losses[1][f's{stage}.loss_cls'].item() == pytest.approx(2 * losses[0][f's{stage}.loss_cls'].item())
        assert losses[1][f's{stage}.loss_cnt'].item() == pytest.approx(losses[0][f's{stage}.loss_cnt'].item())
        assert losses[0][f's{stage}.loss_cnt'].item() > 0


@pytest.mark.parametrize(('codec', 'num_stages'), CASES, ids=IDS)
@pytest.mark.parametrize('numbers', [(0,), (0, 0), (3, 0)])
def test_images_without_objects_train_and_predict(tiny, batch, codec, num_stages, numbers):
    model = tiny(codec, num_stages)
    data = batch(*numbers)
    total, _ = model.parse_losses(losses_of(model, data))
    total.backward()
    assert torch.isfinite(total)
    for sample in predict(model, data):
        found = sample.pred_instances
        assert len(found.counts) == len(found.count_scores) == len(found.bboxes) > 0
        assert found.counts.dtype == torch.int64
        assert 1 <= int(found.counts.min()) <= int(found.counts.max()) <= 20


@pytest.mark.parametrize(('codec', 'num_stages'), CASES, ids=IDS)
def test_no_detections_have_empty_counts(tiny, batch, codec, num_stages):
    model = tiny(codec, num_stages)
    test_cfgs = [model.roi_head.test_cfg, model.rpn_head.test_cfg]
    test_cfgs[0].score_thr = 1.1
    for sample in predict(model, batch(1, 0)):
        assert len(sample.pred_instances.counts) == len(sample.pred_instances.bboxes) == 0
    # No proposals at all.
    test_cfgs[1].min_bbox_size = 10**6
    metric = CountMetric()
    metric.dataset_meta = dict(classes=('a', 'b', 'c'))
    samples = predict(model, batch(1, 0))
    for sample in samples:
        assert sample.pred_instances.counts.shape == sample.pred_instances.count_scores.shape == (0,)
        assert sample.pred_instances.counts.dtype == torch.int64
    metric.process({}, [sample.to_dict() for sample in samples])
    assert metric.evaluate(size=2)['count/MAE'] == 0.5


def test_counts_come_from_the_last_stage_or_from_all(tiny, batch):
    results = {}
    for count_stages in ('last', 'all'):
        model = tiny(DIGITS, 2, count_stages=count_stages)
        for head in heads_of(model):
            torch.nn.init.zeros_(head.fc_cnt.weight)
        # 5 bits: stage 0 knows the first 3 of them (bins of 4 counts), stage 1 all.
        assert [head.fc_cnt.out_features for head in heads_of(model)] == [8, 32]
        with torch.no_grad():
            heads_of(model)[0].fc_cnt.bias[3] = 5.0
            heads_of(model)[1].fc_cnt.bias[7] = 2.0
            heads_of(model)[1].fc_cnt.bias[13] = 1.5
        results[count_stages] = predict(model, batch(2))[0].pred_instances
    assert set(results['last'].counts.tolist()) == {7}
    assert set(results['all'].counts.tolist()) == {13}
    assert torch.equal(results['last'].bboxes, results['all'].bboxes)
    numbers = tiny(NUMBERS, 2, count_stages='all')
    for head, value in zip(heads_of(numbers), (4.0, 8.0), strict=True):
        torch.nn.init.zeros_(head.fc_cnt.weight)
        torch.nn.init.constant_(head.fc_cnt.bias, value)
    assert set(predict(numbers, batch(2))[0].pred_instances.counts.tolist()) == {6}


@pytest.mark.parametrize('num_stages', [1, 2])
def test_checkpoint_round_trip(tiny, batch, num_stages, tmp_path):
    model = tiny(DIGITS, num_stages)
    path = tmp_path / 'clcnet.pth'
    torch.save(model.state_dict(), path)
    other = tiny(DIGITS, num_stages)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    other.load_state_dict(torch.load(path, weights_only=True))
    one, two = (predict(each, batch(2))[0].pred_instances for each in (model, other))
    assert set(one.keys()) == {'bboxes', 'scores', 'labels', 'counts', 'count_scores'}
    for key in ('bboxes', 'scores', 'labels', 'counts', 'count_scores'):
        assert torch.equal(one[key], two[key])


def test_it_learns_the_counts_of_an_image(tiny, batch):
    """Boxes of the ground truth are proposals in training, so their counts can be learnt by heart."""
    model = tiny(dict(type='mmcount.DigitCodec', max_count=20, base=10), 2, head=dict(loss_cnt=dict(
        type='mmdet.CrossEntropyLoss', loss_weight=1.0)))  # fmt: skip
    data = batch(4)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    for _ in range(60):
        losses = losses_of(model, data)
        total, _ = model.parse_losses(losses)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert float(losses['s1.acc_cnt']) > 90
    assert float(losses['s0.acc_cnt']) == 100


def test_tensor_mode_gives_raw_outputs(tiny, batch):
    for num_stages in (1, 2):
        model = tiny(DIGITS, num_stages).eval()
        data = model.data_preprocessor(batch(1), False)
        with torch.no_grad():
            (outputs,) = model(**data, mode='tensor')
        assert len(outputs) == 2


@pytest.mark.parametrize(
    ('options', 'message'),
    [
        (dict(stage_loss_weights=[1.0]), '2 stages need as many heads and weights, got 2 heads and 1 weights'),
        (dict(stage_loss_weights=[1.0, 0.0]), 'must not be 0'),
        (dict(count_stages='first'), 'count_stages must be one of'),
    ],
)
def test_impossible_cascades_are_refused(tiny, options, message):
    with pytest.raises(ValueError, match=message):
        tiny(DIGITS, 2, **options)


def test_codecs_of_other_stages_are_refused(tiny):
    for num_stages in (1, 2):
        with pytest.raises(ValueError, match=f'the codec has 3 stages, the RoI head {num_stages}'):
            tiny(dict(DIGITS, num_stages=3), num_stages)


def test_a_sampler_without_counts_is_refused(tiny, batch):
    model = tiny(DIGITS, 2, sampler='mmdet.RandomSampler')
    with pytest.raises(ValueError, match='CountRandomSampler'):
        losses_of(model, batch(2))
