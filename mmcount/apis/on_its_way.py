"""Images between their files and their results, and what is done to them and to the model before they meet."""

import re
from typing import Any

import cv2
import numpy as np
from torch import nn

from mmcount.models.deploy import prepare_inference

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


def resized(image: np.ndarray, scale: float) -> np.ndarray:
    """An (H, W, 3) image at another size: averaged if it gets smaller, interpolated if larger."""
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)


def prepared(model: nn.Module, precision: str) -> nn.Module:
    """A model for inference only, see :func:`mmcount.models.deploy.prepare_inference`.

    In fp32 the numbers are the same up to rounding, so a model that cannot be prepared runs as it is.

    Raises:
        ValueError: The precision is none, or is another than fp32 and the model cannot be prepared.
    """
    try:
        return prepare_inference(model, precision)
    except TypeError as error:
        if precision == 'fp32':
            return model
        raise ValueError(f"{type(model).__name__} cannot run in {precision}: {error}; use precision='fp32'") from error


def describe(error: BaseException) -> str:
    """One line on an exception, with its type where the message alone would not say what kind of error it was."""
    # Libraries print objects with their addresses, which would make two runs differ.
    text = ' '.join(re.sub(r' at 0x[0-9a-fA-F]+', '', str(error)).split())
    return text if isinstance(error, (FileNotFoundError, ValueError)) and text else f'{type(error).__name__}: {text}'
