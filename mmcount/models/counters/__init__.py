"""Counters: whole models that the runner trains and tests."""

from .dense_counter import DenseCounter

__all__ = ['DenseCounter']
