"""Losses of counting, as pure functions."""

from .lower_count_loss import lower_count_losses, sample_negatives

__all__ = ['lower_count_losses', 'sample_negatives']
