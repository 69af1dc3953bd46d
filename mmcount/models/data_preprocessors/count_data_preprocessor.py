"""From uint8 images to normalised, padded batches."""

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from mmengine.model import BaseDataPreprocessor
from torch import Tensor

from mmcount.registry import MODELS
from mmcount.utils.moved_options import refuse_moved


@MODELS.register_module()
class CountDataPreprocessor(BaseDataPreprocessor):
    """Normalise the images, give each its halo of zeros, and stack them.

    Zeros are added after the normalisation, so they are what the network's own zero padding would be. Smaller images of
    a batch are padded further at the bottom and right, which counters cut off again before they predict.

    Args:
        mean: Per channel, in the order after ``bgr_to_rgb``.
        std: Per channel.
        bgr_to_rgb: Images come as BGR.
        pad_size_divisor: Height and width of the batch, its halo included, become multiples of it by zeros at the
            bottom and right.
        channels_last: Lay the batch out as (B, H, W, C) in memory; faster in bfloat16.
        non_blocking: Copy to the device without waiting.
        **moved: None; names an option of before with its replacement.

    Attributes:
        halo: Zeros on every side, pixels, that the counter sets from its codec; images that a crop gave a halo already
            (metainfo ``halo``) get none.

    Raises:
        ValueError: images with and without a halo in one batch, a halo of another width, or ``pad_size_divisor``
            below 1.
    """

    def __init__(
        self,
        mean: Sequence[float] = (0.0, 0.0, 0.0),
        std: Sequence[float] = (255.0, 255.0, 255.0),
        bgr_to_rgb: bool = True,
        pad_size_divisor: int = 1,
        channels_last: bool = False,
        non_blocking: bool = False,
        **moved: Any,
    ) -> None:
        super().__init__(non_blocking)
        refuse_moved(type(self).__name__, moved, dict(halo='it is that of the codec of the head'))
        if len(mean) != len(std):
            raise ValueError(f'mean and std need one value per channel, got {len(mean)} and {len(std)}')
        self.register_buffer('mean', torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer('std', torch.tensor(std).view(-1, 1, 1), persistent=False)
        self.bgr_to_rgb = bgr_to_rgb
        if pad_size_divisor < 1:
            raise ValueError(f'pad_size_divisor must be at least 1, got {pad_size_divisor}')
        self.halo = 0
        self.pad_size_divisor = pad_size_divisor
        self.channels_last = channels_last

    def forward(self, data: dict, training: bool = False) -> dict:
        """Images to a batch.

        Args:
            data: ``inputs``: list of (C, H, W) uint8, or (B, C, H, W); ``data_samples``, optional.
            training: Unused.

        Returns:
            ``inputs`` (B, C, H', W') float32. Samples get ``pad_shape``, what the image needs alone, and
            ``batch_input_shape``, both (height, width) without the halo that is added here.
        """
        data = self.cast_data(data)
        images = [self._normalise(image) for image in data['inputs']]
        samples = data.get('data_samples')
        halo = self._missing_halo(samples)
        height, width = (self._padded(max(image.shape[dim] for image in images), 2 * halo) for dim in (1, 2))
        batch = torch.stack(
            [
                F.pad(image, (halo, halo + width - image.shape[2], halo, halo + height - image.shape[1]))
                for image in images
            ]
        )
        if self.channels_last:
            batch = batch.contiguous(memory_format=torch.channels_last)
        for image, sample in zip(images, samples or (), strict=False):
            own = tuple(self._padded(side, 2 * halo) for side in image.shape[1:])
            sample.set_metainfo(dict(batch_input_shape=(height, width), pad_shape=own))
        return dict(inputs=batch, data_samples=samples)

    def _normalise(self, image: Tensor) -> Tensor:
        if self.bgr_to_rgb and image.shape[0] == 3:
            image = image[[2, 1, 0]]
        if image.shape[0] != self.mean.shape[0]:
            raise ValueError(f'the image has {image.shape[0]} channels, mean and std have {self.mean.shape[0]}')
        return (image.float() - self.mean) / self.std

    def _padded(self, length: int, halo: int) -> int:
        return -(-(length + halo) // self.pad_size_divisor) * self.pad_size_divisor - halo

    def _missing_halo(self, samples: list | None) -> int:
        halos = {sample.get('halo', 0) or 0 for sample in samples or ()} or {0}
        if halos == {0}:
            return self.halo
        if halos != {self.halo}:
            raise ValueError(f'the model needs a halo of {self.halo} pixels, the batch has crops with {sorted(halos)}')
        return 0
