"""Images of several sizes in one batch, predicted as if each were alone."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

from mmdet.structures import DetDataSample
from torch import Tensor

Predict = Callable[[Tensor, list[Any]], list[Any]]


def padded_shape(sample: DetDataSample, batch_shape: tuple[int, int]) -> tuple[int, int]:
    """(height, width) that an image is padded to when it is alone; the whole batch's where nobody says it, px."""
    height, width = (sample.get('pad_shape') or batch_shape)[:2]
    return int(height), int(width)


def predict_by_size(predict: Predict, batch_inputs: Tensor, samples: Sequence[Any]) -> list[Any]:
    """Predict images of one padded size together, so that no image sees the padding that another one brought.

    Padding does not stay zero: after the first normalisation or bias it is a surface of its own, which moves what
    detectors find near the borders. What the preprocessor pads an image with even when it is alone stays.

    Args:
        predict: Takes (b, C, h, w) inputs and their b samples, and gives b results.
        batch_inputs: (B, C, H, W), images at the top left.
        samples: B samples with ``pad_shape``, as mmdet's data preprocessor writes it. ``batch_input_shape`` becomes
            the size that the image was predicted with.

    Returns:
        B results in the order of the samples.

    Example:
        >>> import torch
        >>> samples = [DetDataSample(metainfo=dict(pad_shape=(8, width))) for width in (8, 16, 8)]
        >>> predict_by_size(lambda inputs, group: [tuple(inputs.shape)] * len(group), torch.zeros(3, 1, 8, 16), samples)
        [(2, 1, 8, 8), (1, 1, 8, 16), (2, 1, 8, 8)]
    """
    whole = (int(batch_inputs.shape[-2]), int(batch_inputs.shape[-1]))
    groups: dict[tuple[int, int], list[int]] = defaultdict(list)
    for index, sample in enumerate(samples):
        groups[padded_shape(sample, whole)].append(index)
    if set(groups) <= {whole}:
        return predict(batch_inputs, list(samples))
    results: dict[int, Any] = {}
    for (height, width), members in groups.items():
        group = [samples[index] for index in members]
        for sample in group:
            sample.set_metainfo(dict(batch_input_shape=(height, width)))
        found = predict(batch_inputs[members, :, :height, :width], group)
        results.update(zip(members, found, strict=True))
    return [results[index] for index in range(len(samples))]
