"""Which mmdet detector a config asks for."""

import copy
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config, ConfigDict

#: Parts whose ``num_classes``, where they have one, is not the number of classes of the data set.
_OTHER_CLASSES = ('backbone', 'neck', 'rpn_head', 'semantic_head', 'data_preprocessor')


def load_model_config(name: str) -> ConfigDict:
    """The ``model`` of a config file, or of a config that ships with an installed package.

    Args:
        name: A path, or ``package::folder/file.py`` such as ``mmdet::retinanet/retinanet_r50_fpn_1x_coco.py``.

    Raises:
        ValueError: The config defines no ``model``.
        FileNotFoundError: There is no such file.
        ModuleNotFoundError: The package is not installed.
    """
    cfg = Config.fromstring(f'_base_ = {name!r}', '.py') if '::' in name else Config.fromfile(name)
    if 'model' not in cfg:
        raise ValueError(f"{name} defines no 'model' to take the detector from")
    return cfg.model


def resolve_detector(
    detector: Mapping[str, Any] | str, num_classes: int | None = None, backbone: Mapping[str, Any] | None = None
) -> ConfigDict:
    """The whole config of a detector.

    Args:
        detector: The config of an mmdet model; or the name of a config file, see :func:`load_model_config`; or a dict
            with such a name as ``_base_``, over whose model the other keys are merged as in config files, ``_delete_``
            included.
        num_classes: Number of classes that every head is given; None leaves them.
        backbone: Merged over the backbone, as in config files.

    Returns:
        A copy. Types without a scope are mmdet's.

    Raises:
        TypeError: ``detector`` is neither a dict nor a string.
        ValueError: It has no ``type``.

    Example:
        >>> name = 'mmdet::cascade_rcnn/cascade-rcnn_r50_fpn_1x_coco.py'
        >>> cfg = resolve_detector(dict(_base_=name, backbone=dict(depth=18)), num_classes=140)
        >>> cfg.backbone.depth, [head.num_classes for head in cfg.roi_head.bbox_head]
        (18, [140, 140, 140])
    """
    if isinstance(detector, str):
        detector = dict(_base_=detector)
    if not isinstance(detector, Mapping):
        raise TypeError(f'detector must be a config or the name of one, got {type(detector).__name__}')
    options = copy.deepcopy(dict(detector))
    base = options.pop('_base_', None)
    whole = Config(dict(model=ConfigDict() if base is None else load_model_config(base)))
    for change in (options, {} if backbone is None else dict(backbone=copy.deepcopy(dict(backbone)))):
        whole.merge_from_dict(dict(model=change))
    cfg = whole.model
    if 'type' not in cfg:
        raise ValueError(f"the detector has no 'type'; it has {sorted(cfg)}")
    cfg.setdefault('_scope_', 'mmdet')
    if num_classes is not None:
        _set_num_classes(cfg, num_classes)
    return cfg


def _set_num_classes(node: Any, num_classes: int) -> None:
    if isinstance(node, list | tuple):
        for one in node:
            _set_num_classes(one, num_classes)
    elif isinstance(node, Mapping):
        for key, value in node.items():
            if key == 'num_classes':
                node[key] = num_classes  # type: ignore[index]
            elif key not in _OTHER_CLASSES:
                _set_num_classes(value, num_classes)
