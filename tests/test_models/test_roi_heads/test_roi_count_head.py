import pytest
import torch

from mmcount.models.roi_heads import RoICountHead
from mmcount.registry import MODELS

CODECS = {
    'digits': dict(type='mmcount.DigitCodec', max_count=20, base=2, num_stages=2),
    'regression': dict(type='mmcount.CountRegressionCodec'),
}


def build(codec, **options):
    torch.manual_seed(0)
    head = MODELS.build(
        dict(type='mmcount.RoICountHead', codec=codec, in_channels=4, roi_feat_size=3, fc_out_channels=16, **options)
    )
    head.init_weights()
    return head


@pytest.mark.parametrize('kind', sorted(CODECS))
def test_loss_reaches_every_layer(kind):
    head = build(CODECS[kind])
    losses = head.loss(torch.randn(5, 4, 3, 3), torch.tensor([1, 2, 3, 19, 20]))
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    assert all(one.grad is not None and bool((one.grad != 0).any()) for one in head.parameters())
    assert set(losses) == ({'loss_stage0', 'loss', 'error'} if kind == 'digits' else {'loss', 'error'})


@pytest.mark.parametrize('kind', sorted(CODECS))
def test_no_boxes_give_zero_with_gradients(kind):
    head = build(CODECS[kind])
    losses = head.loss(torch.zeros(0, 4, 3, 3), torch.zeros(0, dtype=torch.int64))
    sum(value for key, value in losses.items() if 'loss' in key).backward()
    assert all(float(value) == 0 for value in losses.values())
    assert all(one.grad is not None and not bool(one.grad.any()) for one in head.parameters())
    counts, scores = head.predict(torch.zeros(0, 4, 3, 3))
    assert counts.shape == scores.shape == (0,)


@pytest.mark.parametrize(('kind', 'weight'), [('digits', 1.0), ('regression', 0.1)])
def test_learns_counts_by_heart(kind, weight):
    loss = 'CrossEntropyLoss' if kind == 'digits' else 'SmoothL1Loss'
    head = build(CODECS[kind], loss=dict(type=f'mmdet.{loss}', loss_weight=weight))
    feats, counts = torch.randn(12, 4, 3, 3), torch.randint(1, 21, (12,))
    optimizer = torch.optim.Adam(head.parameters(), lr=0.01)
    for _ in range(150):
        losses = head.loss(feats, counts)
        optimizer.zero_grad()
        sum(value for key, value in losses.items() if 'loss' in key).backward()
        optimizer.step()
    assert head.predict(feats)[0].tolist() == counts.tolist()
    assert float(head.loss(feats, counts)['error']) == 0


def test_loss_is_the_mean_over_boxes_and_weighs_coarse_stages():
    head, halved = build(CODECS['digits']), build(CODECS['digits'], coarse_weight=0.5)
    feats, counts = torch.randn(3, 4, 3, 3), torch.tensor([4, 9, 1])
    once, twice = head.loss(feats, counts), head.loss(feats.repeat(2, 1, 1, 1), counts.repeat(2))
    for key in once:
        torch.testing.assert_close(once[key], twice[key])
    coarse, fine = head(feats)
    expected = torch.nn.functional.cross_entropy(fine, counts) * 0.1
    torch.testing.assert_close(once['loss'], expected)
    torch.testing.assert_close(halved.loss(feats, counts)['loss_stage0'], once['loss_stage0'] / 2)
    assert coarse.shape == (3, head.codec.channels(0))


@pytest.mark.parametrize('kind', sorted(CODECS))
def test_boxes_of_weight_zero_teach_nothing(kind):
    head = build(CODECS[kind])
    feats, counts = torch.randn(4, 4, 3, 3), torch.tensor([4, 9, 1, 17])
    weighed = head.loss(feats, counts, torch.tensor([1.0, 0.0, 1.0, 0.0]))
    expected = head.loss(feats[[0, 2]], counts[[0, 2]])
    for key in expected:
        torch.testing.assert_close(weighed[key], expected[key])
    none = head.loss(feats, counts, torch.zeros(4))
    assert all(float(value.detach()) == 0 for value in none.values())


def test_fusing_reads_all_stages():
    head = build(CODECS['digits'], fuse=True)
    outputs = head(torch.randn(6, 4, 3, 3))
    expected = head.codec.decode(head.codec.fuse(outputs))
    assert torch.equal(head.decode(outputs)[0], expected[0])
    assert torch.equal(head.decode(outputs)[1], expected[1])


def test_mixed_precision_leaves_the_head_alone():
    head, feats = build(CODECS['digits']), torch.randn(2, 4, 3, 3)
    plain = head(feats)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        mixed = head(feats)
    assert all(one.dtype == torch.float32 and torch.equal(one, two) for one, two in zip(mixed, plain, strict=True))


def test_layers_are_needed():
    with pytest.raises(ValueError, match='num_fcs must be at least 1, got 0'):
        RoICountHead(codec=CODECS['digits'], num_fcs=0)
