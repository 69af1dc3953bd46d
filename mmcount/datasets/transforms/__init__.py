"""Transforms of counting data that mmdet does not have."""

from .formatting import GenerateTarget, PackCountInputs
from .geometric import HaloCrop, RandomDihedral
from .loading import LoadCountAnnotations, LoadImage
from .proposals import LoadMaskProposals

__all__ = [
    'GenerateTarget',
    'HaloCrop',
    'LoadCountAnnotations',
    'LoadImage',
    'LoadMaskProposals',
    'PackCountInputs',
    'RandomDihedral',
]
