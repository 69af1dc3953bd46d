"""Pipeline and classes of a model, from its config and checkpoint."""

import copy
from collections.abc import Mapping
from typing import Any

from mmcv.transforms import BaseTransform
from mmengine.config import Config, ConfigDict
from mmengine.dataset import Compose
from mmengine.registry import DATASETS
from torch import nn

from mmcount.datasets.transforms.loading import LoadImage

#: Transforms of a test pipeline that need annotations.
ANNOTATION_TRANSFORMS = (
    'FilterAnnotations',
    'GenerateTarget',
    'LoadAnnotations',
    'LoadCountAnnotations',
    'LoadPanopticAnnotations',
)
IMAGE_LOADERS = ('InferencerLoader', 'LoadImage', 'LoadImageFromFile', 'LoadImageFromNDArray')
#: What an inferencer's loader takes over from the config, so that it reads files as the training did.
LOADER_OPTIONS = (
    'to_float32',
    'backend_args',
    'ignore_orientation',
    'max_pixels',
    'value_range',
    'background',
    'plane',
)


def type_name(step: Mapping[str, Any]) -> str:
    """The name of what a config builds, without its scope."""
    kind = step['type']
    return kind.rsplit('.', 1)[-1] if isinstance(kind, str) else kind.__name__


def test_dataset(cfg: Config | ConfigDict) -> Mapping[str, Any]:
    """The config of the data set that the model is tested on, out of its wrappers; empty where there is none."""
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader') or {}
    if isinstance(loader, (list, tuple)):
        loader = loader[0]
    dataset = loader.get('dataset') or {}
    while 'pipeline' not in dataset and (dataset.get('dataset') or dataset.get('datasets')):
        dataset = dataset.get('dataset') or dataset['datasets'][0]
    return dataset


def build_pipeline(cfg: Config | ConfigDict) -> tuple[LoadImage, Compose]:
    """The test pipeline without annotations: the loader, and all that follows it.

    The loader reads files and passes arrays through, whichever of the two the config was written for.

    Raises:
        ValueError: The config has no test pipeline, or one that loads no image.
    """
    steps = test_dataset(cfg).get('pipeline') or cfg.get('test_pipeline')
    if not steps:
        raise ValueError('the config has no test_dataloader.dataset.pipeline and no test_pipeline')
    steps = [copy.deepcopy(step) for step in steps if type_name(step) not in ANNOTATION_TRANSFORMS]
    index = next((i for i, step in enumerate(steps) if type_name(step) in IMAGE_LOADERS), None)
    if index is None:
        names = [type_name(step) for step in steps]
        raise ValueError(f'the test pipeline loads no image: expected one of {IMAGE_LOADERS}, found {names}')
    options = {key: steps[index][key] for key in LOADER_OPTIONS if key in steps[index]}
    following: list[dict | BaseTransform] = steps[:index] + steps[index + 1 :]
    return LoadImage(**options), Compose(following)


def fixed_size(pipeline: Compose) -> tuple[int, int] | None:
    """The (width, height) that a pipeline resizes every image to or into; None if sizes stay in proportion.

    Example:
        >>> fixed_size(Compose([])) is None
        True
    """
    for step in pipeline.transforms:
        scale = getattr(step, 'scale', None)
        if 'Resize' in type(step).__name__ and scale is not None:
            return (scale, scale) if isinstance(scale, int) else tuple(scale)
    return None


def model_num_classes(model: nn.Module) -> int | None:
    """C of a counter or detector; None where its head does not say."""
    for path in ('head', 'bbox_head', 'roi_head.bbox_head', 'detector.bbox_head', 'detector.roi_head.bbox_head'):
        part: Any = model
        for name in path.split('.'):
            part = getattr(part, name, None)
        if isinstance(part, nn.ModuleList):
            part = part[-1]
        if isinstance(getattr(part, 'num_classes', None), int):
            return part.num_classes
    return None


def dataset_meta(checkpoint: Mapping[str, Any] | None, cfg: Config | ConfigDict, model: nn.Module) -> dict[str, Any]:
    """``classes`` and, where known, ``palette``.

    The first that has as many classes as the model: the checkpoint, the config's ``metainfo``, the data set's own.
    Without any, one class is called 'object', and of several, 'object-0' and so on.
    """
    number = model_num_classes(model)
    for meta in _metas(checkpoint, cfg):
        meta = {key.lower(): value for key, value in meta.items()}
        classes = meta.get('classes')
        if not classes:
            continue
        classes = (classes,) if isinstance(classes, str) else tuple(str(name) for name in classes)
        if number is None or number == len(classes):
            return dict(classes=classes, palette=meta.get('palette'))
    if number is None or number == 1:
        return dict(classes=('object',), palette=None)
    return dict(classes=tuple(f'object-{index}' for index in range(number)), palette=None)


def _metas(checkpoint: Mapping[str, Any] | None, cfg: Config | ConfigDict) -> list[Mapping[str, Any]]:
    meta = (checkpoint or {}).get('meta') or {}
    dataset = test_dataset(cfg)
    metas = [meta.get('dataset_meta') or {}, {key: meta[key] for key in ('CLASSES', 'PALETTE') if key in meta}]
    metas.append(dataset.get('metainfo') or {})
    kind = dataset.get('type')
    if kind is not None:
        cls = DATASETS.get(kind) if isinstance(kind, str) else kind
        metas.append(getattr(cls, 'METAINFO', None) or {})
    return metas
