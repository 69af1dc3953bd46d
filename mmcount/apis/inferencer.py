"""Count the objects in pictures with any counter or detector."""

import logging
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from time import perf_counter
from typing import Any, Literal, NamedTuple

import cv2
import numpy as np
from mmdet.utils import register_all_modules as register_mmdet
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.infer.infer import BaseInferencer, ModelType
from mmengine.logging import print_log
from rich.progress import track
from torch import nn

from mmcount.models.counters import detection_cap
from mmcount.models.tiling import MapTiles, tiles_for
from mmcount.registry import INFERENCERS
from mmcount.structures.sample_fields import SCORE_THR
from mmcount.utils import register_all_modules
from mmcount.utils.quiet import quiet_imports
from mmcount.visualization import CountVisualizer

from .build_model import build_model, config_scope, is_fitted, prepared
from .image_predictor import ImagePredictor, OnItsWay, describe
from .inputs import ImageInput, InputList, Inputs, list_inputs
from .model_info import build_pipeline, fixed_size
from .model_source import find_model, scale_for
from .options import CountOptions, Tile, checked_device
from .result_files import ResultFiles
from .results import LARGEST_PX, CountResult, CountResults
from .sample_results import instances_are_all, is_at_cap, result_from_sample


class Counted(NamedTuple):
    """A result, the data sample that it was read from, and its overlay."""

    result: CountResult
    sample: Any
    picture: np.ndarray | None


@INFERENCERS.register_module()
class CountInferencer(BaseInferencer):
    """Count objects with any counter of mmcount or detector of mmdet.

    A detector counts one object for each box that scores at least ``score_thr``.

    Args:
        model: Name of a model that comes along, file of a config, file of weights that bring their config, a config, or
            a name of the metafiles of ``scope``. None takes the config that is in ``weights``.
        weights: Checkpoint. None takes those that belong to the model, or random ones, with a warning.
        device: None takes CUDA where there is one, else the CPU.
        scope: Package whose metafiles know the name ``model``, and whose registries build a config that sets no
            ``default_scope``.
        show_progress: Show a bar.
        palette: RGB colours of the classes in pictures, over those of the data set.
        precision: 'fp32' gives the numbers of the trained model up to rounding; where the model allows it,
            normalisation is folded and large kernels go through the frequency domain. 'bf16' computes the features in
            bfloat16, which is faster and changes the counts: those of maps usually by less than 1 %, and of a detector
            boxes near the threshold come or go. Tables then call the model ``<name>@bf16``. A model that cannot run so
            is refused. See :func:`mmcount.models.deploy.prepare_inference`.
        tile: Default of the option ``tile`` of each call.
        trust_checkpoint: Unpickle any object in the checkpoint, which runs code of the file: for your own files only.

    Raises:
        FileNotFoundError: There is no such config or checkpoint.
        ValueError: There is no model of that name, the weights do not fit the config, neither holds a model, it
            cannot run in bf16, or the device is absent.

    Example:
        ::

            result = CountInferencer('cells')('photo.jpg')[0]
            print(result.count, result.points)
    """

    model: Any
    predictor: ImagePredictor

    def __init__(
        self,
        model: ModelType | Path | None = None,
        weights: str | Path | None = None,
        device: str | None = None,
        scope: str = 'mmcount',
        show_progress: bool = True,
        palette: list[tuple[int, int, int]] | None = None,
        precision: Literal['fp32', 'bf16'] = 'fp32',
        tile: Tile = None,
        trust_checkpoint: bool = False,
    ) -> None:
        with quiet_imports():
            register_all_modules(init_default_scope=False)
            register_mmdet(init_default_scope=False)
        CountOptions(tile=tile)
        self.palette = palette
        self.precision = precision
        self.tile = tile
        device = checked_device(device)
        self.source = find_model(model, weights, scope, trust_checkpoint)
        self.rename(self.source.name, self.source.sha256)
        super().__init__(self.source.cfg, self.source.weights or None, device, scope, show_progress)

    def rename(self, name: str, weights_sha256: str) -> None:
        """Set what results call the model and its weights."""
        self.model_name = name + ('@bf16' if self.precision == 'bf16' else '')
        self.weights_sha256 = weights_sha256

    @property
    def classes(self) -> tuple[str, ...]:
        """The C names of what is counted."""
        return self.model.dataset_meta['classes']

    def _init_model(self, cfg: Config | ConfigDict, weights: str | None, device: str = 'cpu') -> nn.Module:
        model = build_model(self.source, self.scope)
        if self.palette is not None:
            model.dataset_meta['palette'] = self.palette
        return prepared(model, self.precision).to(device).eval()

    def use_model(self, model: nn.Module) -> None:
        """Count with other weights from now on.

        Args:
            model: Of the same config, not prepared.
        """
        model.dataset_meta, model.cfg = self.model.dataset_meta, self.model.cfg
        device = next(self.model.parameters()).device
        self.model = self.predictor.model = prepared(model.eval(), self.precision).to(device).eval()

    def _init_pipeline(self, cfg: Config | ConfigDict) -> Compose:
        with config_scope(cfg, self.scope):
            self.loader, pipeline = build_pipeline(cfg)
        self.cap = detection_cap(self.model)
        return pipeline

    def _init_collate(self, cfg: Config | ConfigDict) -> Any:
        collate = super()._init_collate(cfg)
        self.predictor = ImagePredictor(self.model, self.loader, self.pipeline, collate)
        if self.precision == 'bf16':
            self._try_bf16()
        return collate

    def _try_bf16(self) -> None:
        """Run once: what takes features out of the network may not bear another type.

        Raises:
            ValueError: It does not.
        """
        image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
        one = next(self.predictor.predict([ImageInput('trial', array=image)]))
        # So small an image may be refused for other reasons, which do not concern large ones.
        if one.error is not None and ('dtype' in one.error or 'BFloat16' in one.error):
            raise ValueError(f"{type(self.model).__name__} cannot run in bf16: {one.error}; use precision='fp32'")

    def forward(self, inputs: dict, **kwargs: Any) -> list:
        """The data samples of a batch with their predictions."""
        return self.predictor.forward(inputs, **kwargs)

    def _init_visualizer(self, cfg: Config | ConfigDict) -> CountVisualizer:
        # Not the config's own: its backends would open files in a work dir.
        visualizer = CountVisualizer(name=f'count_inferencer_{id(self)}', largest_px=LARGEST_PX)
        visualizer.dataset_meta = self.model.dataset_meta
        return visualizer

    def list_inputs(self, inputs: Inputs, overlay: str | Path | None = None) -> InputList:
        """The images behind ``inputs``, see :func:`mmcount.apis.inputs.list_inputs`; earlier overlays are left out."""
        return list_inputs(inputs, overlay, self.loader)

    def __call__(
        self, inputs: Inputs, return_datasamples: bool = False, return_vis: bool = False, **options: Any
    ) -> CountResults:
        """Count the objects in all images and keep every result; :meth:`iterate` keeps none.

        Args:
            inputs: A path, a glob, a folder with its sub-folders, an (H, W, 3) uint8 BGR or (H, W) grey array, a PIL
                image, or a list of those.
            return_datasamples: Also keep the data samples, under ``['predictions']``; None for an image that failed.
            return_vis: Also keep the overlays, under ``['visualization']``: (H', W', 3) uint8 RGB; None for an image
                that failed.
            **options: Those of :class:`CountOptions`.

        Returns:
            One result per image in the order of the inputs. An image that could not be counted has ``error`` set; it
            does not end the run.

        Raises:
            FileNotFoundError: An input gives no image.
            ValueError: An array or an option is not valid.
        """
        chosen = CountOptions(**options)
        items = self.list_inputs(inputs, chosen.overlay)
        stream = self._stream(items, chosen, return_vis)
        if self.show_progress:
            stream = iter(track(stream, description='Counting', total=len(items)))
        results, samples, pictures = [], [], []
        for result, sample, picture in stream:
            results.append(result)
            if return_datasamples:
                samples.append(sample)
            if return_vis:
                pictures.append(picture)
        counted = CountResults(results, samples if return_datasamples else None, pictures)
        if counted.failed:
            first = counted.failed[0]
            print_log(
                f'{len(counted.failed)} of {len(counted)} images could not be counted; the first is {first.image}: '
                f'{first.error}',
                logger='current',
                level=logging.WARNING,
            )
        return counted

    def iterate(self, inputs: Inputs, **options: Any) -> Iterator[CountResult]:
        """Yield one result after the other; memory does not grow with the number of images.

        Arguments and errors are those of :meth:`__call__`, and everything is checked before this returns. Files get
        their names when the last result has been taken.
        """
        chosen = CountOptions(**options)
        stream = self._stream(self.list_inputs(inputs, chosen.overlay), chosen)
        return (one.result for one in stream)

    def _stream(self, items: InputList, options: CountOptions, return_vis: bool = False) -> Iterator[Counted]:
        """Check what can be checked, then hand out the generator that does the work."""
        options.tiles = self._tiles(self.tile if options.tile is None else options.tile, options.tile_mode)
        options.scale = self._scale(options)
        if options.calibrated and not is_fitted(self.model):
            raise ValueError(
                f'{self.model_name} has no line fitted on labelled images: leave calibrated off, or fit one'
            )
        files = None
        if any(path is not None for path in (options.csv, options.objects_csv, options.json, options.coco)):
            files = ResultFiles(
                self.classes,
                self.model_name,
                self.weights_sha256,
                options.csv,
                options.objects_csv,
                options.json,
                options.coco,
                options.resume,
                dict(score_thr=options.score_thr, calibrated=options.calibrated, scale=options.scale),
            )
            items = InputList([item for item in items if item.name not in files.done])
        return self._counted(items, options, files, return_vis)

    def _tiles(self, tile: Tile, mode: Literal['exact', 'average']) -> MapTiles | None:
        if tile != 'auto':
            return tiles_for(self.model, tile, mode)
        if getattr(self.model, 'tiles', None) is not None:
            return None  # the model's own
        reason: ValueError | None = None
        for size in (1024, 2048, 4096):
            try:
                return tiles_for(self.model, size, mode)
            except ValueError as error:
                reason = error
        print_log(f"tile='auto' sees images whole: {reason}", 'current')
        return None

    def _scale(self, options: CountOptions) -> float:
        scale = options.scale
        if options.object_size is not None:
            trained = None if self.source.card is None else self.source.card.object_size
            if trained is None:
                raise ValueError(
                    f'{self.model_name} does not say how large the objects were that it was trained on, so object_size '
                    'has nothing to refer to: give scale'
                )
            scale = scale_for(options.object_size, trained)
        if scale is None or scale == 1:
            return 1.0
        size = fixed_size(self.pipeline)
        if size is not None:
            raise ValueError(f'scale has no effect on {self.model_name}: its pipeline resizes every image to {size}')
        return scale

    def _counted(
        self, items: InputList, options: CountOptions, files: ResultFiles | None, return_vis: bool
    ) -> Iterator[Counted]:
        with files or nullcontext():
            for one in self.predictor.predict(items, options.batch_size, options.scale or 1.0, options.tiles):
                result, picture = CountResult(one.item.name, error=one.error), None
                if one.sample is not None and one.image is not None:
                    try:
                        result = self._result(one, options)
                        out_file = options.overlay_file(one.item.name)
                        if out_file or return_vis:
                            started = perf_counter()
                            picture = self.visualize([one.image], [one.sample], [out_file], options.score_thr)[0]
                            one.timings['draw'] = perf_counter() - started
                    except OSError:
                        raise  # a folder that cannot be written is no fault of the image
                    except Exception as failure:
                        result, one.sample = CountResult(one.item.name, error=describe(failure)), None
                result.path, result.timings = one.item.path, one.timings
                if one.image is not None:
                    result.height, result.width = one.image.shape[:2]
                if files is not None:
                    files.write(result)
                yield Counted(result, one.sample, picture)

    def _result(self, one: OnItsWay, options: CountOptions) -> CountResult:
        sample = one.sample
        if instances_are_all(sample) and is_at_cap(sample, self.cap, options.score_thr):
            sample.saturated = True
        result = result_from_sample(
            sample, one.item.name, self.classes, options.score_thr, options.calibrated, options.return_density
        )
        result.scale = options.scale or 1.0
        result.pixels, result.palette = one.item.array, self.model.dataset_meta.get('palette')
        result.loader = self.loader
        return result

    def visualize(
        self, inputs: list[np.ndarray], preds: list, out_files: list[str | None], score_thr: float = SCORE_THR
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
            options = dict(draw_gt=False, pred_score_thr=score_thr)
            if out_file is None:
                pictures.append(self.visualizer.draw(rgb, sample, **options))
            else:
                self.visualizer.add_datasample('count', rgb, sample, out_file=out_file, **options)
                pictures.append(self.visualizer.get_image())
        return pictures

    def postprocess(self, preds: list, visualization: list, return_datasamples: bool = False, **kwargs: Any) -> dict:
        """Pack what MMEngine's inferencers return; :meth:`__call__` returns :class:`CountResults`."""
        return dict(predictions=preds, visualization=visualization)
