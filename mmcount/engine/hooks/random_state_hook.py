"""Random states in checkpoints, so that a resumed run draws what the uninterrupted one would have drawn."""

import random

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcount.registry import HOOKS


def get_random_state() -> dict:
    """States of Python's, NumPy's and torch's generators, as plain lists and tensors."""
    version, internal, gauss = random.getstate()
    name, keys, position, has_gauss, cached = np.random.get_state(legacy=True)  # noqa: NPY002  (what transforms draw from)
    state = dict(
        python=[version, list(internal), gauss],
        numpy=[name, torch.from_numpy(np.asarray(keys, dtype=np.int64)), int(position), int(has_gauss), float(cached)],
        torch=torch.get_rng_state(),
    )
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict) -> None:
    """Put the generators where :func:`get_random_state` found them."""
    version, internal, gauss = state['python']
    random.setstate((version, tuple(internal), gauss))
    name, keys, position, has_gauss, cached = state['numpy']
    np.random.set_state((name, keys.cpu().numpy().astype(np.uint32), position, has_gauss, cached))  # noqa: NPY002
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Save the random states with every checkpoint and restore them on resume.

    MMEngine stores the seed but not how far the generators have come. With data loading in the main process
    (``num_workers=0``) a resumed run then gives the weights of the uninterrupted one; workers are seeded anew.
    """

    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._resumed: dict | None = None

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Store the states."""
        checkpoint['random_state'] = get_random_state()

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the states until training goes on."""
        if runner._resume and 'random_state' in checkpoint:
            self._resumed = checkpoint['random_state']

    def before_train_epoch(self, runner: Runner) -> None:
        """Restore the states, once: iteration-based loops have advanced their data by now."""
        if self._resumed is not None:
            set_random_state(self._resumed)
            self._resumed = None
