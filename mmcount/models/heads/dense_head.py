"""What every head over a dense map shares: stacked targets, a masked loss, decoding by the codec."""

import copy
from abc import ABCMeta, abstractmethod

import torch
from mmengine.model import BaseModule
from mmengine.structures import InstanceData, PixelData
from torch import Tensor

from mmcount.codecs import CountCodec, CountPrediction
from mmcount.registry import CODECS, MODELS
from mmcount.structures import CountDataSample


def stack_targets(samples: list[CountDataSample]) -> tuple[Tensor, Tensor | None]:
    """Stack the target maps of a batch.

    Args:
        samples: Each with ``gt_map.data`` (C, h_i, w_i).

    Returns:
        (B, C, h, w) targets with the largest h and w, and a (B, 1, h, w) mask of the cells that belong to an image,
        or None where all maps have one shape.
    """
    maps = [sample.gt_map.data for sample in samples]
    height, width = max(m.shape[1] for m in maps), max(m.shape[2] for m in maps)
    if all(m.shape[1:] == (height, width) for m in maps):
        return torch.stack(maps), None
    targets = maps[0].new_zeros(len(maps), maps[0].shape[0], height, width)
    mask = maps[0].new_zeros(len(maps), 1, height, width)
    for index, one in enumerate(maps):
        targets[index, :, : one.shape[1], : one.shape[2]] = one
        mask[index, :, : one.shape[1], : one.shape[2]] = 1
    return targets, mask


class DenseCountHead(BaseModule, metaclass=ABCMeta):
    """Base of the heads that predict a map: ``forward`` is the network, the codec says what its output means.

    Args:
        codec: Config or instance; the pipeline's ``GenerateTarget`` gets the same.
        loss: Config of a loss of mmdet's form ``(pred, target, weight, avg_factor)``.
        init_cfg: Initialisation.
    """

    def __init__(self, codec: dict | CountCodec, loss: dict, init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        self.codec: CountCodec = CODECS.build(codec) if isinstance(codec, dict) else codec
        self.loss_module = MODELS.build(loss)

    @property
    def num_classes(self) -> int:
        """C, the channels of the map."""
        return self.codec.num_classes

    @abstractmethod
    def forward(self, feats: tuple[Tensor, ...]) -> Tensor:
        """Features to a (B, C, h, w) map."""

    def response_maps(self, feats: tuple[Tensor, ...]) -> Tensor:
        """(B, C, h, w) maps whose peaks stand for objects: the head's own map."""
        return self(feats)

    def maps(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """All that :meth:`decode_maps` needs, before anything is decided on it: (B, K, h, w) maps.

        Tiles of an image are merged in these maps, see :class:`mmcount.models.tiling.MapTiles`. Here it is the map of
        ``forward`` alone.
        """
        return (self(feats),)

    def decode_maps(
        self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample], stride: int | None = None
    ) -> list[CountPrediction]:
        """Decode what :meth:`maps` gave, each image's own part of it; arguments as of :meth:`predict`."""
        return self.decode(maps[0], data_samples, stride)

    def loss(self, feats: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """Mean of the loss over all cells, classes and images.

        Returns:
            ``loss_map``, a scalar; and ``count_error``, the mean absolute error of the map's count, objects.

        Raises:
            ValueError: the network's map and the target differ in shape.
        """
        pred = self(feats).float()
        target, mask = stack_targets(data_samples)
        if pred.shape != target.shape:
            raise ValueError(
                f'the network gives a map of {tuple(pred.shape)} and the target has {tuple(target.shape)}: codec, '
                'stride and padding of the model must be those of the pipeline'
            )
        if mask is None:
            loss = self.map_loss(pred, target)
            difference = pred.detach() - target
        else:
            weight = mask.expand_as(pred)
            loss = self.map_loss(pred, target, weight=weight, avg_factor=float(weight.sum()))
            difference = (pred.detach() - target) * weight
        count_error = difference.sum(dim=(2, 3)).abs().mean() / self.codec.mass_per_object
        return dict(loss_map=loss, count_error=count_error)

    def map_loss(self, pred: Tensor, target: Tensor, **kwargs) -> Tensor:
        """The loss of two (B, C, h, w) maps; ``kwargs`` are mmdet's ``weight`` and ``avg_factor``."""
        return self.loss_module(pred, target, **kwargs)

    def init_from_targets(self, target_mean: Tensor) -> None:
        """Called once before training with the (C,) mean of the first training targets; does nothing here."""

    def predict(
        self, feats: tuple[Tensor, ...], data_samples: list[CountDataSample], stride: int | None = None
    ) -> list[CountPrediction]:
        """Decode the map of every image.

        Args:
            feats: Features of the batch.
            data_samples: Their ``img_shape`` says which part of the map is theirs.
            stride: The stride that the network ran at, where it is not the codec's.
        """
        return self.decode_maps(self.maps(feats), data_samples, stride)

    def decode(
        self, maps: Tensor, data_samples: list[CountDataSample], stride: int | None = None
    ) -> list[CountPrediction]:
        """Decode (B, C, h, w) maps, each image's own part of them."""
        maps, codec = maps.float(), self.codec_at(stride)
        predictions = []
        for one, sample in zip(maps, data_samples, strict=True):
            img_shape = tuple(sample.img_shape[:2])
            height, width = codec.map_shape(img_shape)
            predictions.append(codec.decode(one[:, :height, :width], img_shape))
        return predictions

    def codec_at(self, stride: int | None) -> CountCodec:
        """The codec at another stride; itself for None."""
        if stride is None or stride == self.codec.stride:
            return self.codec
        codec = copy.copy(self.codec)
        codec.stride = stride
        return codec


def to_data_sample(
    prediction: CountPrediction, sample: CountDataSample, calibrated: Tensor, interval: Tensor | None
) -> CountDataSample:
    """Write a prediction into its sample, points in pixels of the original image.

    Args:
        prediction: What the codec decoded.
        sample: The sample of the image; changed and returned.
        calibrated: (C,) calibrated counts.
        interval: (C, 2) or None.
    """
    scale = prediction.points.new_tensor(sample.get('scale_factor', (1.0, 1.0)))
    points = (prediction.points + 0.5) / scale - 0.5
    sample.pred_counts = prediction.counts
    sample.pred_calibrated_counts = calibrated
    scale_x, scale_y = (float(value) for value in scale)
    corners = zip(prediction.extent, (scale_x, scale_y, scale_x, scale_y), strict=True)
    extent = tuple((value + 0.5) / one - 0.5 for value, one in corners)
    sample.pred_density = PixelData(data=prediction.density, metainfo=dict(extent=extent))
    sample.pred_instances = InstanceData(points=points, labels=prediction.labels, scores=prediction.scores)
    if prediction.bboxes is not None:
        sample.pred_instances.bboxes = prediction.bboxes / scale.repeat(2)
    if interval is not None:
        sample.pred_interval = interval
    if prediction.spread is not None:
        sample.pred_spread = prediction.spread
    return sample
