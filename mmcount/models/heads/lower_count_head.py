"""Density maps from image-level counts up to a small limit."""

import math
from collections.abc import Mapping

from mmdet.utils import reduce_mean
from torch import Tensor, nn

from mmcount.models.losses import lower_count_losses, sample_negatives
from mmcount.models.losses.lower_count_loss import REDUCTIONS
from mmcount.ops import peak_stimulation, topk_peak_mask
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

from .image_count_head import ImageCountHead, ImageCounts

TERMS = ('cls', 'spatial_pos', 'spatial_neg', 'count', 'rank')


def count_branch(channels: int, num_classes: int) -> nn.Sequential:
    """Normalisation, ReLU and a 1x1 convolution to one linear map per class."""
    return nn.Sequential(nn.BatchNorm2d(channels), nn.ReLU(inplace=True), nn.Conv2d(channels, num_classes, 1))


@MODELS.register_module()
class LowerCountHead(ImageCountHead):
    """Two branches: class maps whose peaks find the objects, and density maps which count them.

    Cholakkal, Sun, Khan, Shao, "Object Counting and Instance Segmentation with Image-level Supervision", CVPR 2019.
    A class's score is the mean of the peaks of its class map; the highest peaks, as many as the image holds objects,
    are the pseudo ground truth of the density map (eq. 2). The count is the mean of the density logits, set to zero
    where the class score is not positive. See :func:`mmcount.models.losses.lower_count_losses` for the losses.

    A ``TrainingStageHook`` sets ``stage`` from the epoch; without it all terms are trained from the start.

    Args:
        num_classes: C.
        in_channels: Channels of the last feature map.
        branch_channels: P, channels of each branch; ``ceil(1.5 C)`` when not given.
        limit: Largest count that is known exactly (the subitizing range).
        peak_radius: Half-size in cells of the window of a peak.
        peak_filter: Level under which a peak is dropped: 'median', 'mean', 'max', a number or None.
        grad: Gradient of the class score at its peaks: 'sum' (1 each, as the released code) or 'mean' (1 / peaks).
        reduction: 'batch' (as the released code) or 'image' (as the paper), see ``lower_count_losses``.
        loss_weights: Weights of the terms that are not 1; the default is ``dict(rank=0.1)``. A term of weight 0 is
            left out.
        negative_sampling: Arguments of :func:`mmcount.models.losses.sample_negatives` for data sets with many classes,
            such as ``dict(rare_below=0.3, keep_prob=0.1)``; None uses every empty class.
        class_gate: Whether a class without a positive score counts zero.
        cells: Where the cells of the maps lie, 'area' or 'pixel', see :class:`ImageCountHead`.
        init_cfg: Initialisation; torch's default, as the released code.

    Example:
        >>> import torch
        >>> head = LowerCountHead(num_classes=20, in_channels=8)
        >>> class_maps, density_logits = head((torch.rand(2, 8, 14, 14),))
        >>> class_maps.shape, density_logits.shape
        (torch.Size([2, 20, 14, 14]), torch.Size([2, 20, 14, 14]))
    """

    def __init__(
        self,
        num_classes: int,
        in_channels: int = 2048,
        branch_channels: int | None = None,
        limit: int = 4,
        peak_radius: int = 1,
        peak_filter: str | float | None = 'median',
        grad: str = 'sum',
        reduction: str = 'batch',
        loss_weights: Mapping[str, float] = dict(rank=0.1),
        negative_sampling: Mapping[str, float] | None = None,
        class_gate: bool = True,
        cells: str = 'area',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(num_classes, limit, peak_radius, cells, init_cfg)
        if reduction not in REDUCTIONS:
            raise ValueError(f'reduction must be one of {REDUCTIONS}, got {reduction!r}')
        unknown = sorted(set(loss_weights) - set(TERMS))
        if unknown:
            raise ValueError(f'loss_weights knows {TERMS}, got {unknown}')
        self.branch_channels = branch_channels or math.ceil(1.5 * num_classes)
        self.peak_filter = peak_filter
        self.grad = grad
        self.reduction = reduction
        self.loss_weights = {**dict.fromkeys(TERMS, 1.0), 'rank': 0.1, **loss_weights}
        self.negative_sampling = None if negative_sampling is None else dict(negative_sampling)
        self.class_gate = class_gate
        self.stage = 2
        self.shared_conv = nn.Conv2d(in_channels, 2 * self.branch_channels, 1)
        self.class_branch = count_branch(self.branch_channels, num_classes)
        self.density_branch = count_branch(self.branch_channels, num_classes)

    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Features to class maps M and density logits Y, both (N, C, h, w) and linear."""
        shared = self.shared_conv(feats[-1])
        for_class, for_density = shared.split(self.branch_channels, dim=1)
        # Dense copies: on a CPU normalisation of a strided view takes several times as long.
        return self.class_branch(for_class.clone()), self.density_branch(for_density.clone())

    def loss(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """The weighted terms ``loss_cls``, ``loss_count``, ``loss_rank``, ... of the stage.

        Raises:
            ValueError: A sample has no counts of C classes, or the images of the batch differ in size.
        """
        same_size(data_samples)
        class_maps, logits = (one.float() for one in maps)
        counts = self.true_counts(data_samples).to(logits.device)
        peaks = peak_stimulation(class_maps, self.peak_radius, self.peak_filter, self.grad)  # type: ignore[arg-type]
        pseudo_gt = topk_peak_mask(class_maps, peaks.mask, counts, limit=self.limit)
        negatives = None
        if self.stage == 2 and self.negative_sampling is not None:
            negatives = sample_negatives(counts, reduce=reduce_mean, **self.negative_sampling)
        terms = lower_count_losses(
            peaks.scores,
            logits,
            pseudo_gt,
            counts,
            limit=self.limit,
            stage=self.stage,
            reduction=self.reduction,  # type: ignore[arg-type]
            negatives=negatives,
            reduce=reduce_mean,
        )
        return {
            f'loss_{name}': self.loss_weights[name] * term for name, term in terms.items() if self.loss_weights[name]
        }

    def read(self, maps: tuple[Tensor, ...]) -> ImageCounts:
        """Gated counts and density of class maps and density logits."""
        class_maps, logits = maps
        density = logits / (logits.shape[2] * logits.shape[3])
        if self.class_gate:
            scores = peak_stimulation(class_maps, self.peak_radius, self.peak_filter).scores  # type: ignore[arg-type]
            density = density * (scores > 0).to(density.dtype)[:, :, None, None]
        return ImageCounts(counts=density.sum(dim=(2, 3)), density=density, response=class_maps)


def same_size(samples: list[CountDataSample]) -> None:
    """Raise where the images of a batch differ in size: means over a padded map would count the padding.

    Raises:
        ValueError: They differ; names the sizes.
    """
    sizes = sorted({tuple(sample.img_shape[:2]) for sample in samples if sample.get('img_shape') is not None})
    if len(sizes) > 1:
        raise ValueError(
            f'the images of a training batch must have one size, got {sizes}: resize them with '
            "dict(type='mmdet.Resize', scale=(448, 448), keep_ratio=False)"
        )
