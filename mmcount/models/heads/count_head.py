"""Base class of the heads of counters."""

from abc import ABCMeta, abstractmethod

from mmengine.model import BaseModule
from torch import Tensor

from mmcount.structures import CountDataSample, CountPrediction, MapGrid


class CountHead(BaseModule, metaclass=ABCMeta):
    """Base class of heads: features to maps, maps to losses, maps to predictions.

    Everything between network and prediction is in the maps, so that tiles of an image can be merged in them and
    decoded once.

    Args:
        num_classes: C.
        init_cfg: Initialisation.

    Attributes:
        merges_by_averaging: Whether maps of overlapping tiles may be averaged. False for maps of positions or offsets.
    """

    merges_by_averaging: bool = True

    def __init__(self, num_classes: int, init_cfg: dict | list[dict] | None = None) -> None:
        super().__init__(init_cfg=init_cfg)
        if num_classes < 1:
            raise ValueError(f'num_classes must be at least 1, got {num_classes}')
        self.num_classes = num_classes

    @property
    def halo(self) -> int:
        """Pixels of context on every side that the network needs."""
        return 0

    @abstractmethod
    def forward(self, feats: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """Features to maps, (B, K, h, w) each."""

    @abstractmethod
    def loss(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """Losses of a batch."""

    @abstractmethod
    def predict(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> list[CountPrediction]:
        """Predictions of images, each from its own part of the maps.

        Args:
            maps: From :meth:`forward`.
            data_samples: Their ``img_shape`` and ``batch_input_shape`` give the part.
        """

    def response_maps(self, maps: tuple[Tensor, ...]) -> Tensor:
        """(B, C, h, w) maps whose peaks stand for objects; the first map here."""
        return maps[0]

    @abstractmethod
    def grid(self, sample: CountDataSample, maps: tuple[Tensor, ...]) -> MapGrid:
        """Cells of an image in the maps of its input."""

    def init_from_targets(self, target_mean: Tensor) -> None:
        """Set what depends on the (C,) mean of the first training targets; nothing here."""


def input_shape(sample: CountDataSample) -> tuple[int, int]:
    """(height, width) of the network's input without its halo: the image and the padding of its batch."""
    height, width = sample.get('batch_input_shape', sample.img_shape)[:2]
    return int(height), int(width)


def check_finite(maps: tuple[Tensor, ...], sample: CountDataSample) -> None:
    """Refuse maps with NaN or infinity, which would count zero without a word when objects are components or peaks.

    Raises:
        ValueError: A map is not finite; the message names the image.
    """
    if not all(bool(one.sum().isfinite()) for one in maps):
        raise ValueError(
            f'image {sample.get("img_id", "?")}: the map of the network is not finite: the image or the weights hold '
            'NaN or infinity'
        )
