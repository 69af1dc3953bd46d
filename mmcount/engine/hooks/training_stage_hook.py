"""Losses that change during training, by the clock of the runner."""

from collections.abc import Sequence

from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmcount.registry import HOOKS


@HOOKS.register_module()
class TrainingStageHook(Hook):
    """Tell the head which stage of its training it is in.

    The stage is one more than the number of milestones that have passed, read from the epoch or iteration of the
    runner: a resumed run is in the stage in which the interrupted one was.

    Args:
        milestones: Rising epochs (or iterations) at which the next stage begins, counted from 0.
        by_epoch: Whether milestones are epochs.

    Raises:
        ValueError: The milestones do not rise, or are negative.

    Example:
        >>> TrainingStageHook(milestones=(20,)).stage_at(19), TrainingStageHook(milestones=(20,)).stage_at(20)
        (1, 2)
    """

    priority = 'NORMAL'

    def __init__(self, milestones: Sequence[int], by_epoch: bool = True) -> None:
        rising = list(milestones)
        if not rising or rising != sorted(set(rising)) or rising[0] < 0:
            raise ValueError(f'milestones must be one or more rising numbers of at least 0, got {rising}')
        self.milestones = tuple(rising)
        self.by_epoch = by_epoch

    def stage_at(self, step: int) -> int:
        """The stage of an epoch or iteration."""
        return 1 + sum(step >= milestone for milestone in self.milestones)

    def before_train(self, runner: Runner) -> None:
        """Refuse a model without stages before the first step.

        Raises:
            ValueError: The head has no ``stage``.
        """
        head = self._head(runner)
        if not hasattr(head, 'stage'):
            raise ValueError(f'TrainingStageHook needs a head with a stage, {type(head).__name__} has none')

    def before_train_epoch(self, runner: Runner) -> None:
        """Set the stage of an epoch."""
        if self.by_epoch:
            self._set(runner, runner.epoch)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Set the stage of an iteration."""
        if not self.by_epoch:
            self._set(runner, runner.iter)

    @staticmethod
    def _head(runner: Runner):
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        return getattr(getattr(model, 'counter', model), 'head', None)

    def _set(self, runner: Runner, step: int) -> None:
        head, stage = self._head(runner), self.stage_at(step)
        if head.stage != stage:
            unit = 'epoch' if self.by_epoch else 'iteration'
            print_log(f'{type(head).__name__}: stage {stage} from {unit} {step}', logger='current')
        head.stage = stage
