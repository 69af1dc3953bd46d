"""What heads share that learn from the counts of whole images."""

import math
from abc import ABCMeta, abstractmethod
from dataclasses import dataclass

import torch
from mmengine.model import BaseModule
from torch import Tensor

from mmcount.codecs import CountPrediction
from mmcount.ops import find_peaks
from mmcount.structures import CountDataSample

CELLS = ('area', 'pixel')


def stack_counts(samples: list[CountDataSample], num_classes: int) -> Tensor:
    """(N, C) float32 true counts of the images of a batch.

    Raises:
        ValueError: A sample has no ``gt_counts`` or another number of classes; the message names the image.
    """
    rows = []
    for sample in samples:
        counts = sample.get('gt_counts')
        if counts is None or counts.numel() != num_classes:
            found = 'none' if counts is None else f'{counts.numel()} classes'
            raise ValueError(
                f'image {sample.get("img_id", "?")} needs gt_counts of {num_classes} classes, found {found}'
            )
        rows.append(counts.reshape(-1).float())
    return torch.stack(rows)


def own_cells(sample: CountDataSample, map_shape: tuple[int, int]) -> tuple[int, int]:
    """(rows, columns) of a batch's map that belong to an image; smaller images are padded at the bottom and right."""
    whole = sample.get('batch_input_shape', sample.img_shape)
    height, width = (
        min(cells, math.ceil(own * cells / side))
        for own, cells, side in zip(sample.img_shape[:2], map_shape, whole[:2], strict=True)
    )
    return height, width


@dataclass
class ImageCounts:
    """What a head says about images of one size.

    Attributes:
        counts: (N, C) objects.
        density: (N, C, h, w) objects per cell; sums to ``counts``.
        response: (N, C, h, w) maps whose highest peaks are where the objects are, or None.
    """

    counts: Tensor
    density: Tensor
    response: Tensor | None = None


class ImageCountHead(BaseModule, metaclass=ABCMeta):
    """Base of the heads that are taught by image-level counts only.

    There is no target map: ``loss`` reads ``gt_counts``. Counts above ``limit`` mean "more than the limit" and nothing
    else; let the data set enforce it (`LowerCounts`), so that the numbers are not even loaded.

    Args:
        num_classes: C.
        limit: Largest count that is known exactly.
        peak_radius: Half-size in cells of the window of a peak.
        cells: Where the cells of the maps lie. 'area': side by side over the whole image, as published code has it.
            'pixel': centred on every s-th pixel from the first one, as those of a ResNet of stride s are, whose
            convolutions pad both sides alike. That is (s - 1) / 2 px up and left of 'area': 1.5 px at stride 4, 15.5
            at 32. Points and the extent of the density move, counts do not.
        init_cfg: Initialisation.
    """

    def __init__(
        self,
        num_classes: int,
        limit: int = 4,
        peak_radius: int = 1,
        cells: str = 'area',
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if num_classes < 1:
            raise ValueError(f'num_classes must be at least 1, got {num_classes}')
        if limit < 1:
            raise ValueError(f'limit must be at least 1, got {limit}')
        if cells not in CELLS:
            raise ValueError(f'cells must be one of {CELLS}, got {cells!r}')
        self.num_classes = num_classes
        self.limit = limit
        self.peak_radius = peak_radius
        self.cells = cells

    @abstractmethod
    def loss(self, feats: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """The losses of a batch."""

    @abstractmethod
    def read(self, outputs: tuple[Tensor, ...]) -> ImageCounts:
        """What ``forward`` gave, cut to images of one size, as counts and density."""

    def response_maps(self, feats: tuple[Tensor, ...]) -> Tensor:
        """(N, C, h, w) class maps whose peaks stand for objects.

        Raises:
            ValueError: The head has none.
        """
        raise ValueError(f'{type(self).__name__} has no class maps: it only says how many objects there are')

    def predict(
        self, feats: tuple[Tensor, ...], data_samples: list[CountDataSample], stride: int | None = None
    ) -> list[CountPrediction]:
        """Counts, density and points of every image.

        Args:
            feats: Features of the batch.
            data_samples: Their ``img_shape`` says which part of the maps is theirs.
            stride: Must be None: the mean over a map does not depend on its stride.
        """
        if stride is not None:
            raise ValueError(f'{type(self).__name__} cannot be run at another stride, got stride={stride}')
        outputs = self(feats)
        outputs = tuple(one.float() for one in (outputs if isinstance(outputs, tuple) else (outputs,)))
        map_shape = (int(feats[-1].shape[-2]), int(feats[-1].shape[-1]))
        predictions = []
        for index, sample in enumerate(data_samples):
            rows, columns = own_cells(sample, map_shape)
            own = tuple(one[index : index + 1, :, :rows, :columns] for one in outputs)
            predictions.append(self._prediction(self.read(own), sample, (rows, columns)))
        return predictions

    def _prediction(self, image: ImageCounts, sample: CountDataSample, cells: tuple[int, int]) -> CountPrediction:
        counts, density = image.counts[0], image.density[0]
        height, width = sample.img_shape[:2]
        cell_size = (height / cells[0], width / cells[1])
        top, left = (-0.5 if self.cells == 'area' else -side / 2 for side in cell_size)
        extent = (left, top, left + width, top + height)
        points, labels, scores = self._points(image, cell_size)
        points = points + points.new_tensor([left, top])
        return CountPrediction(counts, density, points, labels, scores, extent)

    def _points(self, image: ImageCounts, cell_size: tuple[float, float]) -> tuple[Tensor, Tensor, Tensor]:
        """As many of the highest peaks of each class as it has objects: (P, 2) px of the map, labels, scores."""
        if image.response is None:
            empty = image.counts.new_zeros(0)
            return empty.view(0, 2), empty.long(), empty
        number = image.counts[0].round().clamp(min=0).long()
        largest = int(number.max()) if number.numel() else 0
        positions, values = find_peaks(image.response, self.peak_radius, topk=largest)
        labels = positions[:, 1].contiguous()
        # Peaks of a class come in falling order, so its first ones are those with the smallest rank.
        first = torch.searchsorted(labels, torch.arange(self.num_classes, device=labels.device))
        rank = torch.arange(len(labels), device=labels.device) - first[labels]
        kept = rank < number[labels]
        positions, labels, values = positions[kept], labels[kept], values[kept]
        size = values.new_tensor([cell_size[1], cell_size[0]])
        points = (positions[:, [3, 2]].to(values.dtype) + 0.5) * size
        return points, labels, values.sigmoid()
