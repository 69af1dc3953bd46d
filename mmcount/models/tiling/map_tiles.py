"""Tiled inference of a counter of maps, as its config or its user asks for it."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmcount.structures import CountDataSample, CountPrediction, MapGrid

from .reach import StrideError, measured_reach
from .tiles import averaged_maps, axis_tiles, tiled_maps

#: Normalisation whose values depend on all of the input, so that a tile cannot compute them.
WHOLE_IMAGE_NORMS = (nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)


@dataclass(frozen=True)
class Surroundings:
    """Pixels that a tile brings beyond the cells that it fills; see :func:`mmcount.models.tiling.axis_tiles`.

    Args:
        step: Input pixels from one cut to the next that is possible.
        shrink: Pixels by which the map at step 1 is smaller than the input.
        ring: Cells from an edge that zero padding inside the network reaches.
        pixels_per_cell: Whether maps may have several pixels in each step.
    """

    step: int
    shrink: int
    ring: int
    pixels_per_cell: bool


def declared_surroundings(model: nn.Module) -> Surroundings | None:
    """Surroundings from the ``context`` (shrink, ring) of the backbone; None if it declares none.

    Raises:
        ValueError: The backbone declares a context, but another part of the model needs the whole image.
    """
    backbone: Any = getattr(model, 'backbone', None)
    head: Any = getattr(model, 'head', None)
    name = type(model).__name__
    context = getattr(backbone, 'context', None)
    if context is None:
        return None
    if getattr(model, 'neck', None) is not None:
        raise ValueError(f'{name} needs the whole image: its neck {type(model.neck).__name__} is not known to be local')
    if any(isinstance(one, nn.Conv2d) and one.kernel_size != (1, 1) for one in head.modules()):
        raise ValueError(f'{name} needs the whole image: its head {type(head).__name__} looks beyond one cell')
    for one in model.modules():
        batch_statistics = isinstance(one, _BatchNorm) and (one.training or not one.track_running_stats)
        if isinstance(one, WHOLE_IMAGE_NORMS) or batch_statistics:
            raise ValueError(f'{name} needs the whole image: {type(one).__name__} normalises over all of it')
    shrink, ring = context
    return Surroundings(int(getattr(backbone, 'stride', 1)), shrink, ring, pixels_per_cell=False)


class MapTiles:
    """Predict images of any size in tiles: maps are merged first, and decoded once for the whole image.

    Two modes:

    - 'exact': every tile brings as much of its surroundings as the network can see, and keeps only what they do not
      change. Maps, and so counts and points, are those of the whole image up to rounding.
    - 'average': tiles side by side, the last of an axis moved back into the image, and the mean where they overlap, as
      IIM was published (Gao et al., 2020). Near seams the maps are not those of the whole image. Images with fewer
      than ``whole_below`` pixels whose sides are multiples of ``divisor`` are seen whole.

    Images are padded with zeros at the bottom and at the right to multiples of ``divisor``, after the normalisation.
    In mode 'average' objects are sought in the padded map, and those whose point lies in the padding are dropped, as
    published; in mode 'exact' only the image's own part of the map is decoded. What else is in a batch never matters.
    The activations of the network take memory for ``batch_size`` tiles; of the size of the image are its input and
    its maps.

    Written as ``test_cfg=dict(tiles=dict(...))`` of :class:`mmcount.models.DenseCounter`. One object serves one model.

    Args:
        mode: 'exact' or 'average'.
        size: Largest height and width that the network sees at once, surroundings included, or one number for both.
            (A network that declares its ``context``, such as Count-ception, sees its few pixels in addition.)
        divisor: A multiple of all strides of the network, pixels: 16 for VGG16, 32 for HRNet.
        halo: Surroundings in mode 'exact', pixels. None measures them, see :func:`measured_reach`.
        whole_below: See above; None takes four tiles.
        batch_size: Tiles that run together.

    Raises:
        ValueError: An option is not valid.

    Example:
        >>> tiles = MapTiles(mode='average', size=(512, 1024))
        >>> tiles.size, tiles.whole_below
        ((512, 1024), 2097152)
    """

    def __init__(
        self,
        mode: Literal['exact', 'average'] = 'exact',
        size: int | tuple[int, int] = (512, 1024),
        divisor: int = 16,
        halo: int | None = None,
        whole_below: int | None = None,
        batch_size: int = 1,
    ) -> None:
        if mode not in ('exact', 'average'):
            raise ValueError(f"mode must be 'exact' or 'average', got {mode!r}")
        height, width = (size, size) if isinstance(size, int) else size
        for name, value, least in (
            ('the height of size', height, 1),
            ('the width of size', width, 1),
            ('divisor', divisor, 1),
            ('halo', 0 if halo is None else halo, 0),
            ('batch_size', batch_size, 1),
        ):
            if value < least:
                raise ValueError(f'{name} must be at least {least}, got {value}')
        if mode == 'average':
            if height % divisor or width % divisor:
                raise ValueError(f"mode 'average' needs a size of multiples of {divisor}, got {(height, width)}")
            if halo is not None:
                raise ValueError(f"halo is an option of mode 'exact', mode 'average' has none; got {halo}")
        elif whole_below is not None:
            raise ValueError(f"whole_below is an option of mode 'average', got {whole_below}")
        self.mode = mode
        self.size = (int(height), int(width))
        self.divisor = divisor
        self.halo = halo
        self.whole_below = 4 * height * width if whole_below is None else whole_below
        self.batch_size = batch_size
        self._measured: int | None = None

    def check(self, model: nn.Module) -> None:
        """Check now, and not at the first large image, whether a model can be tiled so.

        Raises:
            ValueError: It is in training mode, has no maps, needs the whole image, its maps may not be averaged, or a
                tile does not exceed what it can see. Says which.
        """
        if self._check_maps(model) is None and self.mode == 'exact':
            self._core(self._surroundings(model))

    def _check_maps(self, model: nn.Module) -> Surroundings | None:
        """Refuse a model whose maps cannot be merged; the surroundings that its backbone declares."""
        name = type(model).__name__
        head: Any = getattr(model, 'head', None)
        if model.training:
            raise ValueError(f'{name} is in training mode: call eval() first')
        if not hasattr(model, 'maps') or not hasattr(head, 'merges_by_averaging'):
            raise ValueError(f'{name} needs the whole image: it gives no maps that could be merged')
        declared = declared_surroundings(model)
        if self.mode == 'average':
            if declared is not None:
                raise ValueError(f"{name} pads its images with a halo, use mode 'exact': got 'average'")
            if not head.merges_by_averaging:
                raise ValueError(
                    f"the maps of {type(head).__name__} may not be averaged where tiles overlap: use mode 'exact'"
                )
        if declared is None and head.halo:
            raise ValueError(f'{name} pads its images with a halo, so its backbone must declare a context to be tiled')
        return declared

    def _surroundings(self, model: Any) -> Surroundings:
        """Declared by the backbone, given as ``halo``, or measured once."""
        declared = declared_surroundings(model)
        if declared is not None:
            return declared
        reach = self.halo
        if reach is None:
            if self._measured is None:
                self._measured = self._measure(model)
            reach = self._measured
        ring = -(-reach // self.divisor) * self.divisor
        return Surroundings(self.divisor, self.divisor - 1, ring, pixels_per_cell=True)

    def _measure(self, model: Any) -> int:
        weight = next((one for one in model.parameters() if one.is_floating_point()), None)
        channels = getattr(model.data_preprocessor, 'mean', (0, 0, 0))
        like = channels if isinstance(channels, Tensor) and weight is None else weight
        assert like is not None
        try:
            return measured_reach(model.maps, like.new_zeros(1, len(channels)), self.divisor)
        except ValueError as error:
            raise type(error)(f'{type(model).__name__} cannot be tiled exactly: {error}') from error

    def _core(self, surroundings: Surroundings) -> tuple[int, int]:
        """Height and width of what a tile fills."""
        if not surroundings.pixels_per_cell:
            return self.size
        halo, divisor = surroundings.ring, self.divisor
        height, width = (side // divisor * divisor - 2 * halo for side in self.size)
        if min(height, width) < divisor:
            least = 2 * halo + divisor
            raise ValueError(
                f'a tile of {self.size[0]} x {self.size[1]} px leaves nothing beside the surroundings of {halo} px on '
                f'every side that the network sees: size must be at least {least} x {least}'
            )
        return height, width

    def maps(self, model: Any, image: Tensor) -> tuple[Tensor, ...]:
        """The maps of one image.

        Args:
            model: In evaluation mode, with ``maps((B, C, H, W)) -> tuple of (B, K, h, w)``.
            image: (C, H, W) normalised, with its halo.

        Returns:
            (1, K, h, w) each, of the image padded to multiples of the divisor unless the backbone declares its context.
        """
        known = self._check_maps(model)
        if known is None:
            unpadded = image.shape[-2:]
            image = F.pad(image, (0, -unpadded[1] % self.divisor, 0, -unpadded[0] % self.divisor))
            height, width = image.shape[-2:]
            if self.mode == 'average':
                if image.shape[-2:] == unpadded and height * width < self.whole_below:
                    return model.maps(image[None])
                return averaged_maps(model.maps, image[None], self.size, self.divisor, self.batch_size)
            if height <= self.size[0] and width <= self.size[1]:
                return model.maps(image[None])
            known = self._surroundings(model)
        rows, columns = (
            axis_tiles(side, core, known.step, known.shrink, known.ring)
            for side, core in zip(image.shape[-2:], self._core(known), strict=True)
        )
        divisor = known.step if known.pixels_per_cell else None
        return tiled_maps(model.maps, image[None], rows, columns, divisor, self.batch_size)

    def predict(self, model: Any, inputs: Tensor, data_samples: list[CountDataSample]) -> list[CountPrediction]:
        """Predictions of ``model.head.predict`` for the whole images.

        Args:
            model: In evaluation mode.
            inputs: (B, C, H, W) normalised images of one size, with their halo and padding.
            data_samples: One per image, with ``img_shape``.

        Raises:
            ValueError: See :meth:`check`.
        """
        declared = self._check_maps(model)
        predictions = []
        for image, sample in zip(inputs, data_samples, strict=True):
            if declared is not None:
                predictions += model.head.predict(self.maps(model, image), [sample])
                continue
            height, width = sample.img_shape[:2]
            padded = height + -height % self.divisor, width + -width % self.divisor
            maps = self.maps(model, image[:, :height, :width])
            codec: Any = getattr(model.head, 'codec', None)
            drop = self.mode == 'average' and codec is not None and codec.counts_points
            metainfo = {
                **sample.metainfo,
                'batch_input_shape': padded,
                'img_shape': padded if drop else (height, width),
            }
            meta = CountDataSample(metainfo=metainfo)
            if 'gt_instances' in sample:
                meta.gt_instances = sample.gt_instances
            (found,) = model.head.predict(maps, [meta])
            predictions.append(crop_prediction(found, codec.grid((height, width))) if drop else found)
        return predictions


def crop_prediction(prediction: CountPrediction, grid: MapGrid) -> CountPrediction:
    """Drop the objects whose point lies in the padding of an image, and cut the density to the image.

    Args:
        prediction: Decoded from the map of the padded image; each of its objects is a point, a unit in its density.
        grid: Of the image without padding.
    """
    height, width = grid.shape
    limit = prediction.points.new_tensor((grid.img_shape[1], grid.img_shape[0]))
    cells = ((prediction.points - grid.origin) / grid.stride).floor()
    keep = (cells < cells.new_tensor((width, height))).all(dim=1)
    labels, points = prediction.labels[keep], prediction.points[keep].minimum(limit - 1)
    left, _, right, _ = prediction.extent
    density_grid = MapGrid(grid.img_shape, round((right - left) / prediction.density.shape[-1]), origin=left)
    num_classes = len(prediction.counts)
    return CountPrediction(
        counts=labels.bincount(minlength=num_classes).to(prediction.counts),
        points=points,
        labels=labels,
        scores=prediction.scores[keep],
        density=density_grid.units(points, labels, num_classes),
        extent=density_grid.extent,
        bboxes=None if prediction.bboxes is None else prediction.bboxes[keep].minimum(limit.repeat(2)),
        spread=prediction.spread,
        saturated=prediction.saturated,
    )


def tiles_for(
    model: nn.Module, tile: int | tuple[int, int] | None, mode: Literal['exact', 'average'] = 'exact'
) -> MapTiles | None:
    """How to divide images for a model, checked; None for no ``tile``.

    The divisor is that of ``test_cfg.tiles`` of the model or of its data preprocessor, or else 32. If that is no
    multiple of all strides of the network, as with the 16 that HRNet was published with, exact tiles take the next one
    that 32 divides too.

    Raises:
        ValueError: The model cannot be tiled so; says why.
    """
    if tile is None:
        return None
    own = getattr(model, 'tiles', None)
    divisor = own.divisor if own else getattr(model.data_preprocessor, 'pad_size_divisor', 1)
    tiles = MapTiles(mode, tile, divisor if divisor > 1 else 32)
    try:
        tiles.check(model)
    except StrideError:
        tiles = MapTiles(mode, tile, math.lcm(tiles.divisor, 32))
        tiles.check(model)
    return tiles
