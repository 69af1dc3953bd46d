"""VGGs of torchvision as the backbone of a counter."""

from collections.abc import Mapping

import torch
from mmcv.cnn import VGG as PlainVGG
from torch import Tensor

from mmcount.models.backbones import VGG

from .state_dict import match_modules, rename_keys, some


def convert_torchvision_vgg_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of torchvision's VGG-11 to -19, with or without normalisation, as those of a counter's ``backbone``.

    The classifier is left out. Load the result with
    ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')``.

    Args:
        state_dict: torchvision's names.

    Raises:
        ValueError: This is no VGG of torchvision, or weights are missing, unknown or of another shape; names them.
    """
    if 'features.0.weight' not in state_dict:
        raise ValueError(f"no VGG of torchvision: expected 'features.0.weight', found {some(state_dict)}")
    with_bn = any(key.endswith('running_mean') for key in state_dict)
    prefixes = {'features.': 'backbone.features.'}
    renamed, _ = rename_keys(state_dict, prefixes, unused=('classifier.',))
    convolutions = sum(value.dim() == 4 for value in renamed.values())
    depths = {depth: sum(blocks) for depth, blocks in PlainVGG.arch_settings.items()}
    depth = next((depth for depth, number in depths.items() if number == convolutions), None)
    if depth is None:
        raise ValueError(f'no VGG has {convolutions} convolutions; expected one of {sorted(depths.values())}')
    with torch.device('meta'):
        backbone = VGG(depth, with_bn=with_bn)
    return match_modules(renamed, {'backbone': backbone}, prefixes)
