"""Point proposals: every cell proposes some points, each with a score (P2PNet)."""

import torch
from torch import Tensor

from mmcount.codecs.base import CountCodec
from mmcount.registry import CODECS
from mmcount.structures.map_grid import MapGrid
from mmcount.structures.objects import Objects
from mmcount.structures.prediction import CountPrediction


@CODECS.register_module()
class PointProposalCodec(CountCodec):
    """Maps of offsets and logits to the points that are objects.

    Song et al., "Rethinking Counting and Localization in Crowds: A Purely Point-Based Framework", ICCV 2021. Each cell
    holds ``rows`` x ``columns`` reference points, side by side. A proposal lies at its reference point plus an offset,
    and is an object if the probability of a class exceeds ``score_thr``: no suppression of neighbours follows. There
    is no target map; the head matches proposals and objects.

    Args:
        rows: Reference points of a cell from top to bottom.
        columns: From left to right.
        offset_scale: Pixels of an offset of one.
        score_thr: Smaller probabilities are background.
        keep_outside: Also count proposals beyond the image's border, as the released code does.
        origin: Left and top edge of the first cell, px. The published 0 takes x = 0 as the left edge of the image.
        num_classes: C.
        stride: Input pixels between two cells.

    Raises:
        ValueError: An option is out of range.

    Example:
        >>> codec = PointProposalCodec()
        >>> grid = codec.grid((16, 16))
        >>> codec.reference_points(grid, torch.zeros(1))[:4].tolist()
        [[2.0, 2.0], [6.0, 2.0], [2.0, 6.0], [6.0, 6.0]]
        >>> offsets, logits = torch.zeros(8, 2, 2), torch.zeros(8, 2, 2)
        >>> logits[1, 0, 1] = 2.0
        >>> codec.decode((offsets, logits), grid).points.tolist()
        [[10.0, 2.0]]
    """

    counts_points = True

    def __init__(
        self,
        rows: int = 2,
        columns: int = 2,
        offset_scale: float = 100.0,
        score_thr: float = 0.5,
        keep_outside: bool = False,
        origin: float = 0.0,
        num_classes: int = 1,
        stride: int = 8,
    ) -> None:
        super().__init__(num_classes=num_classes, stride=stride)
        if min(rows, columns) < 1:
            raise ValueError(f'rows and columns must be at least 1, got {rows} and {columns}')
        if offset_scale <= 0:
            raise ValueError(f'offset_scale must be positive, got {offset_scale}')
        if not 0 <= score_thr < 1:
            raise ValueError(f'score_thr must be in [0, 1), got {score_thr}')
        self.rows, self.columns = rows, columns
        self.offset_scale = offset_scale
        self.score_thr = score_thr
        self.keep_outside = keep_outside
        self.origin = origin

    @property
    def proposals_per_cell(self) -> int:
        """K, ``rows * columns``."""
        return self.rows * self.columns

    def reference_points(self, grid: MapGrid, like: Tensor) -> Tensor:
        """(h * w * K, 2) px on the device of ``like``: cell by cell in raster order, in each cell likewise."""
        height, width = grid.shape
        y, x, row, column = torch.meshgrid(
            *(torch.arange(size, device=like.device) for size in (height, width, self.rows, self.columns)),
            indexing='ij',
        )
        # The middle of part i of n of a cell is (i + 0.5) / n - 0.5 from its centre, in cells.
        cells = torch.stack(
            (x + (column + 0.5) / self.columns - 0.5, y + (row + 0.5) / self.rows - 0.5),
            dim=-1,
        )
        return grid.to_image(cells.view(-1, 2))

    def proposals(self, maps: tuple[Tensor, ...], grid: MapGrid) -> tuple[Tensor, Tensor]:
        """Points and logits of all proposals of an image.

        Args:
            maps: Offsets (2K, h, w), x and y of each proposal in turn; logits (K * (C + 1), h, w), of each proposal
                background first.
            grid: Of the image.

        Returns:
            (h * w * K, 2) px, and (h * w * K, C + 1); in the order of :meth:`reference_points`.

        Raises:
            ValueError: The maps are not those of the grid.
        """
        channels = (2, self.num_classes + 1)
        expected = [(self.proposals_per_cell * number, *grid.shape) for number in channels]
        found = [tuple(one.shape) for one in maps]
        if found != expected:
            raise ValueError(
                f'{self.proposals_per_cell} proposals per cell of {self.num_classes} classes and an image of '
                f'{grid.img_shape} at stride {grid.stride} need offsets and logits of {expected}, got {found}'
            )
        offsets, logits = (
            one.float().permute(1, 2, 0).reshape(-1, number) for one, number in zip(maps, channels, strict=True)
        )
        return self.reference_points(grid, offsets) + self.offset_scale * offsets, logits

    def decode(self, maps: tuple[Tensor, ...], grid: MapGrid, known: Objects | None = None) -> CountPrediction:
        """Keep the proposals that are objects.

        Args:
            maps: See :meth:`proposals`.
            grid: Of the image.
            known: Unused.

        Returns:
            ``points`` in the order of the cells; ``scores`` are probabilities. ``density`` has a unit in the cell at
            each point.
        """
        points, logits = self.proposals(maps, grid)
        scores, labels = logits.softmax(dim=1)[:, 1:].max(dim=1)
        keep = scores > self.score_thr
        if not self.keep_outside:
            height, width = grid.img_shape
            inside = (points >= -0.5) & (points < points.new_tensor((width - 0.5, height - 0.5)))
            keep &= inside.all(dim=1)
        points, labels, scores = points[keep], labels[keep], scores[keep]
        cells = MapGrid(grid.img_shape, grid.stride)
        return CountPrediction(
            counts=torch.bincount(labels, minlength=self.num_classes).float(),
            points=points,
            labels=labels,
            scores=scores,
            density=cells.units(points, labels, self.num_classes),
            extent=cells.extent,
        )
