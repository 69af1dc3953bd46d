"""Checkpoints of other projects as those of counters."""

from .countseg import COUNTSEG_KEYS, convert_countseg_state_dict
from .state_dict import read_state_dict, write_checkpoint
from .torchvision_resnet import convert_torchvision_resnet_state_dict

__all__ = [
    'COUNTSEG_KEYS',
    'convert_countseg_state_dict',
    'convert_torchvision_resnet_state_dict',
    'read_state_dict',
    'write_checkpoint',
]
