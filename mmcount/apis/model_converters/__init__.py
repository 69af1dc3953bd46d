"""Checkpoints of other projects as those of counters."""

from .countseg import COUNTSEG_KEYS, convert_countseg_state_dict
from .hrnet import convert_hrnet_state_dict
from .iim import IIM_HRNET_KEYS, IIM_VGG_KEYS, SCALE_NET_KEYS, convert_iim_state_dict, convert_scale_net_state_dict
from .state_dict import fitting_config, read_state_dict, write_checkpoint
from .torchvision_resnet import convert_torchvision_resnet_state_dict
from .torchvision_vgg import convert_torchvision_vgg_state_dict

__all__ = [
    'COUNTSEG_KEYS',
    'IIM_HRNET_KEYS',
    'IIM_VGG_KEYS',
    'SCALE_NET_KEYS',
    'convert_countseg_state_dict',
    'convert_hrnet_state_dict',
    'convert_iim_state_dict',
    'convert_scale_net_state_dict',
    'convert_torchvision_resnet_state_dict',
    'convert_torchvision_vgg_state_dict',
    'fitting_config',
    'read_state_dict',
    'write_checkpoint',
]
