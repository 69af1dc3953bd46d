"""The head of P2PNet: points with scores, each object matched with one of them."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from mmcv.cnn import build_norm_layer
from mmdet.utils import reduce_mean
from torch import Tensor, nn

from mmcount.codecs import CountCodec, PointProposalCodec
from mmcount.models.losses import point_proposal_losses
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, Objects

from .count_head import input_shape
from .dense_head import DenseCountHead


@MODELS.register_module()
class PointProposalHead(DenseCountHead):
    """Features to an offset and logits for every reference point.

    Song et al., "Rethinking Counting and Localization in Crowds: A Purely Point-Based Framework", ICCV 2021. Coarse
    features are added to the finest ones, repeated twice at every level, and two branches of equal convolutions read
    the sum. Layers start as PyTorch starts them, without a prior for the background.

    Args:
        codec: A :class:`mmcount.codecs.PointProposalCodec` of the stride of the finest features.
        in_channels: Channels of the features, finest first; each level has half the resolution of the one before.
        feat_channels: Channels of the sum and of the hidden layers.
        num_convs: Hidden 3x3 convolutions of each branch.
        norm_cfg: Normalisation of the hidden layers; None as published.
        distance_weight: tau of the matching, score per px.
        background_weight: Weight of proposals without an object.
        loss_cls_weight: Factor on the cross-entropy.
        loss_point_weight: Factor on the squared distance, px^2. The paper's 2e-4; the released code drops this term.
        init_cfg: Initialisation.

    Raises:
        ValueError: The codec is another.

    Example:
        >>> head = PointProposalHead(dict(type='mmcount.PointProposalCodec'), in_channels=(16, 32), feat_channels=8)
        >>> [tuple(one.shape) for one in head((torch.rand(1, 16, 4, 6), torch.rand(1, 32, 2, 3)))]
        [(1, 8, 4, 6), (1, 8, 4, 6)]
    """

    merges_by_averaging = False
    codec: PointProposalCodec

    def __init__(
        self,
        codec: dict | CountCodec,
        in_channels: Sequence[int] = (512, 512),
        feat_channels: int = 256,
        num_convs: int = 2,
        norm_cfg: dict | None = None,
        distance_weight: float = 0.05,
        background_weight: float = 0.5,
        loss_cls_weight: float = 1.0,
        loss_point_weight: float = 2e-4,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(codec, init_cfg)
        if not isinstance(self.codec, PointProposalCodec):
            raise ValueError(f'PointProposalHead needs a PointProposalCodec, got {type(self.codec).__name__}')
        self.distance_weight, self.background_weight = distance_weight, background_weight
        self.loss_cls_weight, self.loss_point_weight = loss_cls_weight, loss_point_weight
        self.laterals = nn.ModuleList(nn.Conv2d(channels, feat_channels, 1) for channels in in_channels)
        self.fusion = nn.Conv2d(feat_channels, feat_channels, 3, padding=1)
        proposals = self.codec.proposals_per_cell
        self.offsets = _branch(feat_channels, num_convs, 2 * proposals, norm_cfg)
        self.logits = _branch(feat_channels, num_convs, (self.num_classes + 1) * proposals, norm_cfg)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Features of two or more levels to maps.

        Args:
            feats: (B, in_channels[i], h / 2^i, w / 2^i) each; only the last ``len(in_channels)`` are read.

        Returns:
            Offsets (B, 2K, h, w) and logits (B, K * (C + 1), h, w), see :class:`mmcount.codecs.PointProposalCodec`.

        Raises:
            ValueError: A level has not half the resolution of the one before.
        """
        levels = [conv(feat) for conv, feat in zip(self.laterals, feats[-len(self.laterals) :], strict=True)]
        merged = levels.pop()
        while levels:
            finer, merged = levels.pop(), F.interpolate(merged, scale_factor=2.0, mode='nearest')
            if finer.shape != merged.shape:
                raise ValueError(
                    f'features of {tuple(finer.shape[2:])} cells need coarser ones of half that size: give the data '
                    'preprocessor pad_size_divisor, the stride of the coarsest'
                )
            merged = merged + finer
        merged = self.fusion(merged)
        return self.offsets(merged), self.logits(merged)

    def loss(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """Match proposals of each image with its objects; those of the padding take no part.

        Returns:
            ``loss_cls`` and ``loss_point``; and ``count_error``, the mean absolute error of the number of proposals
            that are an object.

        Raises:
            ValueError: A map does not have the codec's cells, or a proposal is not finite.
        """
        points: list[Tensor] = []
        logits: list[Tensor] = []
        gt_points: list[Tensor] = []
        gt_labels: list[Tensor] = []
        for index, sample in enumerate(data_samples):
            grid = self.grid(sample)
            own = tuple(grid.crop(one[index], input_shape(sample)) for one in maps)
            mine, scores = self.codec.proposals(own, grid)
            points.append(mine)
            logits.append(scores)
            objects = Objects.from_instances(sample.gt_instances).checked(self.num_classes).inside(grid.img_shape)
            gt_points.append(mine.new_tensor(objects.points))
            gt_labels.append(torch.as_tensor(objects.labels, device=mine.device))
        losses = point_proposal_losses(
            points, logits, gt_points, gt_labels, self.distance_weight, self.background_weight, reduce_mean
        )
        found = [(one.detach().softmax(dim=1)[:, 1:] > self.codec.score_thr).sum() for one in logits]
        errors = torch.stack(found) - points[0].new_tensor([len(one) for one in gt_points])
        return dict(
            loss_cls=losses['cls'] * self.loss_cls_weight,
            loss_point=losses['loc'] * self.loss_point_weight,
            count_error=errors.abs().mean(),
        )

    def response_maps(self, maps: tuple[Tensor, ...]) -> Tensor:
        """(B, C, h, w) largest probability of each class among the proposals of a cell."""
        batch, _, height, width = maps[1].shape
        logits = maps[1].float().view(batch, self.codec.proposals_per_cell, -1, height, width)
        return logits.softmax(dim=2)[:, :, 1:].amax(dim=1)


def _branch(channels: int, num_convs: int, out_channels: int, norm_cfg: dict | None) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(num_convs):
        layers.append(nn.Conv2d(channels, channels, 3, padding=1, bias=norm_cfg is None))
        if norm_cfg is not None:
            layers.append(build_norm_layer(norm_cfg, channels)[1])
        layers.append(nn.ReLU())
    return nn.Sequential(*layers, nn.Conv2d(channels, out_channels, 3, padding=1))
