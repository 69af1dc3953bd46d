"""Mask proposals of images: computed, or read from files. Sources are registered in ``TASK_UTILS``."""

from .files import MCGProposals, PRMProposals, RLEProposals, decode_runs, read_proposal_mat
from .hierarchical import HierarchicalProposals
from .proposal_source import MaskProposals, ProposalSource, decode_rle, encode_rle

__all__ = [
    'HierarchicalProposals',
    'MCGProposals',
    'MaskProposals',
    'PRMProposals',
    'ProposalSource',
    'RLEProposals',
    'decode_rle',
    'decode_runs',
    'encode_rle',
    'read_proposal_mat',
]
