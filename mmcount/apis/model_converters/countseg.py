"""Checkpoints of CountSeg, the released code of Cholakkal et al., CVPR 2019."""

from collections.abc import Mapping

import torch
from mmdet.models.backbones import ResNet
from torch import Tensor

from mmcount.models.heads.lower_count_head import LowerCountHead
from mmcount.models.layers import CountCalibration

from .state_dict import match_modules, rename_keys, resnet_depth, some

#: Names of CountSeg, after its wrappers, to names of ``DenseCounter(ResNet, LowerCountHead)``. ReLU and max-pool
#: (``features.2`` and ``features.3``) have no weights. The first branch classifies, the second one counts.
COUNTSEG_KEYS = {
    'backbond.features.0.': 'backbone.conv1.',
    'backbond.features.1.': 'backbone.bn1.',
    'backbond.features.4.': 'backbone.layer1.',
    'backbond.features.5.': 'backbone.layer2.',
    'backbond.features.6.': 'backbone.layer3.',
    'backbond.features.7.': 'backbone.layer4.',
    'backbond.classifier.0.': 'head.shared_conv.',
    'addedmodule.branch1.0.': 'head.class_branch.0.',
    'addedmodule.branch1.2.': 'head.class_branch.2.',
    'addedmodule.branch2.0.': 'head.density_branch.0.',
    'addedmodule.branch2.2.': 'head.density_branch.2.',
}
PARTS = ('backbond.', 'addedmodule.')


def convert_countseg_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of CountSeg as those of ``DenseCounter(ResNet, LowerCountHead)``.

    C and the width of the branches are read from the shapes, the depth of the ResNet from its blocks. Every tensor of
    the file is used, and every one of the counter is set: step counters of normalisation, which old versions of PyTorch
    did not write, are zero, and the calibration of the counter is that of an untrained one.

    Args:
        state_dict: The released ``pascal07.pt`` (C = 20) or ``coco14.pt`` (C = 80), its entry ``model``: names of the
            network inside one or more wrappers, such as ``module.``.

    Returns:
        The state dict of the counter; it loads strictly.

    Raises:
        ValueError: These are no weights of CountSeg, or some are missing, unknown or of another shape; names them.

    Example:
        >>> from mmcount.apis.model_converters import read_state_dict
        >>> weights = convert_countseg_state_dict(read_state_dict('pascal07.pt'))  # doctest: +SKIP
        >>> weights['head.class_branch.2.bias'].shape  # doctest: +SKIP
        torch.Size([20])
    """
    wrapper = _wrapper(state_dict)
    inside = {f'{wrapper}{old}': new for old, new in COUNTSEG_KEYS.items()}
    renamed, _ = rename_keys(state_dict, inside)
    sizes = {}
    for name in ('head.shared_conv.weight', 'head.class_branch.2.weight'):
        value = renamed.get(name)
        if value is None:
            raise ValueError(f'missing keys: {_old(name, inside)!r}')
        if value.dim() != 4:
            raise ValueError(f'{_old(name, inside)!r} must have four dimensions, is {tuple(value.shape)}')
        sizes[name] = tuple(value.shape)
    channels, in_channels = sizes['head.shared_conv.weight'][:2]
    num_classes = sizes['head.class_branch.2.weight'][0]
    if channels % 2:
        raise ValueError(
            f'{_old("head.shared_conv.weight", inside)!r} has {channels} output channels, which do not make two '
            'branches of one width'
        )
    with torch.device('meta'):
        modules = {
            'backbone': ResNet(resnet_depth(renamed, 'backbone.'), out_indices=(3,)),
            'head': LowerCountHead(num_classes, in_channels, branch_channels=channels // 2),
        }
    matched = match_modules(renamed, modules, inside)
    return matched | CountCalibration(num_classes).state_dict(prefix='calibration.')


def _wrapper(state_dict: Mapping[str, Tensor]) -> str:
    """Return the prefix of the names of the network, such as 'module.'."""
    wrappers = {key.partition(part)[0] for key in state_dict for part in PARTS if part in key}
    if not wrappers:
        raise ValueError(f'no weights of CountSeg: expected names with {PARTS}, found {some(map(str, state_dict))}')
    if len(wrappers) > 1:
        raise ValueError(f'weights of more than one network, or in different wrappers: {some(wrappers)}')
    return wrappers.pop()


def _old(name: str, prefixes: Mapping[str, str]) -> str:
    return next(old + name[len(new) :] for old, new in prefixes.items() if name.startswith(new))
