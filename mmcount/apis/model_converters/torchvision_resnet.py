"""ResNets of torchvision as the backbone of a counter."""

from collections.abc import Mapping

import torch
from mmdet.models.backbones import ResNet
from torch import Tensor

from .state_dict import match_modules, rename_keys, resnet_depth, some

STAGES = ('conv1.', 'bn1.', 'layer1.', 'layer2.', 'layer3.', 'layer4.')


def convert_torchvision_resnet_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of torchvision's ResNet-18 to -152 as those of a counter's ``backbone``.

    The classifier ``fc`` is left out. Load the result with
    ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')``.

    Args:
        state_dict: torchvision's names.

    Raises:
        ValueError: This is no ResNet of torchvision, or weights are missing, unknown or of another shape; names them.
    """
    if 'layer1.0.conv1.weight' not in state_dict:
        raise ValueError(f"no ResNet of torchvision: expected 'layer1.0.conv1.weight', found {some(state_dict)}")
    prefixes = {stage: f'backbone.{stage}' for stage in STAGES}
    renamed, _ = rename_keys(state_dict, prefixes, unused=('fc.',))
    with torch.device('meta'):
        backbone = ResNet(resnet_depth(renamed, 'backbone.'), out_indices=(3,))
    return match_modules(renamed, {'backbone': backbone}, prefixes)
