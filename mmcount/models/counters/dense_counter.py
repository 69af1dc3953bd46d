"""A counter that predicts a map: backbone, neck, and a head that speaks one codec."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmcount.codecs import CountPrediction
from mmcount.models.heads.dense_head import stack_targets, to_data_sample
from mmcount.models.layers import CountCalibration
from mmcount.models.tiling import MapTiles
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample


@MODELS.register_module()
class DenseCounter(BaseModel):
    """Backbone -> neck -> head.

    Args:
        backbone: Config; of mmcount or of mmdet.
        head: Config of a :class:`mmcount.models.heads.DenseCountHead`.
        neck: Config, a list of them for a chain, or None.
        data_preprocessor: Config; its ``halo`` is the padding that the codec expects.
        train_cfg: Unused; OpenMMLab configs write it.
        test_cfg: ``stride``: run the backbone at another stride than it was trained at (Count-ception, Table 3).
            ``tiles``: arguments of :class:`mmcount.models.tiling.MapTiles`, to predict large images in tiles.
        init_cfg: Initialisation.

    Example:
        >>> codec = dict(type='mmcount.RedundantCountCodec', window_size=32)
        >>> counter = DenseCounter(
        ...     backbone=dict(type='mmcount.CountCeption', padding=0),
        ...     head=dict(type='mmcount.RedundantCountHead', codec=codec),
        ...     data_preprocessor=dict(type='mmcount.CountDataPreprocessor', halo=32),
        ... )
        >>> sample = CountDataSample(metainfo=dict(img_shape=(64, 48), img_id='one'))
        >>> image = torch.zeros(3, 64, 48, dtype=torch.uint8)
        >>> counter.eval().test_step(dict(inputs=[image], data_samples=[sample]))[0].pred_counts.shape
        torch.Size([1])
    """

    def __init__(
        self,
        backbone: dict,
        head: dict,
        neck: dict | list[dict] | None = None,
        data_preprocessor: dict | nn.Module | None = None,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck) if neck else None
        self.head = MODELS.build(head)
        self.calibration = CountCalibration(self.head.num_classes)
        self.train_cfg = train_cfg or {}
        self.test_cfg = test_cfg or {}
        tiles = self.test_cfg.get('tiles')
        self.tiles = MapTiles(**tiles) if tiles else None

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """(B, C, H, W) -> the features of the neck, or of the backbone."""
        feats = self.backbone(inputs)
        return self.neck(feats) if self.neck else feats

    def forward(
        self, inputs: Tensor, data_samples: list[CountDataSample] | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[CountDataSample] | Tensor:
        """Run the counter.

        Args:
            inputs: (B, C, H, W) normalised images with their halo.
            data_samples: One per image; ``loss`` needs ``gt_map``, ``predict`` needs ``img_shape``.
            mode: ``'loss'`` gives a dict of losses, ``'predict'`` the samples with their predictions, ``'tensor'`` the
                raw (B, num_classes, h, w) map, or the maps of a head that has several.

        Raises:
            ValueError: ``mode`` is none of these, or the samples that it needs are missing.
        """
        if mode == 'tensor':
            return self.head(self.extract_feat(inputs))
        if mode not in ('loss', 'predict'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")
        if data_samples is None:
            raise ValueError(f'mode {mode!r} needs data_samples, got None')
        if mode == 'loss':
            return self.loss(inputs, data_samples)
        return self.predict(inputs, data_samples)

    def maps(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """(B, C, H, W) -> the (B, K, h, w) maps that the head decodes."""
        return self.head.maps(self.extract_feat(inputs))

    def loss(self, inputs: Tensor, data_samples: list[CountDataSample]) -> dict[str, Tensor]:
        """The losses of a batch."""
        return self.head.loss(self.extract_feat(inputs), data_samples)

    def predict(
        self, inputs: Tensor, data_samples: list[CountDataSample], tiles: MapTiles | None = None
    ) -> list[CountDataSample]:
        """Counts, density, points and interval of every image of a batch.

        Args:
            inputs: (B, C, H, W) normalised images with their halo.
            data_samples: One per image, with ``img_shape``.
            tiles: How to divide large images; None takes ``test_cfg.tiles``, and without that none is divided.
        """
        stride, tiles = self.test_cfg.get('stride'), tiles or self.tiles
        with self.at_stride(stride):
            if tiles is not None:
                predictions = tiles.predict(self, inputs, data_samples, stride)
            else:
                predictions = self.head.predict(self.extract_feat(inputs), data_samples, stride)
        return self.write_predictions(predictions, data_samples)

    def response_maps(self, inputs: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes, h, w) maps whose peaks stand for objects, the cells those of the density."""
        with self.at_stride(self.test_cfg.get('stride')):
            return self.head.response_maps(self.extract_feat(inputs))

    def write_predictions(
        self, predictions: list[CountPrediction], data_samples: list[CountDataSample]
    ) -> list[CountDataSample]:
        """Calibrate what the head decoded and write it into the samples."""
        results = []
        for prediction, sample in zip(predictions, data_samples, strict=True):
            calibrated, interval = self.calibration(prediction.counts, prediction.spread)
            results.append(to_data_sample(prediction, sample, calibrated, interval))
        return results

    @contextmanager
    def at_stride(self, stride: int | None) -> Iterator[None]:
        """Run the backbone at another stride within a ``with`` block; None changes nothing."""
        trained = getattr(self.backbone, 'stride', None)
        if stride is None or stride == trained:
            yield
            return
        if trained is None:
            raise ValueError(f'test_cfg.stride needs a backbone with a stride, {type(self.backbone).__name__} has none')
        self.backbone.stride = stride
        try:
            yield
        finally:
            self.backbone.stride = trained

    @torch.no_grad()
    def init_from_data(self, batches: list[dict]) -> None:
        """Set what depends on data before the first step: statistics of normalisation and the bias of the head.

        Statistics are the averages over the batches, each layer seeing inputs that were normalised with the statistics
        of its batch.

        Args:
            batches: What the training dataloader yields.
        """
        norms = [module for module in self.modules() if isinstance(module, _BatchNorm)]
        momenta = [norm.momentum for norm in norms]
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None
            norm.train()
        means = []
        for batch in batches:
            data = self.data_preprocessor(batch, True)
            self.head(self.extract_feat(data['inputs']))
            target, _ = stack_targets(data['data_samples'])
            means.append(target.mean(dim=(0, 2, 3)))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.train(self.training)
        self.head.init_from_targets(torch.stack(means).mean(dim=0))
