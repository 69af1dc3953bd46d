"""Images of one size out of a mixed batch."""

from collections.abc import Iterator
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
