"""From which confidence on a cell belongs to an object: one number, one for each image, or one for each place.

The binarization module of Gao et al., "Learning Independent Instance Maps for Crowd Localization", 2020. All kinds are
called with the features and the confidence of any dense head and give a map of thresholds with the shape of the
confidence, so they can stand in for each other in a config.
"""

from abc import ABCMeta, abstractmethod
from collections.abc import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule
from torch import Tensor, nn

from mmcount.registry import MODELS

from .functional import compressed_sigmoid


class ThresholdModule(BaseModule, metaclass=ABCMeta):
    """Base of the thresholds.

    Shape:
        feats: (B, C, h, w).
        confidence: (B, K, H, W).
        Returns: (B, K, H, W) float32, perhaps an expanded view.
    """

    @abstractmethod
    def forward(self, feats: Tensor, confidence: Tensor) -> Tensor:
        """The threshold of every cell of the confidence map."""


@MODELS.register_module()
class FixedThreshold(ThresholdModule):
    """The same number everywhere; nothing is learned.

    Args:
        value: The threshold.

    Raises:
        ValueError: ``value`` is not in 0..1.

    Example:
        >>> import torch
        >>> FixedThreshold(0.5)(torch.zeros(1, 8, 1, 1), torch.zeros(1, 1, 1, 2)).tolist()
        [[[[0.5, 0.5]]]]
    """

    def __init__(self, value: float = 0.5) -> None:
        super().__init__()
        if not 0 <= value <= 1:
            raise ValueError(f'value must be in 0..1, got {value}')
        self.value = float(value)

    def forward(self, feats: Tensor, confidence: Tensor) -> Tensor:
        """The number, in the shape of ``confidence``."""
        return confidence.new_tensor(self.value).float().expand_as(confidence)


class LearnedThreshold(ThresholdModule):
    """Base of the learned thresholds: they look at the features weighted by the confidence, and teach neither.

    Args:
        num_classes: K; with several, features are weighted by the highest confidence of any class.
        feat_stride: Cells of the confidence map between two cells of the features.
        threshold_stride: Cells of the confidence map between two thresholds, a multiple of ``feat_stride``.
        logit_scale: Factor on the logits; the 10 is that of the released code.
        compression: As in :func:`compressed_sigmoid`.
        offset: As in :func:`compressed_sigmoid`.
        init_cfg: Initialisation; PyTorch's own by default, as published.

    Raises:
        ValueError: A stride is below 1, or one is no multiple of the other.
    """

    def __init__(
        self,
        num_classes: int = 1,
        feat_stride: int = 4,
        threshold_stride: int = 8,
        logit_scale: float = 10.0,
        compression: float = 2.0,
        offset: float = 0.2,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if feat_stride < 1 or threshold_stride < 1 or threshold_stride % feat_stride:
            raise ValueError(
                'threshold_stride must be a multiple of feat_stride, both at least 1, got '
                f'threshold_stride={threshold_stride} and feat_stride={feat_stride}'
            )
        self.num_classes = num_classes
        self.feat_stride = feat_stride
        self.threshold_stride = threshold_stride
        self.logit_scale = logit_scale
        self.compression = compression
        self.offset = offset

    def forward(self, feats: Tensor, confidence: Tensor) -> Tensor:
        """The threshold of every cell of the confidence map.

        Raises:
            ValueError: ``confidence`` has another number of classes, or ``feats`` do not lie ``feat_stride`` cells
                apart on it.
        """
        if confidence.shape[1] != self.num_classes:
            raise ValueError(
                f'{type(self).__name__} has num_classes={self.num_classes}, the confidence map has '
                f'{confidence.shape[1]} classes'
            )
        # The first cell of each block stands for it, which is what nearest interpolation takes.
        weight = confidence.detach().amax(dim=1, keepdim=True)[..., :: self.threshold_stride, :: self.threshold_stride]
        step = self.threshold_stride // self.feat_stride
        feats = feats.detach()[..., ::step, ::step]
        if feats.shape[-2:] != weight.shape[-2:]:
            raise ValueError(
                f'features and confidence do not fit: every {step}th feature gives {tuple(feats.shape[-2:])} cells, '
                f'every {self.threshold_stride}th confidence {tuple(weight.shape[-2:])}; expected features '
                f'{self.feat_stride} cells of the confidence map apart'
            )
        logits = self.logits(feats * weight.to(feats.dtype)).float() * self.logit_scale
        return self.spread(compressed_sigmoid(logits, self.compression, self.offset), confidence)

    @abstractmethod
    def logits(self, feats: Tensor) -> Tensor:
        """(B, C, h', w') weighted features to logits."""

    @abstractmethod
    def spread(self, threshold: Tensor, confidence: Tensor) -> Tensor:
        """Thresholds from logits, in the shape of ``confidence``."""


@MODELS.register_module()
class ImageThreshold(LearnedThreshold):
    """One threshold for each image: the image-level binarization module (IBM).

    The paper names no activation; this one shares the pixel-level module's.

    Args:
        in_channels: C, channels of the features.
        num_classes: K.
        **kwargs: As :class:`LearnedThreshold`.

    Example:
        >>> import torch
        >>> module = ImageThreshold(in_channels=8)
        >>> threshold = module(torch.rand(1, 8, 4, 6), torch.rand(1, 1, 16, 24))
        >>> threshold.shape, len(threshold.unique())
        (torch.Size([1, 1, 16, 24]), 1)
    """

    def __init__(self, in_channels: int = 720, num_classes: int = 1, **kwargs) -> None:
        super().__init__(num_classes, **kwargs)
        self.conv = nn.Conv2d(in_channels, num_classes, 1, bias=False)

    def logits(self, feats: Tensor) -> Tensor:
        """(B, C, h', w') to (B, K, 1, 1)."""
        return self.conv(feats).float().mean(dim=(2, 3), keepdim=True)

    def spread(self, threshold: Tensor, confidence: Tensor) -> Tensor:
        """The number of each image and class, expanded."""
        return threshold.expand_as(confidence)


@MODELS.register_module()
class PixelThreshold(LearnedThreshold):
    """A threshold for every block of cells: the pixel-level binarization module (PBM).

    Nothing has a bias: where features or confidence are 0, so are the logits, and the threshold is 0.533. The mean
    filters count the zeros around the map, which pulls thresholds towards that number near the borders.

    Args:
        in_channels: C, channels of the features.
        num_classes: K.
        feat_channels: Channels behind each 3x3 convolution.
        pool_size: Side of the mean filters, odd.
        **kwargs: As :class:`LearnedThreshold`.

    Raises:
        ValueError: ``pool_size`` is not odd, or ``feat_channels`` is empty.

    Example:
        >>> import torch
        >>> module = PixelThreshold(in_channels=8, feat_channels=(8, 4), pool_size=3)
        >>> threshold = module(torch.rand(1, 8, 4, 6), torch.rand(1, 1, 16, 24))
        >>> threshold.shape, threshold.unique().numel() <= 6
        (torch.Size([1, 1, 16, 24]), True)
    """

    def __init__(
        self,
        in_channels: int = 720,
        num_classes: int = 1,
        feat_channels: Sequence[int] = (256, 128, 64),
        pool_size: int = 15,
        **kwargs,
    ) -> None:
        super().__init__(num_classes, **kwargs)
        if pool_size < 1 or pool_size % 2 == 0:
            raise ValueError(f'pool_size must be odd, got {pool_size}')
        if not feat_channels:
            raise ValueError('feat_channels must name at least one convolution, got none')
        layers: list[nn.Module] = []
        for channels in feat_channels:
            layers += [nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.PReLU()]
            in_channels = channels
        self.convs = nn.Sequential(*layers)
        self.logit = nn.Conv2d(in_channels, num_classes, 1, bias=False)
        self.pool_size = pool_size

    def logits(self, feats: Tensor) -> Tensor:
        """(B, C, h', w') to (B, K, h', w')."""
        # Published as mean, 1x1 convolution, mean. Without a bias the convolution may as well come first, and the
        # means are of K channels instead of 64; each is a mean over rows of means over columns.
        x = self.logit(self.convs(feats)).float()
        size = self.pool_size
        for kernel in ((size, 1), (1, size)) * 2:
            x = F.avg_pool2d(x, kernel, stride=1, padding=(kernel[0] // 2, kernel[1] // 2))
        return x

    def spread(self, threshold: Tensor, confidence: Tensor) -> Tensor:
        """Each threshold repeated over its block, whose gradient is the sum over the block."""
        stride, (height, width) = self.threshold_stride, confidence.shape[-2:]
        size = (threshold.shape[-2] * stride, threshold.shape[-1] * stride)
        return F.interpolate(threshold, size=size, mode='nearest')[..., :height, :width]
