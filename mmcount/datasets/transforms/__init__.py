"""Transforms of counting data that mmdet does not have."""

from .counts_in_labels import CountsInLabels
from .crowd import RandomScaleToMultiple, ResizeToMinimum
from .formatting import GenerateTarget, PackCountInputs
from .geometric import HaloCrop, RandomDihedral
from .loading import LoadCountAnnotations, LoadImage
from .photometric import PhotometricNormalise
from .proposals import LoadMaskProposals
from .side_range import ResizeToSideRange

__all__ = [
    'CountsInLabels',
    'GenerateTarget',
    'HaloCrop',
    'LoadCountAnnotations',
    'LoadImage',
    'LoadMaskProposals',
    'PackCountInputs',
    'PhotometricNormalise',
    'RandomDihedral',
    'RandomScaleToMultiple',
    'ResizeToMinimum',
    'ResizeToSideRange',
]
