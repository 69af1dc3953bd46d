"""Count the objects in pictures with any counter or detector."""

import logging
import os
import re
import warnings
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import torch
from mmdet.utils import register_all_modules as register_mmdet
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.infer.infer import BaseInferencer, ModelType
from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner.checkpoint import _load_checkpoint
from rich.progress import track
from torch import nn

from mmcount.models.tiling import MapTiles, tiles_for
from mmcount.registry import INFERENCERS
from mmcount.utils import register_all_modules
from mmcount.visualization import CountVisualizer

from .inputs import ImageInput, Inputs, list_inputs
from .model_info import (
    build_pipeline,
    checkpoint_config,
    dataset_meta,
    file_sha256,
    load_weights,
    max_instances,
    weights_file,
)
from .results import CountResult, instances_are_all, is_at_cap, result_from_sample
from .writers import CountsCsv

#: What an image is, its pixels, what the pipeline packed or the model predicted, or else why it has none.
OnItsWay = tuple[ImageInput, np.ndarray | None, Any, str | None]
#: Result, data sample, picture.
Counted = tuple[CountResult, Any, np.ndarray | None]


@dataclass
class CountOptions:
    """How images are counted and what is written.

    Args:
        batch_size: Images that run together.
        score_thr: Lowest score of a detector's box that counts.
        calibrated: Count with the calibration that the counter got on validation images.
        out_dir: Folder of the overlays, ``vis/<name of the image>.png``; empty writes none.
        no_save_vis: Write no overlays even so.
        csv: File that gets a row for every image and class, see :class:`mmcount.apis.CountsCsv`.
        objects_csv: File that gets a row for every object; needs ``csv``.
        resume: Continue an interrupted ``csv``; images that are in it are not counted again and not returned. The
            other options and the inputs have to be the same.
        return_density: Keep the density of each image: one float32 per cell of the map and class.
        tile: Largest side, or height and width, in pixels that the network sees at once: the same counts with less
            memory, for counters that allow it. None does what ``test_cfg.tiles`` of the model says.
        tile_mode: 'exact', or 'average' for IIM as published, see :class:`mmcount.models.tiling.MapTiles`.

    Raises:
        ValueError: An option is not valid.
    """

    batch_size: int = 1
    score_thr: float = 0.3
    calibrated: bool = False
    out_dir: str | Path = ''
    no_save_vis: bool = False
    csv: str | Path | None = None
    objects_csv: str | Path | None = None
    resume: bool = False
    return_density: bool = True
    tile: int | tuple[int, int] | None = None
    tile_mode: Literal['exact', 'average'] = 'exact'
    tiles: MapTiles | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f'batch_size must be at least 1, got {self.batch_size}')
        if self.csv is None and (self.objects_csv is not None or self.resume):
            raise ValueError('objects_csv and resume need csv')
        if self.tile is not None and not isinstance(self.tile, int) and len(self.tile) != 2:
            raise ValueError(f'tile must be one number, or height and width, got {self.tile}')

    def overlay(self, name: str) -> str | None:
        """The file that gets the overlay of an image."""
        return os.path.join(self.out_dir, 'vis', f'{name}.png') if self.out_dir and not self.no_save_vis else None


@INFERENCERS.register_module()
class CountInferencer(BaseInferencer):
    """Count objects with any counter of mmcount or detector of mmdet.

    A detector counts one object for each box that scores at least ``score_thr``.

    Args:
        model: File of a config, a config, or a name of the metafiles of ``scope``. None takes the config that is in
            ``weights``.
        weights: Checkpoint. None takes those of the metafile, or random ones, with a warning.
        device: None takes CUDA where there is one, else the CPU.
        scope: Package whose metafiles know the name ``model``, and whose registries build a config that sets no
            ``default_scope``.
        show_progress: Show a bar.
        palette: RGB colours of the classes in pictures, over those of the data set.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: The weights do not fit the config, or neither holds a model.

    Example:
        ::

            result = CountInferencer('config.py', 'weights.pth')('photo.jpg')['predictions'][0]
            print(result.count, result.counts, result.points)
    """

    def __init__(
        self,
        model: ModelType | Path | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        scope: str = 'mmcount',
        show_progress: bool = True,
        palette: list[tuple[int, int, int]] | None = None,
    ) -> None:
        register_all_modules(init_default_scope=False)
        register_mmdet(init_default_scope=False)
        model = str(model) if isinstance(model, Path) else model
        self._check_config_file(model)
        self.palette = palette
        self.weights_sha256 = ''
        self.model_name = self._name(model, weights)
        device = device or ('cuda' if torch.cuda.is_available() else 'cpu')
        weights = None if weights is None else str(weights)
        super().__init__(model, weights, device, scope, show_progress)

    @staticmethod
    def _check_config_file(model: Any) -> None:
        if isinstance(model, str) and not os.path.isfile(model) and model.endswith(('.py', '.json', '.yaml', '.yml')):
            raise FileNotFoundError(f'config file not found: {model}')

    @staticmethod
    def _name(model: Any, weights: str | Path | None) -> str:
        """What the CSV calls the model: the stem of its config, its name, or the stem of its weights."""
        if isinstance(model, Config) and model.filename:
            model = model.filename
        if isinstance(model, str):
            return Path(model).stem if os.path.isfile(model) else model
        return Path(weights).stem if weights else 'model'

    @property
    def classes(self) -> tuple[str, ...]:
        """The C names of what is counted."""
        return self.model.dataset_meta['classes']

    def _init_model(self, cfg: Config | ConfigDict, weights: str | None, device: str = 'cpu') -> nn.Module:
        checkpoint = None
        if weights is None:
            warnings.warn('no weights were given: the model is random, and so is what it counts', stacklevel=3)
        else:
            if '://' not in weights and not os.path.isfile(weights):
                raise FileNotFoundError(f'weights not found: {weights}')
            checkpoint = _load_checkpoint(weights, map_location='cpu', logger='silent')
            if not cfg:
                cfg.update(checkpoint_config(checkpoint, weights))
            file = weights_file(weights)
            self.weights_sha256 = file_sha256(file) if file else ''
        if cfg.get('model') is None:
            raise ValueError('the config has no model')
        with self._config_scope(cfg):
            model = MODELS.build(cfg.model)
            if checkpoint is not None:
                unknown = load_weights(model, checkpoint, str(weights))
                if unknown:
                    print_log(f'{weights}: {len(unknown)} tensors are not used, first {unknown[0]}', 'current')
            model.dataset_meta = dataset_meta(checkpoint, cfg, model)
        if self.palette is not None:
            model.dataset_meta['palette'] = self.palette
        model.cfg = cfg
        return revert_sync_batchnorm(model).to(device).eval()

    def _config_scope(self, cfg: Config | ConfigDict) -> Any:
        return DefaultScope.overwrite_default_scope(cfg.get('default_scope') or self.scope)

    def _init_pipeline(self, cfg: Config | ConfigDict) -> Compose:
        with self._config_scope(cfg):
            self.loader, pipeline = build_pipeline(cfg)
        self.cap = max_instances(cfg, self.model)
        return pipeline

    def _init_visualizer(self, cfg: Config | ConfigDict) -> CountVisualizer:
        # Not the config's own: its backends would open files in a work dir.
        visualizer = CountVisualizer(name=f'count_inferencer_{id(self)}')
        visualizer.dataset_meta = self.model.dataset_meta
        return visualizer

    def list_inputs(self, inputs: Inputs, out_dir: str | Path = '') -> list[ImageInput]:
        """The images behind ``inputs``, see :func:`mmcount.apis.inputs.list_inputs`; earlier overlays are left out."""
        return list_inputs(inputs, os.path.join(out_dir, 'vis') if out_dir else None)

    def __call__(
        self, inputs: Inputs, return_datasamples: bool = False, return_vis: bool = False, **options: Any
    ) -> dict[str, list]:
        """Count the objects in all images and keep every result; :meth:`iterate` keeps none.

        Args:
            inputs: A path, a glob, a folder with its sub-folders, an (H, W, 3) uint8 BGR array, or a list of those.
            return_datasamples: Return the data samples instead of results; None for an image that failed.
            return_vis: Return the overlays, (H', W', 3) uint8 RGB; None for an image that failed.
            **options: Those of :class:`CountOptions`.

        Returns:
            ``predictions``, one :class:`mmcount.apis.CountResult` per image in the order of the inputs, and
            ``visualization``, as ``return_vis`` says. An image that could not be counted has ``error`` set; it does
            not end the run.

        Raises:
            FileNotFoundError: An input gives no image.
            ValueError: An array or an option is not valid.
        """
        chosen = CountOptions(**options)
        items = self.list_inputs(inputs, chosen.out_dir)
        stream = self._stream(items, chosen, return_vis)
        if self.show_progress:
            stream = iter(track(stream, description='Counting', total=len(items)))
        preds, visualization, failed = [], [], []
        for result, sample, picture in stream:
            preds.append(sample if return_datasamples else result)
            if return_vis:
                visualization.append(picture)
            if result.error is not None:
                failed.append(result)
        if failed:
            print_log(
                f'{len(failed)} of {len(preds)} images could not be counted; the first is {failed[0].image}: '
                f'{failed[0].error}',
                logger='current',
                level=logging.WARNING,
            )
        return self.postprocess(preds, visualization)

    def iterate(self, inputs: Inputs, **options: Any) -> Iterator[CountResult]:
        """Yield one result after the other; memory does not grow with the number of images.

        Arguments and errors are those of :meth:`__call__`, and everything is checked before this returns. CSV files
        get their names when the last result has been taken.
        """
        chosen = CountOptions(**options)
        stream = self._stream(self.list_inputs(inputs, chosen.out_dir), chosen)
        return (result for result, _, _ in stream)

    def _stream(self, items: list[ImageInput], options: CountOptions, return_vis: bool = False) -> Iterator[Counted]:
        """Check what can be checked, then hand out the generator that does the work."""
        options.tiles = tiles_for(self.model, options.tile, options.tile_mode)
        writer = None
        if options.csv is not None:
            writer = CountsCsv(
                options.csv, self.classes, self.model_name, self.weights_sha256, options.objects_csv, options.resume
            )
            items = [item for item in items if item.name not in writer.done]
        return self._counted(items, options, writer, return_vis)

    def _counted(
        self, items: list[ImageInput], options: CountOptions, writer: CountsCsv | None, return_vis: bool
    ) -> Iterator[Counted]:
        with writer or nullcontext():
            for item, image, sample, error in self._predicted(items, options):
                result, picture = CountResult(item.name, error=error), None
                if sample is not None and image is not None:
                    try:
                        result = self._result(sample, item.name, options)
                        out_file = options.overlay(item.name)
                        if out_file or return_vis:
                            picture = self.visualize([image], [sample], [out_file], options.score_thr)[0]
                    except OSError:
                        raise  # a folder that cannot be written is no fault of the image
                    except Exception as failure:
                        result, sample = CountResult(item.name, error=describe(failure)), None
                result.path = item.path
                if image is not None:
                    result.height, result.width = image.shape[:2]
                if writer is not None:
                    writer.write(result)
                yield result, sample, picture

    def _predicted(self, items: list[ImageInput], options: CountOptions) -> Iterator[OnItsWay]:
        """Load and predict, batch by batch."""
        remaining = iter(items)
        while chunk := list(islice(remaining, options.batch_size)):
            prepared = [self._prepare(item) for item in chunk]
            outcomes = iter(self._forward_each([packed for _, _, packed, _ in prepared if packed], options.tiles))
            for item, image, packed, error in prepared:
                outcome: Any = next(outcomes) if packed else None
                if isinstance(outcome, Exception):
                    error, outcome = describe(outcome), None
                yield item, image, outcome, error

    def _prepare(self, item: ImageInput) -> OnItsWay:
        image = None
        try:
            results: dict[str, Any] = dict(img_id=item.name, img_path=item.path)
            if item.array is not None:
                results.update(img=item.array, img_path=None)
            results = self.loader(results)
            image = results['img']
            # Transforms may write into their input.
            results.update(img=image.copy(), height=image.shape[0], width=image.shape[1])
            return item, image, self.pipeline(results), None
        except Exception as error:
            return item, image, None, describe(error)

    def _forward_each(self, batch: list[Any], tiles: MapTiles | None) -> list[Any]:
        """A data sample or an exception for each; a batch that fails runs again one by one."""
        if not batch:
            return []
        try:
            return list(self.forward(self.collate_fn(batch), tiles=tiles))
        except Exception as error:
            if len(batch) == 1:
                return [error]
        return [outcome for one in batch for outcome in self._forward_each([one], tiles)]

    @torch.no_grad()
    def forward(self, inputs: dict, tiles: MapTiles | None = None) -> list:
        """The data samples of a batch with their predictions."""
        if tiles is None:
            return self.model.test_step(inputs)
        data = self.model.data_preprocessor(inputs, False)
        return self.model.predict(data['inputs'], data['data_samples'], tiles=tiles)

    def _result(self, sample: Any, name: str, options: CountOptions) -> CountResult:
        if instances_are_all(sample) and is_at_cap(sample, self.cap, options.score_thr):
            sample.saturated = True
        return result_from_sample(
            sample, name, self.classes, options.score_thr, options.calibrated, options.return_density
        )

    def visualize(
        self, inputs: list[np.ndarray], preds: list, out_files: list[str | None], score_thr: float = 0.3
    ) -> list[np.ndarray]:
        """Draw predictions.

        Args:
            inputs: (H, W, 3) BGR images.
            preds: Their data samples.
            out_files: PNG files, or None to write none.
            score_thr: Lowest score of a detector's box that is drawn.

        Returns:
            (H', W', 3) uint8 RGB pictures.
        """
        pictures = []
        for image, sample, out_file in zip(inputs, preds, out_files, strict=True):
            rgb = cv2.cvtColor(np.clip(image, 0, 255).astype(np.uint8), cv2.COLOR_BGR2RGB)
            # Scores of a map's peaks are heights, which no threshold on confidence fits.
            threshold = score_thr if instances_are_all(sample) else 0.0
            options = dict(draw_gt=False, pred_score_thr=threshold)
            if out_file is None:
                pictures.append(self.visualizer.draw(rgb, sample, **options))
            else:
                self.visualizer.add_datasample('count', rgb, sample, out_file=out_file, **options)
                pictures.append(self.visualizer.get_image())
        return pictures

    def postprocess(self, preds: list, visualization: list, return_datasamples: bool = False, **kwargs: Any) -> dict:
        """Pack what :meth:`__call__` returns."""
        return dict(predictions=preds, visualization=visualization)


def describe(error: BaseException) -> str:
    """One line on an exception, with its type where the message alone would not say what kind of error it was."""
    # Libraries print objects with their addresses, which would make two runs differ.
    text = ' '.join(re.sub(r' at 0x[0-9a-fA-F]+', '', str(error)).split())
    return text if isinstance(error, (FileNotFoundError, ValueError)) and text else f'{type(error).__name__}: {text}'
