"""Initialisation from data, once before the first training step."""

import numpy as np
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmcount.registry import HOOKS


@HOOKS.register_module()
class DataInitHook(Hook):
    """Call ``model.init_from_data`` with the first training batches.

    Skipped when weights were loaded or training is resumed: they carry the statistics already. Every process of a
    distributed run starts from rank 0's, as the wrapper broadcasts parameters and buffers.

    Args:
        num_batches: Training batches to read.
    """

    priority = 'VERY_HIGH'

    def __init__(self, num_batches: int = 6) -> None:
        if num_batches < 1:
            raise ValueError(f'num_batches must be at least 1, got {num_batches}')
        self.num_batches = num_batches

    def before_train(self, runner: Runner) -> None:
        """Initialise from data, unless a checkpoint did."""
        if runner.iter > 0 or runner._load_from is not None:
            return
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        batches = self._draw(runner.train_loop.dataloader)
        runner.logger.info(f'Initialising from the first {len(batches)} training batches')
        model.init_from_data(batches)

    def _draw(self, dataloader: DataLoader) -> list[dict]:
        """Random training batches, without touching the sampler: an infinite one cannot start twice."""
        dataset, batch_size = dataloader.dataset, dataloader.batch_size or 1
        order = np.random.default_rng(0).permutation(len(dataset))
        indices = np.resize(order, self.num_batches * batch_size).reshape(self.num_batches, batch_size)
        return [dataloader.collate_fn([dataset[int(index)] for index in batch]) for batch in indices]
