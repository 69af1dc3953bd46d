"""Denser scenes out of the ones there are: light adds up, and so do counts."""

import torch
from mmengine.structures import PixelData
from torch import Tensor, nn

from mmcount.registry import MODELS


@MODELS.register_module()
class Superpose(nn.Module):
    """Add the light and the target of one image of the batch to another's.

    In fluorescence microscopy the picture of two layers of cells is the sum of the pictures, and every codec of this
    package is additive, so the sum has an exact target. A counter that saw few crowded images otherwise counts too few
    in them. Only for images whose background is dark.

    Args:
        prob: Probability that an image gets another one added.
        max_value: Where the sensor saturates, in normalised units.

    Example:
        >>> from mmcount.structures import CountDataSample
        >>> samples = [CountDataSample(gt_map=PixelData(data=torch.full((1, 2, 2), float(i)))) for i in (1, 2)]
        >>> images, _ = Superpose(prob=1.0)(torch.full((2, 3, 4, 4), 0.3), samples)
        >>> round(float(images.max()), 1), samples[0].gt_map.data.max()
        (0.6, tensor(3.))
    """

    def __init__(self, prob: float = 0.3, max_value: float = 1.0) -> None:
        super().__init__()
        if not 0 <= prob <= 1:
            raise ValueError(f'prob must lie between 0 and 1, got {prob}')
        self.prob = prob
        self.max_value = max_value

    def forward(self, inputs: Tensor, data_samples: list) -> tuple[Tensor, list]:
        """(B, C, H, W) images and their samples -> the same, some of them sums."""
        partner = torch.arange(len(inputs)).roll(1)
        chosen = torch.rand(len(inputs)) < self.prob
        maps = [sample.gt_map.data for sample in data_samples]
        light = inputs[partner] * chosen.to(inputs)[:, None, None, None]
        for index in torch.nonzero(chosen).flatten().tolist():
            other = maps[int(partner[index])]
            if other.shape != maps[index].shape:
                raise ValueError(
                    f'only targets of one shape add up, got {tuple(maps[index].shape)} and {tuple(other.shape)}'
                )
            data_samples[index].gt_map = PixelData(data=maps[index] + other)
        return (inputs + light).clamp(max=self.max_value), data_samples
