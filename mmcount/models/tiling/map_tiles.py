"""Tiled inference of a counter of dense maps, as its config or its user asks for it."""

from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmcount.codecs import CountCodec, CountPrediction
from mmcount.structures import CountDataSample

from .reach import measured_reach
from .tiles import averaged_maps, axis_tiles, tiled_map, tiled_maps

#: Normalisation whose values depend on all of the input, so that a tile cannot know them.
WHOLE_IMAGE_NORMS = (nn.GroupNorm, nn.modules.instancenorm._InstanceNorm)


def network_context(model: nn.Module) -> tuple[int, int]:
    """``(shrink, ring)`` of a model whose map can be computed in tiles.

    Raises:
        ValueError: the model needs the whole image; says why.
    """
    name = type(model).__name__
    if model.training:
        raise ValueError(f'{name} is in training mode: call eval() first')
    backbone: Any = getattr(model, 'backbone', None)
    head: Any = getattr(model, 'head', None)
    context = getattr(backbone, 'context', None)
    if context is None:
        raise ValueError(
            f'{name} needs the whole image: its backbone {type(backbone).__name__} does not declare a context, the '
            '(shrink, ring) of mmcount.models.tiling.axis_tiles'
        )
    if getattr(model, 'neck', None) is not None:
        raise ValueError(f'{name} needs the whole image: its neck {type(model.neck).__name__} is not known to be local')
    if any(isinstance(one, nn.Conv2d) and one.kernel_size != (1, 1) for one in head.modules()):
        raise ValueError(f'{name} needs the whole image: its head {type(head).__name__} looks beyond one cell')
    for one in model.modules():
        batch_statistics = isinstance(one, _BatchNorm) and (one.training or not one.track_running_stats)
        if isinstance(one, WHOLE_IMAGE_NORMS) or batch_statistics:
            raise ValueError(f'{name} needs the whole image: {type(one).__name__} normalises over all of it')
    return context


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
        """See now, and not at the first large image, whether a model can be tiled so.

        Raises:
            ValueError: It is in training mode, has no maps, needs the whole image, or a tile does not exceed what it
                can see. Says which.
        """
        name = type(model).__name__
        if model.training:
            raise ValueError(f'{name} is in training mode: call eval() first')
        if self._context(model) is None and self.mode == 'exact':
            self._core(self._halo(model))

    def _context(self, model: Any) -> tuple[int, int] | None:
        """What the backbone declares, if it does: then the padding of images is a halo.

        Raises:
            ValueError: The model cannot be tiled, whatever it sees.
        """
        name, head = type(model).__name__, getattr(model, 'head', None)
        if not hasattr(head, 'decode_maps'):
            raise ValueError(
                f'{name} needs the whole image: its head {type(head).__name__} gives no maps that could be merged'
            )
        if getattr(getattr(model, 'backbone', None), 'context', None) is not None:
            if self.mode == 'average':
                raise ValueError(f"{name} pads its images with a halo, use mode 'exact': got 'average'")
            return network_context(model)
        if getattr(model.data_preprocessor, 'halo', 0):
            raise ValueError(f'{name} pads its images with a halo, so its backbone must declare a context to be tiled')
        return None

    def _halo(self, model: Any) -> int:
        """The surroundings in pixels, a multiple of the divisor."""
        reach = self.halo
        if reach is None:
            if self._measured is None:
                if model.training:
                    raise ValueError(f'{type(model).__name__} is in training mode: call eval() first')
                weight = next((one for one in model.parameters() if one.is_floating_point()), None)
                channels = getattr(model.data_preprocessor, 'mean', (0, 0, 0))
                like = channels if isinstance(channels, Tensor) and weight is None else weight
                assert like is not None
                try:
                    self._measured = measured_reach(model.maps, like.new_zeros(1, len(channels)), self.divisor)
                except ValueError as error:
                    raise type(error)(f'{type(model).__name__} cannot be tiled exactly: {error}') from error
            reach = self._measured
        return -(-reach // self.divisor) * self.divisor

    def _core(self, halo: int) -> tuple[int, int]:
        """Height and width of what a tile fills, multiples of the divisor."""
        height, width = (side // self.divisor * self.divisor - 2 * halo for side in self.size)
        if min(height, width) < self.divisor:
            least = 2 * halo + self.divisor
            raise ValueError(
                f'a tile of {self.size[0]} x {self.size[1]} px leaves nothing beside the surroundings of {halo} px on '
                f'every side that the network sees: size must be at least {least} x {least}'
            )
        return height, width

    def maps(self, model: Any, image: Tensor) -> tuple[Tensor, ...]:
        """The maps of one image.

        Args:
            model: In evaluation mode, with ``maps((B, C, H, W)) -> tuple of (B, K, h, w)``.
            image: (C, H, W) normalised, without padding.

        Returns:
            (1, K, h, w) each, of the image padded to multiples of the divisor.
        """
        height, width = image.shape[-2:]
        padded = F.pad(image[None], (0, -width % self.divisor, 0, -height % self.divisor))
        aligned = padded.shape[-2:] == image.shape[-2:]
        if self.mode == 'average':
            if aligned and height * width < self.whole_below:
                return model.maps(padded)
            return averaged_maps(model.maps, padded, self.size, self.divisor, self.batch_size)
        if padded.shape[2] <= self.size[0] and padded.shape[3] <= self.size[1]:
            return model.maps(padded)
        halo = self._halo(model)
        rows, columns = (
            axis_tiles(side, core, self.divisor, self.divisor - 1, halo)
            for side, core in zip(padded.shape[2:], self._core(halo), strict=True)
        )
        return tiled_maps(model.maps, padded, rows, columns, self.divisor, self.batch_size)

    def predict(
        self, model: Any, inputs: Tensor, data_samples: list[CountDataSample], stride: int | None = None
    ) -> list[CountPrediction]:
        """What ``model.head.predict`` gives for the whole images.

        Args:
            model: In evaluation mode.
            inputs: (B, C, H, W) normalised images, padded to one shape.
            data_samples: One per image, with ``img_shape``.
            stride: The stride that the network runs at, where it is not the codec's.

        Raises:
            ValueError: See :meth:`check`.
        """
        head = model.head
        context = self._context(model)
        if context is not None:
            step = getattr(model.backbone, 'stride', 1)
            maps = tiled_map(model, inputs, context, step, self.size, self.batch_size)
            return head.decode_maps((maps,), data_samples, stride)
        predictions = []
        for image, sample in zip(inputs, data_samples, strict=True):
            img_shape = tuple(sample.img_shape[:2])
            maps = self.maps(model, image[:, : img_shape[0], : img_shape[1]])
            codec = head.codec_at(stride)
            if self.mode == 'average' and codec.counts_points:
                shape = tuple(side + -side % self.divisor for side in img_shape)
                padded = CountDataSample(metainfo={**sample.metainfo, 'img_shape': shape})
                found = head.decode_maps(maps, [padded], stride)[0]
                predictions.append(crop_prediction(found, codec, img_shape))
            else:
                predictions += head.decode_maps(maps, [sample], stride)
        return predictions


def crop_prediction(prediction: CountPrediction, codec: CountCodec, img_shape: tuple[int, int]) -> CountPrediction:
    """Drop the objects whose point lies in the padding of an image, and cut the density to the image.

    Args:
        prediction: What the codec decoded from the map of the padded image; each of its objects is a point.
        codec: Its codec.
        img_shape: (height, width) without padding.
    """
    height, width = codec.map_shape(img_shape)
    limit = prediction.points.new_tensor((img_shape[1], img_shape[0]))
    cells = ((prediction.points + 0.5) / codec.stride).floor()
    keep = (cells < cells.new_tensor((width, height))).all(dim=1)
    labels = prediction.labels[keep]
    points = prediction.points[keep].minimum(limit - 1)
    density, extent = codec.density_of(points, labels, img_shape)
    return CountPrediction(
        counts=labels.bincount(minlength=len(prediction.counts)).to(prediction.counts),
        density=density,
        points=points,
        labels=labels,
        scores=prediction.scores[keep],
        extent=extent,
        spread=prediction.spread,
        bboxes=None if prediction.bboxes is None else prediction.bboxes[keep].minimum(limit.repeat(2)),
    )
