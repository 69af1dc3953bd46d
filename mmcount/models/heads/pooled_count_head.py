"""The baselines of counting from image-level counts: pooled class maps and a regressor on pooled features."""

from abc import abstractmethod

import torch.nn.functional as F
from torch import Tensor, nn

from mmcount.ops import peak_stimulation
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

from .image_count_head import ImageCountHead, ImageCounts
from .lower_count_head import same_size

POOLINGS = ('mean', 'peak')
ABOVE_LIMIT = ('target', 'ignore')


def lower_count_mse(predicted: Tensor, counts: Tensor, limit: int, above_limit: str = 'target') -> Tensor:
    """Mean squared error of counts that are known up to a limit.

    Args:
        predicted: Predicted objects.
        counts: True objects.
        limit: Largest count that is known.
        above_limit: Pairs above it have the target ``limit + 1`` ('target') or no part in the loss ('ignore').

    Shape:
        predicted, counts: (N, C) -> scalar; zero where no pair takes part.

    Raises:
        ValueError: ``above_limit`` is unknown.
    """
    if above_limit not in ABOVE_LIMIT:
        raise ValueError(f'above_limit must be one of {ABOVE_LIMIT}, got {above_limit!r}')
    error = F.mse_loss(predicted, counts.clamp(max=limit + 1), reduction='none')
    if above_limit == 'target':
        return error.mean()
    kept = counts <= limit
    return (error * kept).sum() / kept.sum().clamp(min=1)


class CountRegressionHead(ImageCountHead):
    """Base of the heads that only regress the counts.

    Args:
        num_classes: C.
        limit: Largest count that is known exactly.
        above_limit: What a larger count teaches, see :func:`lower_count_mse`.
        peak_radius: Half-size in cells of the window of a peak.
        cells: Where the cells of the maps lie, 'area' or 'pixel', see :class:`ImageCountHead`.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        num_classes: int,
        limit: int = 4,
        above_limit: str = 'target',
        peak_radius: int = 1,
        cells: str = 'area',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_classes, limit, peak_radius, cells, init_cfg)
        if above_limit not in ABOVE_LIMIT:
            raise ValueError(f'above_limit must be one of {ABOVE_LIMIT}, got {above_limit!r}')
        self.above_limit = above_limit

    def loss(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """``loss_count``, the mean squared error."""
        same_size(data_samples)
        counts = self.pool(maps[0].float())
        true = self.true_counts(data_samples).to(counts.device)
        return dict(loss_count=lower_count_mse(counts, true, self.limit, self.above_limit))

    @abstractmethod
    def pool(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) maps to (N, C) counts."""


@MODELS.register_module()
class PooledCountHead(CountRegressionHead):
    """One map per class, pooled to the class's count: the baselines of Table 1 of Cholakkal et al., CVPR 2019.

    Args:
        num_classes: C.
        in_channels: Channels of the last feature map.
        pooling: 'mean' of the map (class activation maps, "CAM + MSE") or of its 'peak' values ("Peak + MSE").
        peak_filter: Level under which a peak is dropped.
        grad: Gradient of the pooled count at the peaks, 'mean' (its derivative) or 'sum'.
        **kwargs: As :class:`CountRegressionHead`.

    Example:
        >>> import torch
        >>> head = PooledCountHead(num_classes=2, in_channels=8)
        >>> head((torch.rand(1, 8, 4, 4),))[0].shape
        torch.Size([1, 2, 4, 4])
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 2048,
        pooling: str = 'mean',
        peak_filter: str | float | None = 'median',
        grad: str = 'mean',
        **kwargs,
    ) -> None:
        super().__init__(num_classes, **kwargs)
        if pooling not in POOLINGS:
            raise ValueError(f'pooling must be one of {POOLINGS}, got {pooling!r}')
        self.pooling = pooling
        self.peak_filter = peak_filter
        self.grad = grad
        self.conv = nn.Conv2d(in_channels, num_classes, 1)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Features to (N, C, h, w) maps."""
        return (self.conv(feats[-1]),)

    def pool(self, maps: Tensor) -> Tensor:
        """(N, C, h, w) maps to (N, C) counts."""
        if self.pooling == 'mean':
            return maps.mean(dim=(2, 3))
        return peak_stimulation(maps, self.peak_radius, self.peak_filter, self.grad).scores  # type: ignore[arg-type]

    def read(self, maps: tuple[Tensor, ...]) -> ImageCounts:
        """Counts; the density is the map, or its peaks, over their number."""
        (pooled,) = maps
        if self.pooling == 'mean':
            density = pooled / (pooled.shape[2] * pooled.shape[3])
        else:
            peaks = peak_stimulation(pooled, self.peak_radius, self.peak_filter)  # type: ignore[arg-type]
            density = pooled * peaks.mask / peaks.counts.clamp(min=1)[:, :, None, None]
        return ImageCounts(counts=density.sum(dim=(2, 3)), density=density, response=pooled)


@MODELS.register_module()
class GlanceHead(CountRegressionHead):
    """Counts from pooled features by two layers: the "glance" regressor of Chattopadhyay et al., CVPR 2017.

    It does not know where objects are: its density is the count spread evenly, and it has no points.

    Args:
        num_classes: C.
        in_channels: Channels of the last feature map.
        hidden_channels: Width of the hidden layer.
        **kwargs: As :class:`CountRegressionHead`.

    Example:
        >>> import torch
        >>> GlanceHead(num_classes=2, in_channels=8)((torch.rand(1, 8, 4, 4),))[0].shape
        torch.Size([1, 2, 4, 4])
    """

    def __init__(self, num_classes: int, in_channels: int = 2048, hidden_channels: int = 256, **kwargs) -> None:
        super().__init__(num_classes, **kwargs)
        self.fc = nn.Sequential(
            nn.Linear(in_channels, hidden_channels), nn.ReLU(inplace=True), nn.Linear(hidden_channels, num_classes)
        )

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Features to (N, C, h, w): the counts of each image, the same in every cell."""
        feat = feats[-1]
        counts = self.fc(feat.mean(dim=(2, 3)))
        return (counts[:, :, None, None].expand(-1, -1, *feat.shape[-2:]),)

    def pool(self, maps: Tensor) -> Tensor:
        """The counts."""
        return maps[:, :, 0, 0]

    def response_maps(self, maps: tuple[Tensor, ...]) -> Tensor:
        """None: it finds no places.

        Raises:
            ValueError: Always.
        """
        raise ValueError(f'{type(self).__name__} has no class maps: it only gives how many objects there are')

    def read(self, maps: tuple[Tensor, ...]) -> ImageCounts:
        """The counts, spread evenly."""
        (even,) = maps
        density = even / (even.shape[2] * even.shape[3])
        return ImageCounts(counts=density.sum(dim=(2, 3)), density=density)
