"""A model from its source: built, filled with weights, prepared for inference."""

from typing import Any

from mmengine.logging import print_log
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import MODELS, DefaultScope
from torch import nn

from mmcount.engine.checkpoints import load_weights
from mmcount.models.deploy import prepare_inference
from mmcount.models.layers import CountCalibration

from .model_info import dataset_meta
from .model_source import ModelSource


def config_scope(cfg: Any, scope: str) -> Any:
    """A context in whose registries the config finds names without a scope."""
    return DefaultScope.overwrite_default_scope(cfg.get('default_scope') or scope)


def build_model(source: ModelSource, scope: str) -> nn.Module:
    """The model of a source in evaluation mode, on the CPU, with ``cfg`` and ``dataset_meta``.

    Args:
        source: Config and weights.
        scope: Scope of a config that sets none.

    Raises:
        ValueError: The config has no model, or the weights do not fit.
    """
    if source.cfg.get('model') is None:
        raise ValueError('the config has no model')
    with config_scope(source.cfg, scope):
        model = MODELS.build(source.cfg.model)
        if source.checkpoint is not None:
            unknown = load_weights(model, source.checkpoint, source.weights)
            if unknown:
                print_log(f'{source.weights}: {len(unknown)} tensors are not used, first {unknown[0]}', 'current')
        meta = dataset_meta(source.checkpoint, source.cfg, model)
    model = revert_sync_batchnorm(model).eval()
    model.dataset_meta = meta
    model.cfg = source.cfg
    return model


def prepared(model: nn.Module, precision: str) -> nn.Module:
    """A model for inference only, see :func:`mmcount.models.deploy.prepare_inference`.

    In fp32 the numbers are the same up to rounding, so a model that cannot be prepared runs as it is.

    Raises:
        ValueError: The precision is none, or is another than fp32 and the model cannot be prepared.
    """
    try:
        return prepare_inference(model, precision)
    except TypeError as error:
        if precision == 'fp32':
            return model
        raise ValueError(f"{type(model).__name__} cannot run in {precision}: {error}; use precision='fp32'") from error


def is_fitted(model: nn.Module) -> bool:
    """Whether a model gives calibrated counts: a line was fitted on labelled images."""
    calibration = getattr(model, 'calibration', None)
    return isinstance(calibration, CountCalibration) and bool(calibration.fitted)
