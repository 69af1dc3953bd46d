"""Losses of counting, as pure functions."""

from .distribution_matching_loss import distribution_matching_losses, sinkhorn
from .lower_count_loss import lower_count_losses, sample_negatives
from .point_proposal_loss import match_proposals, point_proposal_losses

__all__ = [
    'distribution_matching_losses',
    'lower_count_losses',
    'match_proposals',
    'point_proposal_losses',
    'sample_negatives',
    'sinkhorn',
]
