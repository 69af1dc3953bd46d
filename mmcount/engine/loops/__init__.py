"""Loops of the runner."""

from .fit_loop import FitLoop

__all__ = ['FitLoop']
