"""Images of one size out of a mixed batch."""

from collections.abc import Callable, Iterator
from typing import TypeVar

from mmdet.structures import DetDataSample
from torch import Tensor

Sample = TypeVar('Sample', bound=DetDataSample)


def size_groups(inputs: Tensor, data_samples: list[Sample], halo: int = 0) -> Iterator[tuple[list[int], Tensor]]:
    """Split a padded batch into groups of images that need no padding for each other.

    Zeros around a smaller image stay zero only up to the first normalisation; from there on they would change its
    count. Each image is cut out with the padding that it would have alone, so that its neighbours never matter.

    Args:
        inputs: (B, C, H, W), images at the top left, zeros at the bottom and right.
        data_samples: Their ``pad_shape`` is the size that each image needs alone; without it they all fill the batch.
            ``batch_input_shape`` becomes that of the group.
        halo: Zeros that the data preprocessor put around each image, pixels.

    Yields:
        Indices of the images of one size, and their (b, C, h, w) inputs.
    """
    whole = inputs.shape[2] - 2 * halo, inputs.shape[3] - 2 * halo
    groups: dict[tuple[int, int], list[int]] = {}
    for index, sample in enumerate(data_samples):
        height, width = sample.get('pad_shape', whole)[:2]
        groups.setdefault((int(height), int(width)), []).append(index)
    for (height, width), indices in groups.items():
        own = inputs[:, :, : height + 2 * halo, : width + 2 * halo]
        if len(indices) < len(data_samples):
            own = own[indices]
        for index in indices:
            data_samples[index].set_metainfo(dict(batch_input_shape=(height, width)))
        yield indices, own


def predict_by_size(
    predict: Callable[[Tensor, list[Sample]], list[Sample]], inputs: Tensor, data_samples: list[Sample]
) -> list[Sample]:
    """Predict the groups of :func:`size_groups` one after the other.

    Args:
        predict: Takes (b, C, h, w) inputs and their b samples, and gives b results.
        inputs: (B, C, H, W), images at the top left.
        data_samples: Their B samples.

    Returns:
        B results in the order of the samples.

    Example:
        >>> import torch
        >>> samples = [DetDataSample(metainfo=dict(pad_shape=(8, width))) for width in (8, 16, 8)]
        >>> predict_by_size(lambda inputs, group: [tuple(inputs.shape)] * len(group), torch.zeros(3, 1, 8, 16), samples)
        [(2, 1, 8, 8), (1, 1, 8, 16), (2, 1, 8, 8)]
    """
    results: dict[int, Sample] = {}
    for indices, own in size_groups(inputs, data_samples):
        # Features that were computed for a batch are found by the identity of its inputs.
        own = inputs if own.shape == inputs.shape else own
        found = predict(own, [data_samples[index] for index in indices])
        results.update(zip(indices, found, strict=True))
    return [results[index] for index in range(len(data_samples))]
