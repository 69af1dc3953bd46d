"""Fit the count calibration and the interval on the validation images."""

import os
from collections.abc import Sequence

import numpy as np
import torch
from mmengine.dist import all_gather_object, master_only
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from mmcount.registry import HOOKS
from mmcount.structures import CountDataSample


@HOOKS.register_module()
class CountCalibrationHook(Hook):
    """After each validation, fit ``model.calibration`` on the (predicted, true) counts of its images.

    It runs before the checkpoint hook saves the best checkpoint, and updates the periodic checkpoint of the same step,
    so that each carries what its own validation said. Raw counts never change; the calibrated ones are a second,
    named output.

    Args:
        coverage: Share of images whose true count the interval shall hold.
    """

    priority = 'LOW'

    def __init__(self, coverage: float = 0.9) -> None:
        if not 0 < coverage < 1:
            raise ValueError(f'coverage must lie between 0 and 1, got {coverage}')
        self.coverage = coverage
        self._records: dict = {}

    def before_val_epoch(self, runner: Runner) -> None:
        """Forget the last validation."""
        self._records = {}

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: Sequence[CountDataSample] | None = None,
    ) -> None:
        """Keep the counts of every image, once."""
        for sample in outputs or ():
            spread = sample.get('pred_spread')
            self._records[sample.img_id] = (
                sample.pred_counts.cpu().numpy(),
                sample.gt_counts.cpu().numpy(),
                None if spread is None else spread.cpu().numpy(),
            )

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Fit; every process on the records of all."""
        records: dict = {}
        for part in all_gather_object(self._records):
            records.update(part)
        if not records:
            return
        # Sorted, so that the sums do not depend on which process had which image.
        predicted, true, spread = zip(*(records[key] for key in sorted(records)), strict=True)
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        with_spread = all(one is not None for one in spread)
        model.calibration.fit(
            np.stack(predicted).astype(np.float64),
            np.stack(true).astype(np.float64),
            np.stack(spread).astype(np.float64) if with_spread else None,
            self.coverage,
        )
        self._update_last_checkpoint(runner, model.calibration.state_dict(prefix='calibration.'))

    @staticmethod
    @master_only
    def _update_last_checkpoint(runner: Runner, state: dict) -> None:
        """Write the fit into the checkpoint of these very weights, which was saved before their validation."""
        saved = runner.message_hub.runtime_info.get('last_ckpt')
        if not saved or not os.path.isfile(saved):
            return
        checkpoint = torch.load(saved, map_location='cpu', weights_only=False)
        if checkpoint['meta']['iter'] != runner.iter:
            return
        checkpoint['state_dict'].update({key: value.cpu() for key, value in state.items()})
        torch.save(checkpoint, f'{saved}.tmp')
        os.replace(f'{saved}.tmp', saved)
