"""Mixed precision that also works on CPUs."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.device import get_device
from mmengine.optim import OptimWrapper
from torch import nn

from mmcount.registry import OPTIM_WRAPPERS


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Run the forward pass in bfloat16 on whatever device there is.

    bfloat16 has the range of float32, so there is no loss scaling and nothing to store. MMEngine's ``AmpOptimWrapper``
    refuses a machine without an accelerator.

    Args:
        optimizer: As in :class:`mmengine.optim.OptimWrapper`, like all other arguments.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Autocast the forward pass."""
        device_type = torch.device(get_device()).type
        with super().optim_context(model), torch.autocast(device_type, dtype=torch.bfloat16):
            yield
