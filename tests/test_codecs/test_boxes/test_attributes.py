import pytest
import torch

from mmcount.codecs import LabelCodec, ValueCodec
from mmcount.registry import CODECS


def test_values_survive_the_round_trip():
    codec = CODECS.build(dict(type='mmcount.ValueCodec', mean=3.0, std=2.5))
    values = torch.tensor([-7.25, 0.0, 3.0, 100.5])
    decoded, scores = codec.decode(codec.encode(values))
    torch.testing.assert_close(decoded, values)
    assert scores.tolist() == [1.0] * 4
    assert codec.channels(0) == 1
    assert not codec.is_classification


def test_values_are_predicted_within_their_range():
    codec = ValueCodec(mean=0.0, std=1.0, value_range=(0.0, 1.0))
    assert codec.decode(torch.tensor([[-4.0], [0.25], [7.0]]))[0].tolist() == [0.0, 0.25, 1.0]


def test_labels_survive_the_round_trip_from_zero_on():
    codec = CODECS.build(dict(type='mmcount.LabelCodec', num_values=4))
    labels = torch.arange(4)
    logits = torch.nn.functional.one_hot(codec.encode(labels)[:, 0], codec.channels(0)).float() * 20
    decoded, scores = codec.decode(logits)
    assert decoded.tolist() == labels.tolist()
    assert bool((scores > 0.99).all())
    assert codec.fuse([logits]) is logits


@pytest.mark.parametrize('codec', [ValueCodec(), LabelCodec(3)])
def test_no_boxes(codec):
    assert codec.encode(torch.zeros(0)).shape == (0, 1)
    values, scores = codec.decode(torch.zeros(0, codec.channels(0)))
    assert values.shape == scores.shape == (0,)


def test_bad_values_are_refused_with_their_index():
    with pytest.raises(ValueError, match='must be finite, got inf at index 1'):
        ValueCodec().encode(torch.tensor([1.0, float('inf')]))
    with pytest.raises(ValueError, match=r'must be in 0\.\.2, got 3 at index 2'):
        LabelCodec(3).encode(torch.tensor([0, 2, 3]))


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match='std must be positive, got 0'):
        ValueCodec(std=0)
    with pytest.raises(ValueError, match='value_range'):
        ValueCodec(value_range=(1.0, 1.0))
    with pytest.raises(ValueError, match='at least 2, got 1'):
        LabelCodec(1)
