from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mmcount.engine.hooks import FittingWeightsHook
from mmcount.utils.safe_load import CheckpointError


def after_load(model, checkpoint):
    runner = SimpleNamespace(model=model, _load_from='w.pth')
    FittingWeightsHook().after_load_checkpoint(runner, checkpoint)


def test_weights_that_fit_pass_with_tensors_to_spare_and_prefixes_of_wrappers():
    model, other = nn.Linear(2, 1), nn.Linear(2, 1)
    state = {f'module.{key}': value for key, value in other.state_dict().items()}
    after_load(model, dict(state_dict={**state, 'more': torch.ones(1)}))
    assert torch.equal(model.weight, other.weight)


@pytest.mark.parametrize(
    ('state', 'message'),
    [
        ({}, "2 of its tensors are missing, the first is 'weight'"),
        ({'bias': torch.ones(1)}, "1 of its tensors are missing, the first is 'weight'"),
        ({'weight': torch.ones(3, 3), 'bias': torch.ones(1)}, 'size mismatch for weight'),
        (3, 'expected a dict of tensors, found int'),
    ],
)
def test_weights_that_do_not_fit_are_an_error_of_one_line(state, message):
    with pytest.raises(CheckpointError, match=message) as caught:
        after_load(nn.Linear(2, 1), dict(state_dict=state))
    assert str(caught.value).startswith('w.pth does not fit the Linear of the config: ')
    assert '\n' not in str(caught.value)
