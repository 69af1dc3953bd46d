"""Base classes of heads over dense maps: targets of a batch, decoding by the codec."""

from abc import abstractmethod

import torch
from torch import Tensor

from mmcount.codecs import CountCodec
from mmcount.codecs.base import build_codec
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, CountPrediction, MapGrid, Objects

from .count_head import CountHead, check_finite, input_shape


class DenseCountHead(CountHead):
    """Base class of heads whose maps one codec encodes and decodes.

    Args:
        codec: Config or instance; the pipeline's ``GenerateTarget`` gets the same.
        init_cfg: Initialisation.
    """

    def __init__(self, codec: dict | CountCodec, init_cfg: dict | list[dict] | None = None) -> None:
        built = build_codec(codec)
        super().__init__(built.num_classes, init_cfg)
        self.codec: CountCodec = built

    @property
    def halo(self) -> int:
        """The codec's."""
        return self.codec.halo

    def grid(self, sample: CountDataSample, maps: tuple[Tensor, ...] = ()) -> MapGrid:
        """The codec's cells of an image, whatever the maps."""
        height, width = sample.img_shape[:2]
        return self.codec.grid((height, width), int(sample.get('halo', 0) or 0))

    def predict(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> list[CountPrediction]:
        """Decode each image's own cells.

        Raises:
            ValueError: A map is not one of the codec's cells over the input, or not finite; the message names the
                image.
        """
        predictions = []
        for index, sample in enumerate(data_samples):
            grid = self.grid(sample)
            try:
                own = tuple(grid.crop(one[index].float(), input_shape(sample)) for one in maps)
                known = self.known_objects(sample)
            except ValueError as error:
                raise ValueError(f'image {sample.get("img_id", "?")}: {error}') from error
            check_finite(own, sample)
            predictions.append(self.codec.decode(own, grid, known))
        return predictions

    def known_objects(self, sample: CountDataSample) -> Objects | None:
        """Objects that decoding is given; none here."""
        return None

    def targets(
        self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample], key: str = 'data'
    ) -> tuple[Tensor, Tensor | None]:
        """Target maps of a batch in the shape of the first map.

        Args:
            maps: From ``forward``.
            data_samples: With ``gt_map``.
            key: Which target of the codec.

        Returns:
            (B, K, h, w) targets, and a (B, 1, h, w) mask of the cells that belong to an image, or None if all do.

        Raises:
            ValueError: A sample has no target, its target is of another codec, or the network's map does not have the
                codec's cells.
        """
        for sample in data_samples:
            self._check_target(sample)
            self.grid(sample).crop(maps[0], input_shape(sample))
        return stack_targets(data_samples, tuple(maps[0].shape[-2:]), key)

    def _check_target(self, sample: CountDataSample) -> None:
        name = f'image {sample.get("img_id", "?")}'
        if 'gt_map' not in sample:
            raise ValueError(
                f'{name} has no target map: put GenerateTarget with the codec of the head before PackCountInputs'
            )
        found, own = sample.gt_map.get('codec'), repr(self.codec)
        if found is not None and found != own:
            raise ValueError(
                f'{name}: the codec of the pipeline and that of the head differ, GenerateTarget has\n  {found}\nand '
                f'{type(self).__name__} has\n  {own}\nGive both the same'
            )
        shapes = sample.gt_map.shape, self.grid(sample).shape
        if shapes[0] != shapes[1]:
            raise ValueError(f'{name}: the target has {shapes[0]} cells, the codec of the head {shapes[1]}')


class MapLossHead(DenseCountHead):
    """Base class of heads of one map with a loss on its cells.

    Args:
        codec: As :class:`DenseCountHead`.
        loss: Config of a loss of mmdet's form ``(pred, target, weight, avg_factor)``.
        init_cfg: Initialisation.
    """

    def __init__(self, codec: dict | CountCodec, loss: dict, init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(codec, init_cfg)
        self.loss_module = MODELS.build(loss)

    def loss(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """Mean of the loss over all cells, classes and images.

        Returns:
            ``loss_map``, a scalar; and ``count_error``, the mean absolute error of the map's count, objects.
        """
        pred = maps[0].float()
        target, mask = self.targets(maps, data_samples)
        difference = pred.detach() - target
        if mask is not None:
            difference = difference * mask
        count_error = difference.sum(dim=(2, 3)).abs().mean() / self.codec.mass_per_object
        return dict(loss_map=self.map_loss(pred, target, mask), count_error=count_error)

    def map_loss(self, pred: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
        """Mean loss of two (B, C, h, w) maps over the cells of a (B, 1, h, w) mask, or over all."""
        return masked_mean_loss(self.loss_module, pred, target, mask)

    @abstractmethod
    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor]:
        """Features to one (B, C, h, w) map."""


def masked_mean_loss(loss: torch.nn.Module, pred: Tensor, target: Tensor, mask: Tensor | None) -> Tensor:
    """Mean of a loss of mmdet's form over the cells of a mask.

    Shape:
        pred, target: (B, K, h, w); mask: (B, 1, h, w) or None for all cells -> scalar.
    """
    if mask is None:
        return loss(pred, target)
    weight = mask.expand_as(pred)
    return loss(pred, target, weight=weight, avg_factor=float(weight.sum()))


def stack_targets(
    data_samples: list[CountDataSample], shape: tuple[int, int] | None = None, key: str = 'data'
) -> tuple[Tensor, Tensor | None]:
    """Stack the target maps of a batch, zeros at the bottom and right.

    Args:
        data_samples: Each with a (K, h_i, w_i) map ``key`` in ``gt_map``.
        shape: (h, w) of the result; the largest by default.
        key: Name of the target.

    Returns:
        (B, K, h, w) targets, and a (B, 1, h, w) mask of the cells that belong to an image, or None if all do.
    """
    maps = [sample.gt_map.get(key) for sample in data_samples]
    height, width = shape or (max(one.shape[1] for one in maps), max(one.shape[2] for one in maps))
    if all(one.shape[1:] == (height, width) for one in maps):
        return torch.stack(maps), None
    targets = maps[0].new_zeros(len(maps), maps[0].shape[0], height, width)
    mask = maps[0].new_zeros(len(maps), 1, height, width)
    for index, one in enumerate(maps):
        targets[index, :, : one.shape[1], : one.shape[2]] = one
        mask[index, :, : one.shape[1], : one.shape[2]] = 1
    return targets, mask
