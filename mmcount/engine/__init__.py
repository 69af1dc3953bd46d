"""Loops, hooks, optimizer wrappers and the launcher for MMEngine's runner."""

from . import checkpoints as checkpoints
from .hooks import *  # noqa: F403
from .loops import *  # noqa: F403
from .optimizers import *  # noqa: F403
