"""Instance segmentation from a counter: the peaks of its maps choose among mask proposals."""

from typing import Any, NamedTuple

import torch
from mmdet.structures.mask import mask2bbox
from mmengine.model import BaseModel
from mmengine.structures import InstanceData
from torch import Tensor, nn

from mmcount.models.counters.dense_counter import added_halo
from mmcount.models.counters.size_groups import size_groups
from mmcount.models.heads.count_head import input_shape
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, MapGrid

from .peak_backprop import backpropagate_peaks, normalise_relevance, traced_maps
from .peaks import Peaks, select_peaks
from .scoring import (
    Extent,
    PerClass,
    best_proposals,
    density_in_masks,
    mask_nms,
    resize_masks,
    score_proposals,
)

PEAK_SOURCES = ('maps', 'points')


class Segments(NamedTuple):
    """Peaks that found their mask, best first.

    Attributes:
        peaks: (M,) int64, which peak.
        proposals: (M,) int64, which proposal.
        scores: (M,).
        responses: (M, H, W), the peaks' responses and those of the peaks that they suppressed.
    """

    peaks: Tensor
    proposals: Tensor
    scores: Tensor
    responses: Tensor


def segment_peaks(responses: Tensor, masks: Tensor, scores: Tensor, iou_threshold: float = 0.3) -> Segments:
    """Give every peak its best proposal, and keep one peak for each object.

    Args:
        responses: (K, H, W).
        masks: (P, H, W) bool, the proposals at the resolution of the responses.
        scores: (K, P) of :func:`score_proposals`.
        iou_threshold: Of the suppression.
    """
    empty = torch.zeros(0, dtype=torch.long, device=scores.device)
    if scores.numel() == 0:
        return Segments(empty, empty, scores.new_zeros(0), responses[:0])
    best, chosen = best_proposals(scores)
    valid = best.isfinite().nonzero()[:, 0]
    keep, owner = mask_nms(masks[chosen[valid]], best[valid], iou_threshold)
    merged = responses.new_zeros(len(keep), *responses.shape[1:]).index_add_(0, owner, responses[valid])
    kept = valid[keep]
    return Segments(kept, chosen[kept], best[kept], merged)


@MODELS.register_module()
class PeakSegmentor(BaseModel):
    r"""Any counter with class maps, extended by instance masks without training.

    Peaks of the class maps are back-propagated to the pixels (peak response mapping, Zhou et al., CVPR 2018); every
    peak takes the mask proposal that agrees best with its response and with one object of the counter's density
    (Cholakkal, Sun, Khan, Shao, CVPR 2019, eq. 9); masks that overlap are suppressed whatever their class.

    It trains as the counter and its checkpoints are the counter's, in both directions. In the test pipeline,
    ``LoadMaskProposals`` right after the image is loaded gives each sample its ``proposals``. Whatever else the
    counter offers (``head``, ``calibration``, ...) is reached through the segmentor.

    ``predict`` writes what the counter writes, and replaces ``pred_instances``, best first, by ``points`` (M, 2) px,
    ``labels``, ``scores`` (of eq. 9, at most 1.8 with the usual weights, possibly negative), ``masks`` (M, H, W) bool
    and ``bboxes`` (M, 4), all in the original image. An image without peaks or proposals has none.

    Args:
        counter: Config or instance of a counter with ``response_maps``, such as :class:`mmcount.models.DenseCounter`.
        peak_source: ``maps``: peaks of the class maps, as published. ``points``: the points that the counter predicts,
            for counters whose maps are no class scores (Count-ception, density maps).
        class_threshold: Lowest score of a class, see :func:`select_peaks`.
        peak_threshold: Lowest value of a peak, or None for any; its scale is that of the trained network.
        limit_by_count: Keep as many peaks of a class as it has objects, rounded.
        fall_back: Take the best peak where none reaches its threshold.
        alpha: Weight of the response within the proposal, see :func:`score_proposals`; also one value per class, as
            the three that follow.
        beta: Cost of a background pixel.
        gamma: Weight of the density penalty; 0 leaves it out.
        background: Share of the mean of a class map under which a pixel is background.
        density_resize: 'nearest' as published, or 'area', see :func:`density_in_masks`.
        max_proposals: Proposals that are looked at, the first ones of each image.
        iou_threshold: A better mask with this intersection over union suppresses.
        max_peaks_per_batch: Peaks that are propagated at once; memory grows with it.
        keep_proposals: Leave the proposals in the samples. They are large, and go with every dumped result.
        keep_responses: Add ``pred_instances.responses`` (M, H, W) at the resolution of the network's input.
        init_cfg: Initialisation.

    Raises:
        ValueError: An argument is out of range.

    Example:
        >>> codec = dict(type='mmcount.DensityCodec', sigma=8, stride=32)
        >>> segmentor = PeakSegmentor(
        ...     counter=dict(
        ...         type='mmcount.DenseCounter',
        ...         backbone=dict(type='mmdet.ResNet', depth=18, style='pytorch'),
        ...         head=dict(type='mmcount.DensityMapHead', codec=codec, in_channels=512),
        ...     ),
        ...     peak_source='points',
        ... )
        >>> segmentor.head is segmentor.counter.head
        True
    """

    def __init__(
        self,
        counter: dict | nn.Module,
        peak_source: str = 'maps',
        class_threshold: float = 0.5,
        peak_threshold: float | None = 20.0,
        limit_by_count: bool = False,
        fall_back: bool = True,
        alpha: PerClass = 0.8,
        beta: PerClass = 1e-5,
        gamma: PerClass = 0.2,
        background: PerClass = 0.95,
        density_resize: str = 'nearest',
        max_proposals: int = 100,
        iou_threshold: float = 0.3,
        max_peaks_per_batch: int = 8,
        keep_proposals: bool = False,
        keep_responses: bool = False,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        built: Any = MODELS.build(counter) if isinstance(counter, dict) else counter
        super().__init__(data_preprocessor=built.data_preprocessor, init_cfg=init_cfg)
        if peak_source not in PEAK_SOURCES:
            raise ValueError(f'peak_source must be one of {PEAK_SOURCES}, got {peak_source!r}')
        if density_resize not in ('nearest', 'area'):
            raise ValueError(f"density_resize must be 'nearest' or 'area', got {density_resize!r}")
        if max_proposals < 1 or max_peaks_per_batch < 1:
            raise ValueError(
                f'max_proposals and max_peaks_per_batch must be at least 1, got {max_proposals} and '
                f'{max_peaks_per_batch}'
            )
        if not hasattr(built, 'response_maps'):
            raise ValueError(f'{type(built).__name__} has no response_maps, which peaks are propagated through')
        self.counter = built
        self.peak_source = peak_source
        self.class_threshold = class_threshold
        self.peak_threshold = peak_threshold
        self.limit_by_count = limit_by_count
        self.fall_back = fall_back
        self.score_cfg: dict[str, Any] = dict(alpha=alpha, beta=beta, gamma=gamma, background=background)
        self.density_resize: Any = density_resize
        self.max_proposals = max_proposals
        self.iou_threshold = iou_threshold
        self.max_peaks_per_batch = max_peaks_per_batch
        self.keep_proposals = keep_proposals
        self.keep_responses = keep_responses
        self.register_state_dict_post_hook(_to_counter_keys)
        self.register_load_state_dict_pre_hook(_from_counter_keys)

    def __getattr__(self, name: str) -> Any:
        """Attributes of the counter, unless the segmentor has them itself."""
        try:
            return super().__getattr__(name)
        except AttributeError:
            counter = self.__dict__.get('_modules', {}).get('counter')
            if counter is None:
                raise
            return getattr(counter, name)

    def forward(
        self, inputs: Tensor, data_samples: list[CountDataSample] | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[CountDataSample] | Tensor:
        """As the counter's; mode ``'predict'`` adds the instances.

        Args:
            inputs: (B, 3, H, W) normalised images.
            data_samples: One per image; ``predict`` needs their ``img_shape``, ``ori_shape`` and ``proposals``.
            mode: ``'loss'``, ``'predict'`` or ``'tensor'``.
        """
        if mode == 'predict' and data_samples is not None:
            return self.predict(inputs, data_samples)
        return self.counter(inputs, data_samples, mode=mode)

    def predict(self, inputs: Tensor, data_samples: list[CountDataSample]) -> list[CountDataSample]:
        """Counts, density and instances of every image of a batch; one image at a time goes through the peaks.

        Raises:
            ValueError: A sample has no ``proposals``, or they do not fit its image.
        """
        for sample in data_samples:
            _check_proposals(sample)
        for indices, own in size_groups(inputs, data_samples, added_halo(self, data_samples)):
            samples = [data_samples[index] for index in indices]
            self.counter(own, samples, mode='predict')
            for index, sample in enumerate(samples):
                sample.pred_instances = self.segment(own[index : index + 1], sample)
                if not self.keep_proposals:
                    del sample.proposals
        return data_samples

    def segment(self, image: Tensor, sample: CountDataSample) -> InstanceData:
        """The instances of one image.

        Args:
            image: (1, 3, H, W) normalised, with its halo and padding.
            sample: With the counter's prediction and ``proposals``.
        """
        density = sample.pred_density.data
        maps, leaf = traced_maps(self.counter.response_maps, image, self.counter)
        grid = self.counter.head.grid(sample, (maps,))
        own = grid.crop(maps[0], input_shape(sample)).detach().float()
        original = _original_masks(sample, self.max_proposals, image.device)
        extent = tuple(sample.pred_density.get('extent') or _image_extent(original.shape[-2:]))
        peaks, points = self._peaks(own, sample, grid)
        if len(original) == 0 or len(points) == 0:
            return _instances(points[:0], peaks.labels[:0], density.new_zeros(0), original[:0])
        pixels = backpropagate_peaks(maps, leaf, peaks.positions, self.max_peaks_per_batch)
        responses = normalise_relevance(self._without_halo(pixels, sample))
        shape = (responses.shape[1], responses.shape[2])
        masks = resize_masks(original, shape)
        scores = score_proposals(
            responses,
            peaks.labels,
            masks,
            own,
            density_in_masks(density, original, extent, self.density_resize),
            map_extent=grid.extent,
            **self.score_cfg,
        )
        segments = segment_peaks(responses, masks, scores, self.iou_threshold)
        labels, kept = peaks.labels[segments.peaks], original[segments.proposals]
        instances = _instances(points[segments.peaks], labels, segments.scores, kept)
        if self.keep_responses:
            instances.responses = segments.responses
        return instances

    def _peaks(self, maps: Tensor, sample: CountDataSample, grid: MapGrid) -> tuple[Peaks, Tensor]:
        """Peaks, and their (K, 2) points in px of the original image."""
        counts = sample.pred_counts if self.limit_by_count else None
        scale = maps.new_tensor(sample.get('scale_factor', (1.0, 1.0)))
        if self.peak_source == 'maps':
            radius = int(getattr(self.counter.head, 'peak_radius', 1))
            peaks = select_peaks(maps, self.class_threshold, self.peak_threshold, counts, self.fall_back, radius=radius)
            return peaks, (grid.to_image(peaks.positions[:, [2, 1]].to(maps)) + 0.5) / scale - 0.5
        points, labels = sample.pred_instances.points, sample.pred_instances.labels
        # The cell that a point lies in; of a map of windows the one whose window is centred nearest to it.
        cells = (grid.from_image((points.to(maps) + 0.5) * scale - 0.5) + 0.5).floor().long()
        limit = torch.tensor([maps.shape[2] - 1, maps.shape[1] - 1], device=maps.device)
        x, y = cells.clamp(min=torch.zeros_like(limit), max=limit).unbind(dim=1)
        return Peaks(torch.stack([labels, y, x], dim=1), maps[labels, y, x]), points

    def _without_halo(self, pixels: Tensor, sample: CountDataSample) -> Tensor:
        """The image's own pixels of an input with a halo and the padding of a batch."""
        start = added_halo(self, [sample])
        height, width = sample.img_shape[:2]
        return pixels[:, start : start + height, start : start + width]


def _image_extent(shape: tuple[int, ...]) -> Extent:
    return -0.5, -0.5, shape[1] - 0.5, shape[0] - 0.5


def _check_proposals(sample: CountDataSample) -> None:
    name = f'image {sample.get("img_id", "?")}'
    proposals = sample.get('proposals')
    if proposals is None or 'masks' not in proposals:
        raise ValueError(
            f'{name} has no mask proposals: put LoadMaskProposals after LoadImage into the test pipeline, before any '
            'transform of the image'
        )
    if sample.get('flip'):
        raise ValueError(f'{name} was flipped and its proposals were not: test without RandomFlip')
    found, expected = _shape(proposals.masks), tuple(sample.get('ori_shape', _shape(proposals.masks))[:2])
    if found != expected:
        raise ValueError(f'the proposals of {name} are of {found} (height, width), the image is of {expected}')


def _shape(masks: Any) -> tuple[int, ...]:
    return (masks.height, masks.width) if hasattr(masks, 'height') else tuple(masks.shape[-2:])


def _original_masks(sample: CountDataSample, number: int, device: torch.device) -> Tensor:
    """(P, H, W) bool, the first ``number`` proposals."""
    masks = sample.proposals.masks[:number]
    array = masks if isinstance(masks, Tensor) else torch.from_numpy(masks.to_ndarray())
    return array.to(device).bool()


def _instances(points: Tensor, labels: Tensor, scores: Tensor, masks: Tensor) -> InstanceData:
    bboxes = mask2bbox(masks)
    return InstanceData(points=points, labels=labels, scores=scores, masks=masks, bboxes=bboxes)


def _to_counter_keys(module: nn.Module, state_dict: dict, prefix: str, local_metadata: Any) -> None:
    """Name parameters as the counter alone would."""
    for key in [one for one in state_dict if one.startswith(f'{prefix}counter.')]:
        state_dict[prefix + key[len(prefix) + len('counter.') :]] = state_dict.pop(key)


def _from_counter_keys(module: nn.Module, state_dict: dict, prefix: str, *unused: Any) -> None:
    """Find parameters by the counter's names."""
    for key in [one for one in state_dict if one.startswith(prefix)]:
        name = key[len(prefix) :]
        if not name.startswith(('counter.', 'data_preprocessor.')):
            state_dict[f'{prefix}counter.{name}'] = state_dict.pop(key)
