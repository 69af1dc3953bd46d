"""Weights that do not fit end a test."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmcount.registry import HOOKS

from ..checkpoints import load_weights


@HOOKS.register_module()
class FittingWeightsHook(Hook):
    """Refuse a checkpoint that leaves tensors of the model as they were drawn: MMEngine only logs which."""

    priority = 'LOWEST'  # other hooks may still change the checkpoint

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Load the weights strictly.

        Raises:
            CheckpointError: A parameter or a running statistic of the model is missing or has another shape.
        """
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        load_weights(model, checkpoint, runner._load_from or 'the checkpoint')
