"""How large objects are: the scale network that makes boxes for data sets of points."""

import numpy as np
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

from mmcount.codecs import CountCodec, ScaleMapCodec
from mmcount.models.layers import SpatialChannelAttention
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, Objects

from .dense_head import MapLossHead


@MODELS.register_module()
class ScaleMapHead(MapLossHead):
    """Features to a map of log-areas; with points, to pseudo boxes.

    The network that Gao et al., "Learning Independent Instance Maps for Crowd Localization", 2020, train on the boxes
    of NWPU-Crowd: dilated convolutions, SCAR's attention over places and channels, one map that is not negative, and
    nearest-neighbour upsampling. It finds no objects: prediction needs samples with ``gt_instances`` (their points, or
    the centres of their boxes) in pixels of the original image, so counts of its predictions are those that were given
    and no metric of counts says anything about it.

    Args:
        codec: A :class:`mmcount.codecs.ScaleMapCodec`.
        in_channels: Channels of the last feature map.
        feat_channels: Of the dilated 3x3 convolutions.
        dilation: Theirs.
        upsample: Stride of the features over that of the codec.
        loss: Loss on the maps.
        norm_cfg: Normalisation of the dilated convolutions; None as published.
        init_bias: Log-area that the untrained map begins with: above the 0 at which its ReLU learns nothing.
        init_cfg: Initialisation.

    Raises:
        ValueError: The codec is another.

    Example:
        >>> import torch
        >>> head = ScaleMapHead(dict(type='mmcount.ScaleMapCodec'), in_channels=32, feat_channels=(16, 16))
        >>> head((torch.rand(1, 32, 4, 6),))[0].shape
        torch.Size([1, 1, 32, 48])
    """

    codec: ScaleMapCodec

    def __init__(
        self,
        codec: dict | CountCodec,
        in_channels: int = 1024,
        feat_channels: tuple[int, ...] = (512, 512, 512, 256, 128, 64),
        dilation: int = 2,
        upsample: int = 8,
        loss: dict = dict(type='mmdet.MSELoss'),
        norm_cfg: dict | None = None,
        init_bias: float = 1.0,
        init_cfg: dict | list[dict] | None = dict(type='Normal', layer='Conv2d', std=0.01),
    ) -> None:
        super().__init__(codec, loss, init_cfg)
        if not isinstance(self.codec, ScaleMapCodec):
            raise ValueError(f'ScaleMapHead needs a ScaleMapCodec, got {type(self.codec).__name__}')
        self.upsample = upsample
        self.init_bias = init_bias
        convs = []
        for channels in feat_channels:
            convs.append(ConvModule(in_channels, channels, 3, padding=dilation, dilation=dilation, norm_cfg=norm_cfg))
            in_channels = channels
        self.convs = nn.Sequential(*convs)
        self.attention = SpatialChannelAttention(in_channels, self.num_classes)

    def init_weights(self) -> None:
        """Initialise as ``init_cfg`` and ``init_bias`` say."""
        super().init_weights()
        nn.init.constant_(self.attention.out.bias, self.init_bias)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """(..., (B, in_channels, h, w)) -> ((B, C, h * upsample, w * upsample),) log-areas."""
        scale_map = self.attention(self.convs(feats[-1])).float()
        return (F.interpolate(scale_map, scale_factor=self.upsample) if self.upsample > 1 else scale_map,)

    def loss(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """Mean of the loss over all cells, inside and outside of boxes.

        Returns:
            ``loss_map``, a scalar; and ``log_area_error``, the mean absolute error inside of boxes (0 without any).
        """
        pred = maps[0]
        target, mask = self.targets(maps, data_samples)
        inside = target > 0
        error = ((pred.detach() - target).abs() * inside).sum() / inside.sum().clamp(min=1)
        return dict(loss_map=self.map_loss(pred, target, mask), log_area_error=error)

    def init_from_targets(self, target_mean: Tensor) -> None:
        """Start at the (C,) mean of the first targets."""
        nn.init.zeros_(self.attention.out.weight)
        self.attention.out.bias.data.copy_(target_mean)

    def known_objects(self, sample: CountDataSample) -> Objects:
        """The objects of ``gt_instances``, in pixels of the network's input.

        Raises:
            ValueError: A sample has none.
        """
        if 'gt_instances' not in sample:
            raise ValueError(
                'a scale map gives sizes at known points, but the sample has no gt_instances; load its annotations, or '
                'use mmcount.apis.pseudo_boxes'
            )
        if not len(sample.gt_instances):
            return Objects(np.zeros((0, 2)))
        return Objects.from_instances(sample.gt_instances, sample.get('scale_factor', (1.0, 1.0)))
