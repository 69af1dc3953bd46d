"""Training in bfloat16 on any device."""

import torch

from mmcount.engine.optimizers import BFloat16OptimWrapper


def test_the_forward_pass_is_in_bfloat16_and_the_weights_stay_in_float32():
    model = torch.nn.Linear(4, 4)
    before = model.weight.detach().clone()
    wrapper = BFloat16OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    with wrapper.optim_context(model):
        out = model(torch.ones(2, 4))
    assert out.dtype == torch.bfloat16
    wrapper.update_params(out.float().sum())
    assert model.weight.dtype == torch.float32
    assert not torch.equal(model.weight, before)
