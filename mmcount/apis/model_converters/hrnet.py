"""HRNets of ImageNet as the backbone of a counter."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mmcount.models.backbones import BilinearHRNet

from .state_dict import match_modules, rename_keys, some

#: Starts of the names of the trunk; they are the same in mmdet.
HRNET_PARTS: tuple[str, ...] = (
    *('conv1.', 'bn1.', 'conv2.', 'bn2.', 'layer1.'),
    *('transition1.', 'transition2.', 'transition3.', 'stage2.', 'stage3.', 'stage4.'),
)
#: The classifier and its increase of channels.
CLASSIFIER_PARTS = ('incre_modules.', 'downsamp_modules.', 'final_layer.', 'classifier.')


def hrnet_stages(width: int) -> dict[str, dict[str, Any]]:
    """The four stages of an HRNet, the ``extra`` of :class:`mmcount.models.BilinearHRNet`.

    Args:
        width: Channels of the finest branch: 48 in HRNet-W48.

    Example:
        >>> hrnet_stages(48)['stage4']['num_channels']
        (48, 96, 192, 384)
    """
    stages = dict(
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(4,), num_channels=(64,)),
    )
    for stage, number in ((2, 1), (3, 4), (4, 3)):
        channels = tuple(width * 2**branch for branch in range(stage))
        stages[f'stage{stage}'] = dict(
            num_modules=number, num_branches=stage, block='BASIC', num_blocks=(4,) * stage, num_channels=channels
        )
    return stages


def convert_hrnet_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of a released HRNetV2 (W18 to W64, classification or segmentation) as those of a counter's ``backbone``.

    The classifier is left out. Load the result with
    ``init_cfg=dict(type='Pretrained', checkpoint=..., prefix='backbone.')``.

    Args:
        state_dict: Such as ``hrnetv2_w48_imagenet_pretrained.pth``, with or without ``module.`` before its names.

    Raises:
        ValueError: This is no HRNet, or weights are missing, unknown or of another shape; names them.
    """
    state = {key.removeprefix('module.'): value for key, value in state_dict.items()}
    finest = state.get('stage2.0.branches.0.0.conv1.weight')
    if finest is None or finest.dim() != 4:
        raise ValueError(f"no HRNet: expected 'stage2.0.branches.0.0.conv1.weight', found {some(state)}")
    prefixes = {part: f'backbone.{part}' for part in HRNET_PARTS}
    renamed, _ = rename_keys(state, prefixes, unused=CLASSIFIER_PARTS)
    with torch.device('meta'):
        backbone = BilinearHRNet(hrnet_stages(finest.shape[0]))
    return match_modules(renamed, {'backbone': backbone}, prefixes)
