"""A counter that predicts a map: backbone, neck, and a head that speaks one codec."""

from typing import Any

import torch
from mmengine.model import BaseModel
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from mmcount.models.heads.dense_head import stack_targets
from mmcount.models.layers import CountCalibration
from mmcount.models.tiling import MapTiles
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample, CountPrediction
from mmcount.utils.moved_options import refuse_moved

from .size_groups import size_groups


@MODELS.register_module()
class DenseCounter(BaseModel):
    """Backbone -> neck -> head.

    Args:
        backbone: Config; of mmcount or of mmdet.
        head: Config of a :class:`mmcount.models.heads.CountHead`.
        neck: Config, a list of them for a chain, or None.
        data_preprocessor: Config; its ``halo`` becomes that of the head.
        train_cfg: Unused; OpenMMLab configs write it.
        test_cfg: ``tiles``: arguments of :class:`mmcount.models.tiling.MapTiles`, to predict large images in tiles.
        init_cfg: Initialisation.

    Raises:
        ValueError: The head needs a halo and the data preprocessor gives none.

    Example:
        >>> codec = dict(type='mmcount.RedundantCountCodec', window_size=32)
        >>> counter = DenseCounter(
        ...     backbone=dict(type='mmcount.CountCeption'),
        ...     head=dict(type='mmcount.RedundantCountHead', codec=codec),
        ...     data_preprocessor=dict(type='mmcount.CountDataPreprocessor'),
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
        known = {key: value for key, value in self.test_cfg.items() if key != 'tiles'}
        moved = dict(stride='give the backbone and the codec of the test config that stride')
        refuse_moved('test_cfg of DenseCounter', known, moved)
        tiles = self.test_cfg.get('tiles')
        self.tiles = MapTiles(**tiles) if tiles else None
        if hasattr(self.data_preprocessor, 'halo'):
            self.data_preprocessor.halo = self.head.halo
        elif self.head.halo:
            raise ValueError(
                f'the head needs {self.head.halo} px of zeros around each image, which '
                f'{type(self.data_preprocessor).__name__} does not give: use '
                "data_preprocessor=dict(type='mmcount.CountDataPreprocessor')"
            )

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """(B, C, H, W) -> the features of the neck, or of the backbone."""
        feats = self.backbone(inputs)
        return self.neck(feats) if self.neck else feats

    def forward(
        self, inputs: Tensor, data_samples: list[CountDataSample] | None = None, mode: str = 'tensor'
    ) -> dict[str, Tensor] | list[CountDataSample] | tuple[Tensor, ...]:
        """Run the counter.

        Args:
            inputs: (B, C, H, W) normalised images with their halo.
            data_samples: One per image; ``loss`` needs their targets, ``predict`` their ``img_shape``.
            mode: ``'loss'`` gives a dict of losses, ``'predict'`` the samples with their predictions, ``'tensor'`` the
                maps of the head, (B, K, h, w) each.

        Raises:
            ValueError: ``mode`` is another, or the samples that it needs are missing.
        """
        if mode == 'tensor':
            return self.maps(inputs)
        if mode not in ('loss', 'predict'):
            raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', got {mode!r}")
        if data_samples is None:
            raise ValueError(f'mode {mode!r} needs data_samples, got None')
        if mode == 'loss':
            return self.head.loss(self.maps(inputs), data_samples)
        return self.predict(inputs, data_samples)

    def maps(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """(B, C, H, W) -> the (B, K, h, w) maps of the head."""
        return self.head(self.extract_feat(inputs))

    def response_maps(self, inputs: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, num_classes, h, w) maps whose peaks stand for objects, on the cells of ``head.grid``."""
        return self.head.response_maps(self.maps(inputs))

    def predict(
        self, inputs: Tensor, data_samples: list[CountDataSample], tiles: MapTiles | None = None
    ) -> list[CountDataSample]:
        """Counts, density, points and interval of every image of a batch, which do not depend on its neighbours.

        Args:
            inputs: (B, C, H, W) normalised images with their halo.
            data_samples: One per image, with ``img_shape``.
            tiles: How to divide large images; None takes ``test_cfg.tiles``, and without that none is divided.
        """
        tiles = tiles or self.tiles
        for indices, own in size_groups(inputs, data_samples, added_halo(self, data_samples)):
            samples = [data_samples[index] for index in indices]
            predictions: list[CountPrediction]
            if tiles is not None:
                predictions = tiles.predict(self, own, samples)
            else:
                predictions = self.head.predict(self.maps(own), samples)
            for prediction, sample in zip(predictions, samples, strict=True):
                prediction.write(sample, self.calibration)
        return data_samples

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
            self.maps(data['inputs'])
            if all('gt_map' in sample for sample in data['data_samples']):
                target, _ = stack_targets(data['data_samples'])
                means.append(target.mean(dim=(0, 2, 3)))
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        self.train(self.training)
        if means:
            self.head.init_from_targets(torch.stack(means).mean(dim=0))


def added_halo(model: Any, data_samples: list[CountDataSample]) -> int:
    """Pixels of zeros that the data preprocessor put around the images; none around crops that brought a halo."""
    brought = any(sample.get('halo') for sample in data_samples)
    return 0 if brought else int(getattr(model.data_preprocessor, 'halo', 0))
