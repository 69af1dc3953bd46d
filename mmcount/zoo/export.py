"""From a training's config and checkpoint to one file."""

from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from mmcount.utils import register_all_modules
from mmcount.utils.safe_load import read_checkpoint

from .card import ModelCard
from .model_file import write_model

__all__ = ['export_checkpoint', 'model_config']

_KEYS = ('default_scope', 'codec', 'model', 'train_pipeline', 'test_pipeline')


def model_config(cfg: Config, classes: tuple[str, ...]) -> dict[str, Any]:
    """What a file keeps of a config: the model and its pipelines, without data, schedule and runtime.

    Raises:
        ValueError: The config has no model or no test pipeline.
    """
    kept = {key: cfg[key] for key in _KEYS if cfg.get(key) is not None}
    for key in ('model', 'test_pipeline'):
        if key not in kept:
            raise ValueError(f'{cfg.filename or "the config"} has no {key}')
    return {**kept, 'metainfo': {'classes': list(classes)}}


def export_checkpoint(
    cfg: Config,
    checkpoint: str | Path,
    card: ModelCard,
    out: str | Path,
    precision: str = 'float16',
    calibrated: bool = True,
) -> str:
    """Write a checkpoint of this package's own training into one file.

    Args:
        cfg: Config of the training.
        checkpoint: Its checkpoint, read without running anything in it.
        card: Description of the model.
        out: File to write.
        precision: One of :data:`mmcount.zoo.PRECISIONS`.
        calibrated: Keep the line and the interval that were fitted on validation images. They say nothing about images
            of another kind, so a model that is meant for those goes without.

    Returns:
        SHA-256 of the file.

    Raises:
        ValueError: The weights do not fit the model of the config, to the last tensor.
    """
    content = read_checkpoint(checkpoint)
    state = content.get('state_dict', content)
    kept = model_config(cfg, card.classes)
    register_all_modules(init_default_scope=False)
    with DefaultScope.overwrite_default_scope(kept.get('default_scope', 'mmcount')):
        model = MODELS.build(cfg.model)
    if not calibrated:
        unfitted = {key: value for key, value in model.state_dict().items() if key.startswith('calibration.')}
        state = {**state, **{key: value.clone() for key, value in unfitted.items()}}
    try:
        model.load_state_dict(state)
    except RuntimeError as error:
        raise ValueError(f'{checkpoint} does not fit the model of {cfg.filename}: {error}') from error
    return write_model(out, kept, model.state_dict(), card, precision)
