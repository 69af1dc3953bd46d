"""MNIST-LEGO as a data set: counting scenes made on the fly."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mmcount.registry import DATASETS

from ..count_dataset import CountDataset
from .groups import box_centres
from .options import SceneOptions
from .parts import SPLITS, DigitParts, load_parts
from .scene import Scene, make_scene

__all__ = ['TARGETS', 'MNISTLego']

TARGETS = ('objects', 'parts', 'groups')


@DATASETS.register_module()
class MNISTLego(CountDataset):
    """Scenes of objects built from handwritten digits, with exact annotation, from no files at all.

    Digits are the parts; an object is one digit or three in a fixed arrangement; a scene holds a number of objects on
    a background. Every property is an option, see :class:`SceneOptions`. Image ``i`` depends on ``seed``, ``subset``,
    ``i`` and the options alone: any process makes the same bytes. The digits of the three subsets are disjoint
    (see :func:`load_parts`); the background photos are shared.

    After *Point-and-Count*'s MNIST-LEGO data; placement, sizes, class list and backgrounds are not published there
    and are our choice.

    Next to the contract's keys, ``get_data_info`` gives the raw annotation of all three levels:

    ========= ================================================================================
    key       dict of
    ========= ================================================================================
    objects   points, bboxes, labels, group_ids (group of each object)
    parts     points, bboxes, labels (digits), object_ids (object of each part)
    groups    points, bboxes, labels, counts: objects of a class that overlap share one box
    ========= ================================================================================

    Args:
        subset: ``'train'``, ``'val'`` or ``'test'``.
        num_samples: Number of scenes; they are made when asked for, so it costs nothing.
        scene: Arguments of :class:`SceneOptions`.
        digits: ``'sklearn'``, or a folder with the MNIST idx files (plain or ``.gz``).
        seed: Another seed is another set of scenes.
        target: Which level fills points, bboxes, labels, counts and masks: ``'objects'``, ``'parts'`` (classes are
            the ten digits) or ``'groups'`` (boxes with counts).
        with_mask: Also give ``masks``, one (H, W) array of 0 and 1 per box. They are amodal, so they may overlap.
        keep_scenes: Keep every scene in memory once it is made (about 25 kB each at 128 x 128): training for several
            epochs then makes it only once per process.
        metainfo: Other names or colours for the classes; the number of names must fit.
        **kwargs: As :class:`CountDataset`.

    Raises:
        ValueError: An argument is out of range, or ``metainfo`` names another number of classes.
        FileNotFoundError: ``digits`` is no folder.
        TypeError: ``scene`` has an unknown option.

    Example:
        >>> dataset = MNISTLego(num_samples=100, scene=dict(layout='single', merge_classes=True, num_objects=5))
        >>> info = dataset.get_data_info(0)
        >>> info['img'].shape, info['points'].shape, dataset.metainfo['classes']
        ((128, 128, 3), (5, 2), ('digit',))
    """

    def __init__(
        self,
        subset: str = 'train',
        num_samples: int = 1000,
        scene: Mapping | None = None,
        digits: str = 'sklearn',
        seed: int = 0,
        target: str = 'objects',
        with_mask: bool = False,
        keep_scenes: bool = False,
        metainfo: Mapping | None = None,
        **kwargs: Any,
    ) -> None:
        if subset not in SPLITS:
            raise ValueError(f'subset must be one of {SPLITS}, got {subset!r}')
        if target not in TARGETS:
            raise ValueError(f'target must be one of {TARGETS}, got {target!r}')
        if num_samples < 0 or seed < 0:
            raise ValueError(f'num_samples and seed must be >= 0, got num_samples={num_samples}, seed={seed}')
        if str(digits) != 'sklearn' and not Path(digits).is_dir():
            raise FileNotFoundError(f"digits={str(digits)!r} is neither 'sklearn' nor a folder with MNIST idx files")
        self.options = SceneOptions(**(scene or {}))
        self.num_samples, self.seed, self.digits = num_samples, seed, str(digits)
        self.target, self.with_mask = target, with_mask
        self._scenes: dict[int, Scene] | None = {} if keep_scenes else None
        self._count_rows: dict[int, np.ndarray] = {}
        names = tuple('0123456789') if target == 'parts' else self.options.class_names
        metainfo = {'classes': names, **(metainfo or {})}
        kwargs.setdefault('serialize_data', False)
        super().__init__(metainfo=metainfo, **kwargs)
        self.subset = subset
        if self.num_classes != len(names):
            raise ValueError(
                f'metainfo names {self.num_classes} classes {self.metainfo["classes"]}, '
                f'but the scenes have {len(names)}'
            )

    @property
    def digit_parts(self) -> DigitParts:
        """The digits of this subset, loaded once per process and not pickled."""
        return load_parts(self.digits, self.subset or 'train')

    def load_data_list(self) -> list[dict]:
        """List the scene numbers; scenes themselves are made by ``get_data_info``."""
        return [{'scene_index': index} for index in range(self.num_samples)]

    def filter_data(self) -> list[dict]:
        """Keep all scenes: there is nothing to check before they are made."""
        return self.data_list

    def make_scene(self, index: int, paint: bool = True) -> Scene:
        """Make scene ``index`` (its number before any ``indices`` selection).

        Args:
            index: Scene number.
            paint: Without it only the annotation is made.
        """
        if self._scenes is not None and index in self._scenes:
            return self._scenes[index]
        rng = np.random.default_rng([self.seed, SPLITS.index(self.subset or 'train'), index])
        scene = make_scene(self.options, self.digit_parts, rng, paint)
        if self._scenes is not None and paint:
            self._scenes[index] = scene
        return scene

    def _levels(self, scene: Scene) -> dict[str, dict]:
        levels = {
            'objects': {'bboxes': scene.boxes, 'labels': scene.labels, 'group_ids': scene.group_ids},
            'parts': {'bboxes': scene.part_boxes, 'labels': scene.part_labels, 'object_ids': scene.part_owners},
            'groups': {'bboxes': scene.group_boxes, 'labels': scene.group_labels, 'counts': scene.group_counts},
        }
        return {name: {'points': box_centres(level['bboxes']), **level} for name, level in levels.items()}

    def _target_counts(self, scene: Scene) -> np.ndarray:
        # Groups hold each object once, so objects and groups count the same.
        labels = scene.part_labels if self.target == 'parts' else scene.labels
        return np.bincount(labels, minlength=self.num_classes)

    def get_data_info(self, idx: int) -> dict:
        """Make one scene in the contract of :class:`CountDataset`.

        Args:
            idx: Position in this (sub)set.
        """
        info = super().get_data_info(idx)
        scene_index = info['scene_index']
        scene = self.make_scene(scene_index)
        assert scene.image is not None
        info.update(
            img=np.repeat(scene.image[:, :, None], 3, axis=2),
            img_id=f'{self.subset}-{self.seed}-{scene_index:06d}',
            height=scene.canvas[0],
            width=scene.canvas[1],
            num_classes=self.num_classes,
        )
        levels = self._levels(scene)
        chosen = levels[self.target]
        info.update(
            points=chosen['points'].copy(),
            bboxes=chosen['bboxes'].copy(),
            labels=chosen['labels'].copy(),
            counts=chosen.get('counts', np.ones(len(chosen['labels']), dtype=np.int64)).copy(),
            **levels,
        )
        if self.with_mask:
            masks = {'objects': scene.object_masks, 'parts': scene.part_masks, 'groups': scene.group_masks}
            info['masks'] = masks[self.target]()
        return info

    def get_cat_ids(self, idx: int) -> list[int]:
        """Return the labels of a scene without painting it."""
        scene = self.make_scene(super().get_data_info(idx)['scene_index'], paint=False)
        return self._levels(scene)[self.target]['labels'].tolist()

    def class_counts(self) -> np.ndarray:
        """Count the objects of each class in every scene; made without painting, and remembered.

        Returns:
            Shape (num_samples, C), int64.
        """
        rows = np.zeros((len(self), self.num_classes), dtype=np.int64)
        for position in range(len(self)):
            index = super().get_data_info(position)['scene_index']
            if index not in self._count_rows:
                self._count_rows[index] = self._target_counts(self.make_scene(index, paint=False))
            rows[position] = self._count_rows[index]
        return rows
