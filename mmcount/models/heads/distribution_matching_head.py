"""The head of DM-Count: a density that is compared with dots as a distribution."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from torch import Tensor, nn

from mmcount.codecs import CountCodec, DotMapCodec
from mmcount.models.losses import distribution_matching_losses
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, MapGrid, Objects

from .dense_head import DenseCountHead


@MODELS.register_module()
class DistributionMatchingHead(DenseCountHead):
    """Features to objects per cell; the count is the sum.

    Wang et al., "Distribution Matching for Crowd Counting", NeurIPS 2020. Features are enlarged bilinearly, pass 3x3
    convolutions and a 1x1 convolution, and a ReLU keeps the density from being negative.

    Several classes are as many problems side by side: their losses are added.

    Args:
        codec: A :class:`mmcount.codecs.DotMapCodec` of the stride of the enlarged features.
        in_channels: Channels of the last features.
        feat_channels: Of the 3x3 convolutions.
        upsample: Stride of the features over that of the codec.
        align_corners: Of the enlargement. True as published; it depends on the size of the whole input, so False is
            needed for exact tiles.
        norm_cfg: Normalisation of the 3x3 convolutions; None as published.
        count_weight: Factor on the error of the count.
        ot_weight: Factor on optimal transport.
        tv_weight: Factor on total variation.
        ot_reduction: 'sum' over the images of a batch as in the released code, or 'mean' as in the paper.
        reg: Weight of the entropy in optimal transport, px^2.
        max_iters: Largest number of steps of optimal transport.
        min_total: See :func:`mmcount.models.losses.distribution_matching_losses`.
        init_cfg: Initialisation.

    Raises:
        ValueError: The codec is another, or an option is out of range.

    Example:
        >>> head = DistributionMatchingHead(dict(type='mmcount.DotMapCodec'), in_channels=8, feat_channels=(4,))
        >>> head((torch.rand(1, 8, 2, 3),))[0].shape
        torch.Size([1, 1, 4, 6])
    """

    codec: DotMapCodec

    def __init__(
        self,
        codec: dict | CountCodec,
        in_channels: int = 512,
        feat_channels: Sequence[int] = (256, 128),
        upsample: int = 2,
        align_corners: bool = True,
        norm_cfg: dict | None = None,
        count_weight: float = 1.0,
        ot_weight: float = 0.1,
        tv_weight: float = 0.01,
        ot_reduction: str = 'sum',
        reg: float = 10.0,
        max_iters: int = 100,
        min_total: float = 0.1,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(codec, init_cfg)
        if not isinstance(self.codec, DotMapCodec):
            raise ValueError(f'DistributionMatchingHead needs a DotMapCodec, got {type(self.codec).__name__}')
        if ot_reduction not in ('sum', 'mean'):
            raise ValueError(f"ot_reduction must be 'sum' or 'mean', got {ot_reduction!r}")
        for name, value in (('upsample', upsample), ('reg', reg), ('max_iters', max_iters), ('min_total', min_total)):
            if value <= 0:
                raise ValueError(f'{name} must be positive, got {value}')
        self.upsample, self.align_corners = upsample, align_corners
        self.count_weight, self.ot_weight, self.tv_weight = count_weight, ot_weight, tv_weight
        self.ot_reduction = ot_reduction
        self.reg, self.max_iters, self.min_total = reg, max_iters, min_total
        layers: list[nn.Module] = []
        for channels in feat_channels:
            layers.append(nn.Conv2d(in_channels, channels, 3, padding=1, bias=norm_cfg is None))
            if norm_cfg is not None:
                layers.append(build_norm_layer(norm_cfg, channels)[1])
            layers.append(nn.ReLU())
            in_channels = channels
        self.hidden = nn.Sequential(*layers)
        self.conv = nn.Conv2d(in_channels, self.num_classes, 1)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """(..., (B, in_channels, h, w)) -> ((B, C, h * upsample, w * upsample),) objects per cell."""
        feat = feats[-1]
        if self.upsample > 1:
            feat = F.interpolate(
                feat, scale_factor=float(self.upsample), mode='bilinear', align_corners=self.align_corners
            )
        return (self.conv(self.hidden(feat)).relu().float(),)

    def loss(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """Compare the density of each image with its dots; cells of the padding take no part.

        Returns:
            ``loss_count``, ``loss_ot`` and ``loss_tv``. The value of ``loss_ot`` is rounding noise around zero, its
            gradient is that of optimal transport; ``transport``, px^2, is the squared distance over which mass still
            has to move. ``count_error`` is the mean absolute error of the count, objects.

        Raises:
            ValueError: A map does not have the codec's cells, or points and dots differ in number.
        """
        targets, _ = self.targets(maps, data_samples)
        terms = []
        for density, dots, sample in zip(maps[0], targets, data_samples, strict=True):
            grid = self.grid(sample)
            height, width = grid.shape
            objects = Objects.from_instances(sample.gt_instances).inside(grid.img_shape)
            cells = torch.cartesian_prod(*(torch.arange(float(side), device=density.device) for side in grid.shape))
            # As published, the middle of cell i is at 8i + 4.
            centres = MapGrid(grid.img_shape, grid.stride, origin=0.0).to_image(cells.flip(1))
            for label in range(self.num_classes):
                points = density.new_tensor(objects.points[objects.labels == label])
                own = density[label, :height, :width], points, dots[label, :height, :width], centres
                terms.append(distribution_matching_losses(*own, self.reg, self.max_iters, self.min_total))
        images = len(data_samples)
        total = {key: torch.stack([one[key] for one in terms]).sum() for key in terms[0]}
        return dict(
            loss_count=total['count'] / images * self.count_weight,
            loss_ot=total['ot'] / (images if self.ot_reduction == 'mean' else 1) * self.ot_weight,
            loss_tv=total['tv'] / images * self.tv_weight,
            transport=total['transport'] / len(terms),
            count_error=total['count'].detach() / len(terms),
        )

    def init_from_targets(self, target_mean: Tensor) -> None:
        """Start at the (C,) mean density of the first training targets."""
        self.conv.bias.data.copy_(target_mean)
