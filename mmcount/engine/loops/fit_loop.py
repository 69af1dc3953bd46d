"""Training without descent: look at every image, then compute what there is to know."""

import io
import shutil
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import all_gather_object, barrier, broadcast_object_list, get_rank, get_world_size, is_main_process
from mmengine.model import is_model_wrapper
from mmengine.runner import EpochBasedTrainLoop, Runner
from torch.utils.data import DataLoader

from mmcount.registry import LOOPS
from mmcount.utils.atomic import write_atomic

Record = dict[str, Any]


@LOOPS.register_module()
class FitLoop(EpochBasedTrainLoop):
    """Train a :class:`mmcount.models.FittedCounter` with ``tools/train.py``, like any other model.

    Each of the model's ``passes`` is an epoch: the model observes every batch, then is fitted to all images at once, on
    the main process; the others receive what it learned. Results do not depend on the number of processes. The hooks of
    an epoch run as usual, so that progress is logged and checkpoints are saved; after the last pass the model is
    validated. What was observed is kept in ``<work_dir>/observed`` until the pass ends, and a run that was interrupted
    goes on from there with ``--resume``.

    The runner wants an optimizer of every training. It is never used; write
    ``optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.0))``.

    Args:
        runner: The runner.
        dataloader: Of the training images; it must not shuffle.
        save_interval: Batches between two savings of what was observed.
    """

    def __init__(self, runner: Runner, dataloader: DataLoader | dict, save_interval: int = 50) -> None:
        model = unwrapped(runner.model)
        if not hasattr(model, 'passes'):
            raise ValueError(f'FitLoop fits models that have passes, {type(model).__name__} has none: use another loop')
        if save_interval < 1:
            raise ValueError(f'save_interval must be at least 1, got {save_interval}')
        super().__init__(runner, dataloader, max_epochs=len(model.passes), val_begin=len(model.passes))
        if getattr(self.dataloader.sampler, 'shuffle', False):
            raise ValueError('FitLoop needs a data loader that does not shuffle: sampler=dict(..., shuffle=False)')
        self.save_interval = save_interval
        self.observed = Path(runner.work_dir) / 'observed'

    def run_epoch(self) -> None:
        """One pass: observe every batch, fit, share."""
        self.runner.call_hook('before_train_epoch')
        model = unwrapped(self.runner.model)
        model.eval()
        stage = model.passes[self._epoch]
        records = self._observe(model, stage)
        gathered = sorted((one for part in all_gather_object(records) for one in part), key=lambda one: one['img_id'])
        # Samplers repeat images to give every process as many.
        unique = list({record['img_id']: record for record in gathered}.values())
        self._fit(model, unique, stage)
        self.runner.call_hook('after_train_epoch')
        self._epoch += 1
        barrier()
        if is_main_process():
            shutil.rmtree(self.observed, ignore_errors=True)

    def _observe(self, model: Any, stage: str) -> list[Record]:
        """Observations of this process's images, in the order of the loader."""
        records, done = self._saved(stage)
        self._iter = self._epoch * len(self.dataloader) + done
        fresh: list[Record] = []
        for index, batch in enumerate(self.dataloader):
            if index < done:
                continue
            self.runner.call_hook('before_train_iter', batch_idx=index, data_batch=batch)
            data = model.data_preprocessor(batch, False)
            with torch.no_grad():
                seen = model.observe_batch(data['inputs'], data['data_samples'], stage)
            names = [sample.img_id for sample in data['data_samples']]
            fresh += [{'img_id': str(name), **record} for name, record in zip(names, seen, strict=True)]
            outputs = dict(images=torch.tensor(float(len(records) + len(fresh))))
            self.runner.call_hook('after_train_iter', batch_idx=index, data_batch=batch, outputs=outputs)
            self._iter += 1
            if (index + 1) % self.save_interval == 0:
                self._save(fresh, index + 1, stage)
                records, fresh = records + fresh, []
        return records + fresh

    def _fit(self, model: Any, records: list[Record], stage: str) -> None:
        """Fit on the main process and give the others its state, or its error."""
        shared: list[Any] = [None]
        if is_main_process():
            self.runner.logger.info(f'Fitting {type(model).__name__} ({stage}) to {len(records)} images')
            try:
                figures = model.fit(records, stage)
            except Exception as error:  # the others wait in the broadcast
                shared[0] = error
            else:
                text = ', '.join(f'{name}: {value:.4g}' for name, value in figures.items())
                self.runner.logger.info(f'Fitted {stage}: {text or "nothing to do"}')
                if get_world_size() > 1:
                    shared[0] = {name: value.cpu() for name, value in model.state_dict().items()}
        broadcast_object_list(shared)
        if isinstance(shared[0], Exception):
            raise shared[0]
        if not is_main_process():
            model.load_state_dict(shared[0])

    def _chunks(self, stage: str) -> list[Path]:
        """The files of this process and pass, in order; the name says up to which batch."""
        mine = self.observed.glob(f'{stage}_{get_rank()}of{get_world_size()}_*.pth')
        return sorted(mine, key=lambda path: int(path.stem.rsplit('_', 1)[1]))

    def _saved(self, stage: str) -> tuple[list[Record], int]:
        """Observations of an interrupted run, and the number of its batches."""
        if not self.runner._resume:
            for path in self._chunks(stage):
                path.unlink()
            return [], 0
        records: list[Record] = []
        done = 0
        for path in self._chunks(stage):
            chunk = torch.load(path, weights_only=False)
            if chunk['loader'] != self._loader_size():
                raise ValueError(
                    f'{path} was observed with (images, batch size) {chunk["loader"]}, the config has '
                    f'{self._loader_size()}: remove {self.observed} to begin anew'
                )
            records += chunk['records']
            done = chunk['batches']
        if done:
            self.runner.logger.info(f'Going on after {done} of {len(self.dataloader)} batches ({stage})')
        return records, done

    def _save(self, records: list[Record], batches: int, stage: str) -> None:
        content = io.BytesIO()
        torch.save(dict(records=records, batches=batches, loader=self._loader_size()), content)
        path = self.observed / f'{stage}_{get_rank()}of{get_world_size()}_{batches}.pth'
        write_atomic(path, content.getvalue())

    def _loader_size(self) -> tuple[int, int]:
        return len(self.dataloader.dataset), int(self.dataloader.batch_size or 1)


def unwrapped(model: Any) -> Any:
    """The model inside of a distributed wrapper."""
    return model.module if is_model_wrapper(model) else model
