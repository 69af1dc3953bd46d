"""How large objects are: the scale network that makes boxes for data sets of points."""

from typing import Any

import numpy as np
import torch.nn.functional as F
from mmcv.cnn import ConvModule
from numpy.typing import NDArray
from torch import Tensor, nn

from mmcount.codecs import CountCodec, CountPrediction, ScaleMapCodec
from mmcount.models.layers import SpatialChannelAttention
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample
from mmcount.structures.sample_fields import instance_labels, instance_points

from .dense_head import DenseCountHead, stack_targets


@MODELS.register_module()
class ScaleMapHead(DenseCountHead):
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
        >>> head((torch.rand(1, 32, 4, 6),)).shape
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

    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """(..., (B, in_channels, h, w)) -> (B, C, h * upsample, w * upsample) log-areas."""
        scale_map = self.attention(self.convs(feats[-1])).float()
        return F.interpolate(scale_map, scale_factor=self.upsample) if self.upsample > 1 else scale_map

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """Mean of the loss over all cells, inside and outside of boxes.

        Returns:
            ``loss_map``, a scalar; and ``log_area_error``, the mean absolute error inside of boxes (0 without any).

        Raises:
            ValueError: The network's map does not cover the target.
        """
        pred = self(feats)
        target, mask = stack_targets(data_samples)
        height, width = target.shape[2:]
        # The map covers the padding of the batch, and its last cells may reach over the border of the image.
        if pred.shape[:2] != target.shape[:2] or pred.shape[2] < height or pred.shape[3] < width:
            raise ValueError(
                f'the network gives a map of {tuple(pred.shape)} and the target has {tuple(target.shape)}: codec, '
                'stride and padding of the model must be those of the pipeline'
            )
        pred = pred[:, :, :height, :width]
        if mask is None:
            loss = self.map_loss(pred, target)
        else:
            weight = mask.expand_as(pred)
            loss = self.map_loss(pred, target, weight=weight, avg_factor=float(weight.sum()))
        inside = target > 0
        error = ((pred.detach() - target).abs() * inside).sum() / inside.sum().clamp(min=1)
        return dict(loss_map=loss, log_area_error=error)

    def init_from_targets(self, target_mean: Tensor) -> None:
        """Start at the (C,) mean of the first targets."""
        nn.init.zeros_(self.attention.out.weight)
        self.attention.out.bias.data.copy_(target_mean)

    def decode(
        self, maps: Tensor, data_samples: list[CountDataSample], stride: int | None = None
    ) -> list[CountPrediction]:
        """Boxes at the points of the samples, from (B, C, h, w) maps.

        Raises:
            ValueError: A sample has no ``gt_instances`` with points or boxes; names the image.
        """
        maps, codec = maps.float(), self.codec_at(stride)
        predictions = []
        for one, sample in zip(maps, data_samples, strict=True):
            img_shape = tuple(sample.img_shape[:2])
            height, width = codec.map_shape(img_shape)
            points, labels = _known_points(sample)
            predictions.append(codec.decode(one[:, :height, :width], img_shape, points, labels))  # type: ignore[call-arg]
        return predictions


def _known_points(sample: CountDataSample) -> tuple[NDArray[Any], NDArray[Any]]:
    """(N, 2) points in pixels of the network's input, and their labels."""
    if 'gt_instances' not in sample:
        raise ValueError(
            f'image {sample.get("img_id", "?")}: a scale map gives sizes at known points, but the sample has no '
            'gt_instances; load its annotations, or use mmcount.apis.pseudo_boxes'
        )
    instances = sample.gt_instances
    if not len(instances):
        return np.zeros((0, 2)), np.zeros(0, dtype=np.int64)
    scale = np.asarray(sample.get('scale_factor', (1.0, 1.0)), dtype=np.float64)
    return (instance_points(instances) + 0.5) * scale - 0.5, instance_labels(instances)
