"""Outputs of layers inside of a network that was not written to give them."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def layer_taps(network: nn.Module, names: Sequence[str]) -> Iterator[dict[str, Tensor]]:
    """Keep what the named layers give while the network runs.

    Args:
        network: Any.
        names: Of its submodules, as in ``network.named_modules()``. A layer that runs several times keeps its last
            output. A ReLU that works in place overwrites the output of the layer before it: name the ReLU.

    Yields:
        A dict that is filled during the run: name to output, detached.

    Raises:
        ValueError: There is no such layer; the message says which are there.

    Example:
        >>> import torch
        >>> network = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU())
        >>> with layer_taps(network, ['1']) as outputs:
        ...     _ = network(torch.zeros(1, 1, 4, 4))
        >>> tuple(outputs['1'].shape)
        (1, 2, 4, 4)
    """
    modules = dict(network.named_modules())
    missing = [name for name in names if name not in modules]
    if missing:
        known = ', '.join(name for name in modules if name)
        raise ValueError(f'{type(network).__name__} has no layer {missing[0]!r}; it has {known}')
    outputs: dict[str, Tensor] = {}

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: tuple, output: Tensor | Sequence[Tensor]) -> None:
            outputs[name] = (output if isinstance(output, Tensor) else output[-1]).detach()

        return hook

    handles = [modules[name].register_forward_hook(keep(name)) for name in dict.fromkeys(names)]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()
