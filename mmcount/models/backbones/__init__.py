"""Backbones that mmdet does not have."""

from .bilinear_hrnet import BilinearHRNet
from .count_ception import CountCeption
from .plain_conv_net import PlainConvNet
from .vgg import VGG

__all__ = [
    'VGG',
    'BilinearHRNet',
    'CountCeption',
    'PlainConvNet',
]
