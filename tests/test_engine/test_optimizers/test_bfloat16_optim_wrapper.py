import torch
from torch import nn

from mmcount.engine.optimizers import BFloat16OptimWrapper


def test_the_forward_pass_is_in_bfloat16_and_the_weights_stay_in_float32():
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    before = model.weight.detach().clone()
    wrapper = BFloat16OptimWrapper(optimizer=torch.optim.SGD(model.parameters(), lr=0.5))
    with wrapper.optim_context(model):
        out = model(torch.ones(2, 4))
    assert out.dtype == torch.bfloat16
    wrapper.update_params(out.float().sum())
    assert model.weight.dtype == torch.float32
    assert torch.allclose(model.weight, before - 0.5 * 2)
    assert model(torch.ones(2, 4)).dtype == torch.float32
