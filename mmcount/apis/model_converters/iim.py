"""Checkpoints of IIM, the released code of Gao et al., "Learning Independent Instance Maps for Crowd Localization"."""

from collections.abc import Mapping

import torch
from mmdet.models.backbones import ResNet
from mmdet.models.necks import FPN
from torch import Tensor, nn

from mmcount.models.backbones import VGG, BilinearHRNet
from mmcount.models.heads import InstanceMapHead, ScaleMapHead
from mmcount.models.layers import CountCalibration

from .hrnet import HRNET_PARTS, hrnet_stages
from .state_dict import match_modules, rename_keys, some

#: The wrapper of several GPUs, which may stand anywhere in a name.
WRAPPER = 'module'

#: Layers with weights of the confidence predictor and of the threshold encoder, by their number in a sequence.
_PREDICTOR = {0: 'conv.', 1: 'norm.', 3: 'upsample.0.', 5: 'upsample.2.'}
_ENCODER = {**{layer: f'convs.{layer}.' for layer in range(6)}, 7: 'logit.'}
#: Two numbers that the released module declares and never uses.
_UNUSED = ('Binar.weight', 'Binar.bias')
_VGG_STARTS = {'layer1': 0, 'layer2': 23, 'layer3': 33}
_VGG_LAYERS = {'layer1': 23, 'layer2': 10, 'layer3': 10}

_THRESHOLD_KEYS = {f'Binar.Threshold_Module.{layer}.': f'head.binarizer.{name}' for layer, name in _ENCODER.items()}

#: Names of IIM with VGG16-FPN, without wrappers, to names of ``DenseCounter(VGG, [FPN, ResizeConcat],
#: InstanceMapHead)``.
IIM_VGG_KEYS = {
    **{
        f'Extractor.{part}.{index}.': f'backbone.features.{start + index}.'
        for part, start in _VGG_STARTS.items()
        for index in range(_VGG_LAYERS[part])
    },
    'Extractor.neck.': 'neck.0.',
    **{f'Extractor.de_pred.{layer}.': f'head.predictor.{name}' for layer, name in _PREDICTOR.items()},
    **_THRESHOLD_KEYS,
}

#: Names of IIM with HRNet-W48 to names of ``DenseCounter(BilinearHRNet, ResizeConcat, InstanceMapHead)``.
IIM_HRNET_KEYS = {
    **{f'Extractor.{part}': f'backbone.{part}' for part in HRNET_PARTS},
    **{f'Extractor.last_layer.{layer}.': f'head.predictor.{name}' for layer, name in _PREDICTOR.items()},
    **_THRESHOLD_KEYS,
}

_SCAR_CONVS = {'conv_sa.0.': 'spatial.0.', 'conv_sa.2.': 'spatial.2.', 'conv_ca.0.': 'channel.0.'}
_SCAR_CONVS['conv_ca.2.'] = 'channel.2.'

#: Names of the scale network Res50_SCAR to names of ``DenseCounter(ResNet, ScaleMapHead)``. Normalisation in the
#: dilated convolutions there is none, so every second of them is a ReLU.
SCALE_NET_KEYS = {
    'frontend.0.': 'backbone.conv1.',
    'frontend.1.': 'backbone.bn1.',
    'frontend.4.': 'backbone.layer1.',
    'frontend.5.': 'backbone.layer2.',
    'own_reslayer_3.': 'backbone.layer3.',
    **{f'backend.{2 * index}.': f'head.convs.{index}.conv.' for index in range(6)},
    **{f'output_layer.{old}': f'head.attention.{new}' for old, new in _SCAR_CONVS.items()},
    'output_layer.conv_sa.1.para_lambda': 'head.attention.spatial.1.weight',
    **{
        f'output_layer.conv_sa.1.{name}_conv.{old}.': f'head.attention.spatial.1.{name}.{new}.'
        for name in ('query', 'key', 'value')
        for old, new in (('conv', 0), ('bn', 1))
    },
    'output_layer.conv_ca.1.para_mu': 'head.attention.channel.1.weight',
    'output_layer.conv_cat.conv.': 'head.attention.out.',
}


def unwrapped(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under names without the wrapper of several GPUs.

    Raises:
        ValueError: Two of them get one name.

    Example:
        >>> list(unwrapped({'module.Extractor.module.layer1.0.weight': torch.ones(1)}))
        ['Extractor.layer1.0.weight']
    """
    renamed: dict[str, Tensor] = {}
    for key, value in state_dict.items():
        name = '.'.join(part for part in str(key).split('.') if part != WRAPPER)
        if name in renamed:
            raise ValueError(f'{key!r} and another key would both become {name!r}')
        renamed[name] = value
    return renamed


def convert_iim_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of IIM as those of a counter of ``configs/iim``.

    The backbone, VGG16 with a feature pyramid or HRNet-W48, is read from the names. Every tensor of the file is used
    but the two scalars that the released threshold encoder never uses, and every one of the counter is set: the
    calibration is that of an untrained counter, and step counters of normalisation that the file lacks are zero.

    Args:
        state_dict: A released checkpoint, with or without ``module.`` anywhere in its names.

    Returns:
        The state dict of the counter; it loads strictly.

    Raises:
        ValueError: These are no weights of IIM, or some are missing, unknown or of another shape; names them.

    Example:
        >>> from mmcount.apis.model_converters import read_state_dict
        >>> weights = convert_iim_state_dict(read_state_dict('NWPU-HR.pth'))  # doctest: +SKIP
        >>> weights['head.binarizer.logit.weight'].shape  # doctest: +SKIP
        torch.Size([1, 64, 1, 1])
    """
    state = unwrapped(state_dict)
    if 'Extractor.neck.lateral_convs.0.conv.weight' in state:
        prefixes, channels = IIM_VGG_KEYS, 768
    elif 'Extractor.stage2.0.branches.0.0.conv1.weight' in state:
        prefixes, channels = IIM_HRNET_KEYS, 720
    else:
        raise ValueError(
            'no weights of IIM with VGG16-FPN or HRNet-W48: expected names such as '
            f"'Extractor.neck.lateral_convs.0.conv.weight' or 'Extractor.stage2.0...', found {some(state)}"
        )
    state = {key: value for key, value in state.items() if key not in _UNUSED}
    renamed, _ = rename_keys(state, prefixes)
    binarizer = dict(type='mmcount.PixelThreshold', in_channels=channels)
    with torch.device('meta'):
        head = InstanceMapHead(dict(type='mmcount.InstanceMapCodec'), channels, binarizer)
        modules: dict[str, nn.Module]
        if prefixes is IIM_VGG_KEYS:
            norm = dict(norm_cfg=dict(type='BN'), act_cfg=dict(type='ReLU'))
            modules = {
                'backbone': VGG(16, with_bn=True, out_indices=(2, 3, 4), pooled=False),
                'neck.0': FPN([256, 512, 512], 256, 3, **norm),
                'head': head,
            }
        else:
            modules = {'backbone': BilinearHRNet(hrnet_stages(48)), 'head': head}
    return match_modules(renamed, modules, prefixes) | CountCalibration(1).state_dict(prefix='calibration.')


def convert_scale_net_state_dict(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of IIM's scale network as those of the counter of ``configs/_base_/models/scale-map_r50.py``.

    Args:
        state_dict: The released ``pretrained_scale_prediction_model.pth``, with or without the wrappers ``CCN.`` and
            ``module.`` of its names.

    Returns:
        The state dict of the counter; it loads strictly.

    Raises:
        ValueError: These are no weights of this network, or some are missing, unknown or of another shape; names them.
    """
    state = {key.removeprefix('CCN.'): value for key, value in unwrapped(state_dict).items()}
    if 'own_reslayer_3.0.conv1.weight' not in state:
        raise ValueError(f"no scale network of IIM: expected 'own_reslayer_3.0.conv1.weight', found {some(state)}")
    renamed, _ = rename_keys(state, SCALE_NET_KEYS)
    with torch.device('meta'):
        stages = dict(num_stages=3, strides=(1, 2, 1), dilations=(1, 1, 1), out_indices=(2,))
        modules = {
            'backbone': ResNet(50, **stages),
            'head': ScaleMapHead(dict(type='mmcount.ScaleMapCodec')),
        }
    matched = match_modules(renamed, modules, SCALE_NET_KEYS)
    return matched | CountCalibration(1).state_dict(prefix='calibration.')
