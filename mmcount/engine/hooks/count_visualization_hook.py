"""Pictures of validation and test images, the curves of a training, and true against predicted counts."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.dist import all_gather_object, is_main_process
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement

from mmcount.datasets.transforms.loading import LoadImage
from mmcount.registry import HOOKS
from mmcount.structures.sample_fields import SCORE_THR, image_id, predicted_counts, to_dict, to_numpy, true_counts
from mmcount.visualization.plots import plot_counts, plot_curves, read_scalars


@HOOKS.register_module()
class CountVisualizationHook(Hook):
    """Write what a counter sees and says as PNG files.

    =============================  =====================================  ============================
    file below ``out_dir``         what it shows                          when
    =============================  =====================================  ============================
    ``val/<image>_<iter>.png``     image, truth, density, prediction      validation, if ``draw``
    ``test/<image>.png``           the same                               test, if ``draw``
    ``curves.png``                 losses and errors by iteration         after training, if ``plots``
    ``val_counts.png``             predicted against true counts          validation, if ``plots``
    ``test_counts.png``            the same                               test, if ``plots``
    =============================  =====================================  ============================

    Args:
        draw: Write pictures of images.
        plots: Write the figures.
        interval: Draw at every this-many-th validation.
        num_val_images: Images drawn at a validation, the first ones of the first process.
        max_test_images: Most images drawn at a test by each process; None draws all.
        score_thr: Lowest score of an instance that is drawn, and counted where instances are all there is.
        out_dir: Folder of the files; by default ``vis_data`` in the work directory.
        test_out_dir: Folder of the pictures of a test, in place of ``test`` below ``out_dir``.
        show: Open a window for every picture.
        wait_time: Seconds that a window stays; 0 waits for a key.
        backend_args: Arguments of the file backend that reads the images.

    Raises:
        ValueError: ``interval`` or a number of images is out of range.
    """

    priority = 'LOW'

    def __init__(
        self,
        draw: bool = False,
        plots: bool = True,
        interval: int = 1,
        num_val_images: int = 4,
        max_test_images: int | None = None,
        score_thr: float = SCORE_THR,
        out_dir: str | None = None,
        test_out_dir: str | None = None,
        show: bool = False,
        wait_time: float = 0,
        backend_args: dict | None = None,
    ) -> None:
        if interval < 1:
            raise ValueError(f'interval must be at least 1, got {interval}')
        if num_val_images < 0 or (max_test_images is not None and max_test_images < 0):
            raise ValueError(
                f'numbers of images must not be negative, got {num_val_images} for validation and {max_test_images}'
            )
        self.draw = draw
        self.plots = plots
        self.interval = interval
        self.num_val_images = num_val_images
        self.max_test_images = max_test_images
        self.score_thr = score_thr
        self.out_dir = out_dir
        self.test_out_dir = test_out_dir
        self.show = show
        self.wait_time = wait_time
        self._load = LoadImage(backend_args=backend_args)
        self._drawn = 0
        self._validations = 0
        self._counts: dict[str, tuple] = {}

    def folder(self, runner: Runner) -> Path:
        """Where the files go."""
        return Path(runner.work_dir) / 'vis_data' if self.out_dir is None else Path(self.out_dir)

    def before_val_epoch(self, runner: Runner) -> None:
        """Forget the last validation."""
        self._load = _loader_of(runner, 'val_loop') or self._load
        self._drawn, self._counts = 0, {}
        self._validations += 1

    def before_test_epoch(self, runner: Runner) -> None:
        """Forget what came before."""
        self._load = _loader_of(runner, 'test_loop') or self._load
        self._drawn, self._counts = 0, {}

    def after_val_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        """Note the counts of a batch, and draw the first images of a validation in the main process."""
        self._note(outputs or ())
        if not self.draw or (self._validations - 1) % self.interval or not is_main_process():
            return
        for index, sample in enumerate(outputs or ()):
            if self._drawn >= self.num_val_images:
                return
            name = f'{file_stem(image_id(sample))}_{runner.iter}.png'
            self._draw(runner, data_batch, index, sample, self.folder(runner) / 'val' / name)

    def after_test_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Sequence[BaseDataElement] | None = None,
    ) -> None:
        """Note the counts of a batch and draw its images."""
        self._note(outputs or ())
        if not self.draw or not is_main_process():
            return
        folder = self.folder(runner) / 'test' if self.test_out_dir is None else Path(self.test_out_dir)
        for index, sample in enumerate(outputs or ()):
            if self.max_test_images is not None and self._drawn >= self.max_test_images:
                return
            self._draw(runner, data_batch, index, sample, folder / f'{file_stem(image_id(sample))}.png')

    def after_val_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Draw predicted against true counts of the validation."""
        self._scatter(runner, 'val')

    def after_test_epoch(self, runner: Runner, metrics: dict | None = None) -> None:
        """Draw predicted against true counts of the test."""
        self._scatter(runner, 'test')

    def after_train(self, runner: Runner) -> None:
        """Draw the curves of the training, and say where everything lies."""
        scalars = Path(runner.log_dir) / 'vis_data' / 'scalars.json'
        if not self.plots or not is_main_process() or not scalars.is_file():
            return
        path = self.folder(runner) / 'curves.png'
        if plot_curves(read_scalars(scalars), path):
            print_log(f'Training curves are in {path}', logger='current')

    def _note(self, outputs: Sequence[BaseDataElement]) -> None:
        if not self.plots:
            return
        for sample in outputs:
            fields = to_dict(sample)
            if fields.get('gt_counts') is None and fields.get('gt_instances') is None:
                continue
            # Without named classes a detector's sample tells of the highest label it saw; totals need no more.
            true = float(true_counts(fields).sum())
            pred = float(predicted_counts(fields, score_thr=self.score_thr).sum())
            self._counts[image_id(fields)] = (pred, true, _bounds(fields, pred))

    def _scatter(self, runner: Runner, phase: str) -> None:
        if not self.plots:
            return
        counts: dict[str, tuple] = {}
        for part in all_gather_object(self._counts):
            counts.update(part)
        if not counts or not is_main_process():
            return
        pred, true, interval = zip(*counts.values(), strict=True)
        path = self.folder(runner) / f'{phase}_counts.png'
        title = f'{phase}, iteration {runner.iter}' if phase == 'val' else phase
        plot_counts(pred, true, path, title, interval)

    def _draw(self, runner: Runner, data_batch: Any, index: int, sample: BaseDataElement, path: Path) -> None:
        image = self.original_image(data_batch, index, sample)
        runner.visualizer.add_datasample(
            image_id(sample),
            image,
            data_sample=sample,
            show=self.show,
            wait_time=self.wait_time,
            out_file=str(path),
            pred_score_thr=self.score_thr,
            step=runner.iter,
        )
        self._drawn += 1

    def original_image(self, data_batch: Any, index: int, sample: BaseDataElement) -> np.ndarray:
        """The image to whose pixels ground truth and prediction refer, (H, W, 3) uint8 RGB.

        It is read from its file; data that never was in a file is taken from the batch, and enlarged or reduced back to
        its original size where the pipeline resized it.
        """
        path = sample.get('img_path')
        if path:
            bgr = self._load({'img_path': path})['img']
        else:
            image: torch.Tensor = data_batch['inputs'][index]
            bgr = np.ascontiguousarray(image.detach().cpu().clamp(0, 255).to(torch.uint8).permute(1, 2, 0).numpy())
            # Rows and columns beyond ``img_shape`` are padding.
            height, width = (int(side) for side in sample.get('img_shape', bgr.shape)[:2])
            bgr = bgr[:height, :width]
            rows, cols = (int(side) for side in sample.get('ori_shape', bgr.shape)[:2])
            if bgr.shape[:2] != (rows, cols):
                bgr = cv2.resize(bgr, (cols, rows), interpolation=cv2.INTER_LINEAR)
        return cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)


def _bounds(fields: Mapping[str, Any], pred: float) -> list[float]:
    """The bounds of the total, unknown (NaN) where they belong to several classes or to another, calibrated count."""
    interval = fields.get('pred_interval')
    bounds = np.zeros((0, 2)) if interval is None else to_numpy(interval).reshape(-1, 2)
    calibrated = fields.get('pred_calibrated_counts')
    if len(bounds) != 1 or (calibrated is not None and abs(to_numpy(calibrated).sum() - pred) >= 0.005):
        return [np.nan, np.nan]
    return bounds[0].tolist()


def file_stem(identity: str) -> str:
    """A name of an image as part of a file name; different images keep different names.

    Example:
        >>> file_stem('0007'), file_stem('a/b c.png')
        ('0007', 'a_b_c.png-65036e')
    """
    safe = re.sub(r'[^A-Za-z0-9._-]', '_', identity)[-80:].lstrip('.')
    return safe if safe == identity else f'{safe}-{hashlib.sha256(identity.encode()).hexdigest()[:6]}'


def _loader_of(runner: Runner, loop: str) -> LoadImage | None:
    """The transform that reads the images of a loop, so that a picture shows the pixels that were counted."""
    dataset: Any = getattr(getattr(getattr(runner, loop, None), 'dataloader', None), 'dataset', None)
    while not hasattr(dataset, 'pipeline') and hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    steps = getattr(getattr(dataset, 'pipeline', None), 'transforms', None) or ()
    return next((step for step in steps if isinstance(step, LoadImage)), None)
