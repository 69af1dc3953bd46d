"""Generated images of cells as a data set."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from mmcount.registry import DATASETS

from ..count_dataset import CountDataset
from .options import CellOptions
from .scene import CellScene, make_cell_scene

__all__ = ['SyntheticCells']

_SUBSETS = ('train', 'val', 'test')


@DATASETS.register_module()
class SyntheticCells(CountDataset):
    """Fluorescence and bright-field images of cells with exact annotation, from no files at all.

    Images are made when they are read. Size, shape, crowding, brightness, blur, uneven light and noise are options, see
    :class:`CellOptions`. Image ``i`` depends on ``seed``, ``subset``, ``i`` and the options alone: any process makes
    the same one. A cell counts if its centre is in the image; cells that reach in from outside are drawn, not counted.

    Next to the contract's keys, ``get_data_info`` gives ``radii`` (N,) float32 in px and ``brightfield``.

    Args:
        subset: ``'train'``, ``'val'`` or ``'test'``.
        num_samples: Number of images; it costs nothing, so training may take far more than it will ever read.
        scene: Arguments of :class:`CellOptions`.
        seed: Another seed is another set of images.
        warmup: The first images of the set are easy: image i draws from ranges narrowed to a share of i / warmup of
            their widths, see :meth:`CellOptions.narrowed`. Read them in order (``shuffle=False`` of the sampler): their
            order says nothing.
        metainfo: Another name or colour for the one class.
        **kwargs: As :class:`CountDataset`.

    Raises:
        ValueError: An argument is out of range, or ``metainfo`` does not name exactly one class.
        TypeError: ``scene`` has an unknown option.

    Example:
        >>> dataset = SyntheticCells(num_samples=1000, scene=dict(canvas=(128, 128), radius=(5, 8)))
        >>> info = dataset.get_data_info(7)
        >>> info['img'].shape, info['points'].shape == (len(info['radii']), 2)
        ((128, 128, 3), True)
    """

    def __init__(
        self,
        subset: str = 'train',
        num_samples: int = 1000,
        scene: Mapping | None = None,
        seed: int = 0,
        warmup: int = 0,
        metainfo: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        if subset not in _SUBSETS:
            raise ValueError(f'subset must be one of {_SUBSETS}, got {subset!r}')
        if num_samples < 1 or seed < 0 or warmup < 0:
            raise ValueError(
                f'num_samples must be >= 1, seed and warmup >= 0, got num_samples={num_samples}, seed={seed}, '
                f'warmup={warmup}'
            )
        self.options = CellOptions(**(scene or {}))
        self.num_samples, self.seed, self.warmup, self._subset = num_samples, seed, warmup, subset
        kwargs.setdefault('serialize_data', False)
        super().__init__(metainfo={'classes': ('cell',), **(metainfo or {})}, **kwargs)
        self.subset = subset
        if self.num_classes != 1:
            raise ValueError(f'cells are one class, but metainfo names {self.metainfo["classes"]}')

    def load_data_list(self) -> list[dict]:
        """List the numbers of the images; ``get_data_info`` makes them."""
        return [{'scene_index': index} for index in range(self.num_samples)]

    def filter_data(self) -> list[dict]:
        """Keep all images: there is nothing to check before they are made."""
        return self.data_list

    def make_scene(self, index: int, paint: bool = True) -> CellScene:
        """Make image ``index`` (its number before any ``indices`` selection).

        Args:
            index: Number of the image.
            paint: Without it only the annotation is made.
        """
        options = self.options.narrowed(index / self.warmup) if index < self.warmup else self.options
        return make_cell_scene(options, (self.seed, _SUBSETS.index(self._subset), index), paint)

    def get_data_info(self, idx: int) -> dict:
        """Make one image in the contract of :class:`CountDataset`.

        Args:
            idx: Position in this (sub)set.
        """
        info = super().get_data_info(idx)
        index = info['scene_index']
        scene = self.make_scene(index)
        number = len(scene.points)
        height, width = self.options.canvas
        info.update(
            img=scene.image,
            img_id=f'{self._subset}-{self.seed}-{index:06d}',
            height=height,
            width=width,
            num_classes=1,
            points=scene.points,
            bboxes=scene.bboxes,
            labels=np.zeros(number, dtype=np.int64),
            counts=np.ones(number, dtype=np.int64),
            radii=scene.radii,
            brightfield=scene.brightfield,
        )
        return info

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels of an image without painting it."""
        return [0] * self._number(idx)

    def class_counts(self) -> np.ndarray:
        """Count the cells of every image; none is painted.

        Returns:
            Shape (num_samples, 1), int64.
        """
        return np.array([[self._number(position)] for position in range(len(self))], dtype=np.int64)

    def _number(self, idx: int) -> int:
        return len(self.make_scene(super().get_data_info(idx)['scene_index'], paint=False).points)
