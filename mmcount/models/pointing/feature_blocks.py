"""Features of an image from several layers of a network."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

POOLINGS = ('flatten', 'mean', 'grid')


def feature_block(output: Tensor, pooling: str = 'flatten', grid: int = 7, eps: float = 1e-12) -> Tensor:
    """One layer's part of the features, normalised to unit length (C2P).

    Args:
        output: (C, h, w) or (D,).
        pooling: 'flatten' all cells, their 'mean', or the means of a 'grid' of cells; a (D,) output is taken as it is.
        grid: Cells of the grid along a side.
        eps: Smallest length that is divided by.

    Returns:
        (D,) of length 1; zero where the output is.

    Raises:
        ValueError: ``pooling`` is none of these, or the output has other dimensions.

    Example:
        >>> feature_block(torch.tensor([3.0, 4.0])).tolist()
        [0.6000000238418579, 0.800000011920929]
    """
    if pooling not in POOLINGS:
        raise ValueError(f'pooling must be one of {POOLINGS}, got {pooling!r}')
    if output.dim() not in (1, 3):
        raise ValueError(f'a layer must give (C, h, w) or (D,) for an image, got {tuple(output.shape)}')
    if output.dim() == 3 and pooling == 'mean':
        output = output.mean(dim=(1, 2))
    elif output.dim() == 3 and pooling == 'grid':
        output = F.adaptive_avg_pool2d(output, grid)
    return F.normalize(output.flatten(), dim=0, eps=eps)


def stack_blocks(outputs: Mapping[str, Tensor], blocks: list[dict[str, Any]]) -> NDArray[np.float32]:
    """The blocks of an image one after the other, (D,) float32.

    Args:
        outputs: Layer to output.
        blocks: For each block its ``layer`` and, optionally, ``pooling``, ``grid`` and ``eps``, as
            :func:`feature_block`.
    """
    parts = []
    for block in blocks:
        options = {key: value for key, value in block.items() if key != 'layer'}
        parts.append(feature_block(outputs[block['layer']], **options))
    stacked: NDArray[np.float32] = torch.cat(parts).cpu().numpy().astype(np.float32)
    return stacked
