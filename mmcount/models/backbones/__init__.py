"""Backbones that mmdet does not have."""

from .count_ception import CountCeption

__all__ = ['CountCeption']
