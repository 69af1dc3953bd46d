"""Base class of heads that learn from the counts of whole images."""

from abc import abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor

from mmcount.ops import find_peaks
from mmcount.structures import CountDataSample, CountPrediction, MapGrid, grid_of_map
from mmcount.structures.prediction import no_points

from .count_head import CountHead, check_finite, input_shape

CELLS = ('area', 'pixel')


@dataclass
class ImageCounts:
    """Counts of images of one size.

    Attributes:
        counts: (N, C) objects.
        density: (N, C, h, w) objects per cell; sums to ``counts``.
        response: (N, C, h, w) maps whose highest peaks are where the objects are, or None.
    """

    counts: Tensor
    density: Tensor
    response: Tensor | None = None


class ImageCountHead(CountHead):
    """Base class of heads that learn from image-level counts only.

    There is no target map: ``loss`` reads ``gt_counts``. Counts above ``limit`` mean "more than the limit" and nothing
    else; let the wrapper `LowerCounts` of the data set enforce it, so that the numbers are not even loaded.

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
        super().__init__(num_classes, init_cfg)
        if limit < 1:
            raise ValueError(f'limit must be at least 1, got {limit}')
        if cells not in CELLS:
            raise ValueError(f'cells must be one of {CELLS}, got {cells!r}')
        self.limit = limit
        self.peak_radius = peak_radius
        self.cells = cells

    def true_counts(self, data_samples: list[CountDataSample]) -> Tensor:
        """(N, C) float32 true counts of the images of a batch.

        Raises:
            ValueError: A sample has no ``gt_counts`` or another number of classes, or its data set was limited to other
                counts than the head; the message names the image.
        """
        rows = []
        for sample in data_samples:
            name, counts = f'image {sample.get("img_id", "?")}', sample.get('gt_counts')
            if counts is None or counts.numel() != self.num_classes:
                found = 'none' if counts is None else f'{counts.numel()} classes'
                raise ValueError(f'{name} needs gt_counts of {self.num_classes} classes, found {found}')
            limit = sample.get('count_limit')
            if limit is not None and limit != self.limit:
                raise ValueError(
                    f'{name}: its data set limits counts to {limit} (larger ones are "more than {limit}"), and the '
                    f'head has limit={self.limit}: give both the same'
                )
            rows.append(counts.reshape(-1).float())
        return torch.stack(rows)

    @abstractmethod
    def read(self, maps: tuple[Tensor, ...]) -> ImageCounts:
        """Maps of :meth:`forward`, cut to images of one size, to counts and density."""

    def predict(self, maps: tuple[Tensor, ...], data_samples: list[CountDataSample]) -> list[CountPrediction]:
        """Counts, density and points of every image.

        Raises:
            ValueError: The maps have no stride that is a power of two, or are not finite; the message names the image.
        """
        predictions = []
        for index, sample in enumerate(data_samples):
            grid = self.grid(sample, maps)
            own = tuple(grid.crop(one[index : index + 1].float(), input_shape(sample)) for one in maps)
            check_finite(own, sample)
            image = self.read(own)
            points, labels, scores = self._points(image, grid)
            predictions.append(CountPrediction(image.counts[0], points, labels, scores, image.density[0], grid.extent))
        return predictions

    def grid(self, sample: CountDataSample, maps: tuple[Tensor, ...]) -> MapGrid:
        """Cells of an image, from the size of the maps of its input.

        Raises:
            ValueError: The maps have no stride that is a power of two.
        """
        height, width = maps[0].shape[-2:]
        whole = grid_of_map(input_shape(sample), (height, width), centred=self.cells == 'pixel')
        return whole.for_image(sample.img_shape[:2])

    def _points(self, image: ImageCounts, grid: MapGrid) -> tuple[Tensor, Tensor, Tensor]:
        """As many of the highest peaks of each class as it has objects: (P, 2) px, labels, scores."""
        if image.response is None:
            return no_points(image.counts)
        number = image.counts[0].round().clamp(min=0).long()
        largest = int(number.max()) if number.numel() else 0
        positions, values = find_peaks(image.response, self.peak_radius, topk=largest)
        labels = positions[:, 1].contiguous()
        # Peaks of a class come in falling order, so its first ones are those with the smallest rank.
        first = torch.searchsorted(labels, torch.arange(self.num_classes, device=labels.device))
        rank = torch.arange(len(labels), device=labels.device) - first[labels]
        kept = rank < number[labels]
        positions, labels, values = positions[kept], labels[kept], values[kept]
        return grid.to_image(positions[:, [3, 2]].to(values.dtype)), labels, values.sigmoid()
