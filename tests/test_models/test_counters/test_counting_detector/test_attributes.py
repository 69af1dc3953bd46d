"""Attributes of boxes other than counts, and several of them."""

import torch

from mmcount.models.counters.value_readers import value_readers

EXTRACTOR = dict(featmap_strides=[8, 16], out_channels=16)
HEAD = dict(codec=dict(type='mmcount.DigitCodec', max_count=20, base=10), fc_out_channels=16)


def test_other_whole_numbers_are_attributes_too(build, batch, total_loss, predicting):
    codec = dict(type='mmcount.LabelCodec', num_values=4)
    model = build(attribute='severity', count_head=dict(HEAD, codec=codec), classes=('cat', 'dog', 'cow'))
    data = batch(severity=lambda number: torch.arange(number) % 4)
    losses = total_loss(model.train(), data)[1]
    assert {'severity.loss', 'severity.error'} <= set(losses)
    predicting(model.detector, [[0.0, 0, 20, 20], [5, 5, 30, 30]], labels=[1, 1])
    model.count_head.decode = lambda outputs: (torch.tensor([0, 3]), torch.ones(2))
    sample = model.eval().test_step(batch((0,)))[0]
    assert sample.pred_instances.severity.tolist() == [0, 3]
    assert sample.pred_instances.severity_scores.tolist() == [1.0, 1.0]
    assert sample.pred_instances.label_names == ['dog severity 0', 'dog severity 3']
    assert sample.pred_counts.tolist() == [0.0, 2.0, 0.0]


def test_wrappers_nest_for_several_attributes(build, batch, total_loss, retinanet):
    distance = dict(HEAD, codec=dict(type='mmcount.ValueCodec', mean=10.0, std=5.0))
    inner = dict(type='mmcount.CountingDetector', detector=retinanet(), roi_extractor=EXTRACTOR, count_head=HEAD)
    model = build(detector=inner, attribute='distance', count_head=distance).train()
    loss, losses = total_loss(model, batch(distance=lambda number: torch.rand(number) * 9))
    loss.backward()
    assert {'counts.loss', 'distance.loss', 'loss_cls'} <= set(losses)
    assert all(one.grad is not None for one in model.parameters())
    sample = model.eval().test_step(batch())[0]
    found = sample.pred_instances
    assert found.distance.dtype == torch.float32
    assert found.counts.dtype == torch.int64
    assert found.label_names[0].startswith('class ')
    assert ' x' in found.label_names[0]
    assert ' distance ' in found.label_names[0]
    assert float(sample.pred_counts.sum()) == float(found.counts[found.scores >= 0.3].sum())


def test_a_largest_count_saturates_whatever_wraps_it(build, batch, retinanet, predicting):
    distance = dict(HEAD, codec=dict(type='mmcount.ValueCodec'))
    inner = dict(type='mmcount.CountingDetector', detector=retinanet(), roi_extractor=EXTRACTOR, count_head=HEAD)
    model = build(detector=inner, attribute='distance', count_head=distance).eval()
    assert value_readers(model) == [model.detector, model]
    predicting(model.detector.detector, [[0.0, 0, 20, 20]])
    for count, saturated in ((19, False), (20, True)):
        model.detector.count_head.decode = lambda outputs, count=count: (torch.tensor([count]), torch.ones(1))
        sample = model.test_step(batch((0,)))[0]
        assert sample.saturated is saturated
        assert sample.pred_counts.tolist() == [count, 0.0, 0.0]
