"""Models rewritten for inference."""

import pytest
import torch

from mmcount.models import DenseCounter
from mmcount.models.deploy import prepare_inference

WINDOW = 8


def build_counter(stride=1, norm='BN', **kwargs):
    torch.manual_seed(0)
    model = DenseCounter(
        backbone=dict(
            type='mmcount.CountCeption',
            window_size=WINDOW,
            stride=stride,
            norm_cfg=dict(type=norm),
        ),
        head=dict(
            type='mmcount.RedundantCountHead',
            codec=dict(type='mmcount.RedundantCountCodec', window_size=WINDOW, stride=stride),
            norm_cfg=None,
            act_cfg=None,
        ),
        data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
        **kwargs,
    )
    for one in model.backbone.modules():
        if isinstance(one, torch.nn.BatchNorm2d):
            # A shift makes the zeros of inner paddings differ from what lies beyond a tile.
            one.running_mean.normal_(0, 0.2)
            one.bias.data.uniform_(0.1, 0.5)
    return model.eval()


def test_preparing_leaves_the_model_as_it_was():
    model = build_counter(norm='mmcount.ChannelAffine')
    before = {name: value.clone() for name, value in model.state_dict().items()}
    inputs = torch.rand(1, 3, 40, 40)
    with torch.no_grad():
        (expected,) = model(inputs)
        for precision, tolerance in (('fp32', 1e-5), ('bf16', 0.05)):
            fast = prepare_inference(model, precision)
            (found,) = fast(inputs)
            assert found.dtype == torch.float32
            assert (found - expected).abs().max() <= tolerance * expected.abs().max()
        assert torch.equal(model(inputs)[0], expected)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_preparing_refuses_unknown_options():
    with pytest.raises(ValueError, match='precision'):
        prepare_inference(build_counter(), 'int8')
    with pytest.raises(TypeError, match='backbone'):
        prepare_inference(torch.nn.Conv2d(3, 3, 3))
