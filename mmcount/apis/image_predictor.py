"""From images to data samples with predictions, batch by batch; an image that fails does not end the run."""

import re
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from time import perf_counter
from typing import Any

import cv2
import numpy as np
import torch
from torch import nn

from mmcount.models.tiling import MapTiles

from .inputs import ImageInput


class OnItsWay:
    """An image between its file and its result.

    Attributes:
        item: What is counted.
        image: (H, W, 3) BGR as loaded; None if it could not be.
        packed: What the pipeline made; then None once the model has seen it.
        sample: What the model predicted.
        error: Why there is no sample.
        timings: Seconds.
    """

    def __init__(self, item: ImageInput) -> None:
        self.item = item
        self.image: np.ndarray | None = None
        self.packed: Any = None
        self.sample: Any = None
        self.error: str | None = None
        self.timings: dict[str, float] = {}


class ImagePredictor:
    """Loads, prepares and predicts images.

    Args:
        model: In evaluation mode.
        loader: From a dict with ``img_path`` or ``img`` to one with ``img``.
        pipeline: From that to what the model takes.
        collate: From a list of these to a batch.
    """

    def __init__(self, model: nn.Module, loader: Callable, pipeline: Callable, collate: Callable) -> None:
        self.model = model
        self.loader = loader
        self.pipeline = pipeline
        self.collate = collate

    def predict(
        self, items: Iterable[ImageInput], batch_size: int = 1, scale: float = 1.0, tiles: MapTiles | None = None
    ) -> Iterator[OnItsWay]:
        """Load and predict, batch by batch; images of one size run together, so that none is padded for another.

        Args:
            items: The images.
            batch_size: Images that are loaded, and run if they have one size, together.
            scale: What images are resized by.
            tiles: How to divide large images; None does what the model says.
        """
        remaining = iter(items)
        while chunk := list(islice(remaining, batch_size)):
            chunk_of_images = [self.prepare(item, scale) for item in chunk]
            groups: dict[tuple, list[OnItsWay]] = {}
            for one in chunk_of_images:
                if one.packed is not None:
                    groups.setdefault(tuple(one.packed['inputs'].shape), []).append(one)
            for group in groups.values():
                self._forward_each(group, tiles)
            yield from chunk_of_images

    def prepare(self, item: ImageInput, scale: float = 1.0) -> OnItsWay:
        """Load an image, resize it and run the pipeline."""
        one = OnItsWay(item)
        started = perf_counter()
        try:
            results: dict[str, Any] = dict(img_id=item.name, img_path=item.path)
            if item.array is not None:
                results.update(img=item.array, img_path=None)
            results = self.loader(results)
            one.image = image = results['img']
            # Transforms may write into their input.
            shown = image.copy() if scale == 1 else resized(image, scale)
            results.update(img=shown, img_shape=shown.shape[:2], height=image.shape[0], width=image.shape[1])
            one.packed = self.pipeline(results)
            if scale != 1:
                # Whatever the pipeline did comes on top; who writes predictions undoes both.
                own = one.packed['data_samples'].get('scale_factor', (1.0, 1.0))
                factors = shown.shape[1] / image.shape[1] * own[0], shown.shape[0] / image.shape[0] * own[1]
                one.packed['data_samples'].set_metainfo(dict(scale_factor=factors, ori_shape=image.shape[:2]))
        except Exception as error:
            one.packed, one.error = None, describe(error)
        one.timings['load'] = perf_counter() - started
        return one

    def _forward_each(self, group: list[OnItsWay], tiles: MapTiles | None) -> None:
        """Predict images of one size; a batch that fails runs again one by one."""
        started = perf_counter()
        try:
            samples = list(self.forward(self.collate([one.packed for one in group]), tiles=tiles))
        except Exception as error:
            if len(group) > 1:
                for one in group:
                    self._forward_each([one], tiles)
                return
            group[0].error, samples = describe(error), [None]
        for one, sample in zip(group, samples, strict=True):
            one.sample, one.packed = sample, None
            one.timings['predict'] = (perf_counter() - started) / len(group)

    @torch.no_grad()
    def forward(self, inputs: dict, tiles: MapTiles | None = None) -> list:
        """The data samples of a batch with their predictions."""
        if tiles is None:
            return self.model.test_step(inputs)
        data = self.model.data_preprocessor(inputs, False)
        return self.model.predict(data['inputs'], data['data_samples'], tiles=tiles)


def resized(image: np.ndarray, scale: float) -> np.ndarray:
    """An (H, W, 3) image at another size: averaged if it gets smaller, interpolated if larger."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def describe(error: BaseException) -> str:
    """One line on an exception, with its type where the message alone would not say what kind of error it was."""
    # Libraries print objects with their addresses, which would make two runs differ.
    text = ' '.join(re.sub(r' at 0x[0-9a-fA-F]+', '', str(error)).split())
    return text if isinstance(error, (FileNotFoundError, ValueError)) and text else f'{type(error).__name__}: {text}'
