"""Necks that mmdet does not have; a list of configs is a chain of necks."""

from .resize_concat import ResizeConcat

__all__ = ['ResizeConcat']
