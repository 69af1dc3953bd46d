"""How many images a second a model tests."""

import time
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from mmcount.registry import HOOKS


@HOOKS.register_module()
class ThroughputHook(Hook):
    """Measure tests from the batch to its predictions; neither loading images nor computing metrics is in it.

    Args:
        warmup: First batches that are left out, as long as others follow.

    Attributes:
        images_per_s: Of the last test; None before one.

    Raises:
        ValueError: ``warmup`` is negative.
    """

    def __init__(self, warmup: int = 5) -> None:
        if warmup < 0:
            raise ValueError(f'warmup must not be negative, got {warmup}')
        self.warmup = warmup
        self.images_per_s: float | None = None
        self._batches: list[tuple[int, float]] = []

    def before_test_epoch(self, runner: Runner) -> None:
        """Put the clock around the model: hooks of a batch would time the metrics, too."""
        self._batches.clear()
        step = runner.model.test_step

        def timed_step(data: Any) -> Any:
            start = _now()
            outputs = step(data)
            self._batches.append((len(outputs), _now() - start))
            return outputs

        runner.model.test_step = timed_step

    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Take the clock away and report the mean."""
        del runner.model.test_step  # the instance's: the method of the class is there again
        kept = self._batches[min(self.warmup, max(len(self._batches) - 1, 0)) :]
        seconds = sum(one[1] for one in kept)
        if not seconds:
            return
        self.images_per_s = sum(one[0] for one in kept) / seconds
        runner.logger.info(f'{self.images_per_s:.2f} images/s, without loading them')


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
