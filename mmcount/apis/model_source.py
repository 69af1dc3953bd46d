"""From what a user names to a model: config files, weights, shipped models, names of metafiles."""

import difflib
import math
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict
from mmengine.infer.infer import BaseInferencer

from mmcount.engine.checkpoints import model_checkpoint
from mmcount.utils.safe_load import read_checkpoint
from mmcount.zoo import LoadedModel, ModelCard, is_model_name, load, model_names, read_model

from .weights import check_config, checkpoint_config, file_sha256, local_weights

CONFIG_SUFFIXES = ('.py', '.json', '.yaml', '.yml')
WEIGHT_SUFFIXES = ('.pth', '.pt', '.ckpt', '.safetensors')


@dataclass
class ModelSource:
    """All that is needed to build a model.

    Args:
        cfg: Its config.
        name: What tables call it.
        checkpoint: Its weights with what was saved beside them; None for random ones.
        weights: File or URL of the weights; empty without.
        sha256: Checksum of the file of the weights; empty without.
        card: Description of a model that came in one file, else None.
    """

    cfg: Config | ConfigDict
    name: str
    checkpoint: Mapping[str, Any] | None = None
    weights: str = ''
    sha256: str = ''
    card: ModelCard | None = None


def find_model(
    model: str | Path | Config | ConfigDict | dict | None,
    weights: str | Path | None = None,
    scope: str = 'mmcount',
    trust_checkpoint: bool = False,
) -> ModelSource:
    """Find a model.

    Args:
        model: A file of a config or of weights that bring theirs, a config, the name of a shipped model, or a name of
            the metafiles of ``scope``. None takes the config that is in ``weights``.
        weights: Checkpoint; None takes those that belong to ``model``, or random ones, with a warning.
        scope: Package whose metafiles are searched.
        trust_checkpoint: Unpickle any object in the checkpoint, which runs code of the file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: No model has that name, or a checkpoint cannot be read.
    """
    model = str(model) if isinstance(model, Path) else model
    if model is None and weights is None:
        raise ValueError(f'name a model, a config, or weights that bring their config; {_known()}')
    if isinstance(model, str) and model.lower().endswith(WEIGHT_SUFFIXES) and weights is None:
        model, weights = None, model
    elif isinstance(model, str) and weights is None and is_model_name(model):
        return _loaded(load(model), model, model)
    if isinstance(model, str):
        cfg, own_weights = _named_config(model, scope, weights is not None)
        weights = weights or own_weights
    else:
        cfg = None if model is None else ConfigDict(model) if type(model) is dict else model
    name = _name(model, weights)
    if weights is None:
        warnings.warn('no weights were given: the model is random, and so is what it counts', stacklevel=4)
        assert cfg is not None
        return ModelSource(cfg, name)
    file = local_weights(weights)
    if file.suffix == '.safetensors':
        source = _loaded(read_model(file), name, str(weights))
        source.cfg = source.cfg if cfg is None else cfg
        return source
    checkpoint = read_checkpoint(file, trust_checkpoint)
    if cfg is None:
        cfg = checkpoint_config(checkpoint, weights)
    return ModelSource(cfg, name, checkpoint, str(weights), file_sha256(file))


def _named_config(model: str, scope: str, has_weights: bool) -> tuple[Config, str | None]:
    """The config of a file or of a metafile's name, and the weights that the metafile states."""
    if os.path.isfile(model):
        return Config.fromfile(model), None
    if model.endswith(CONFIG_SUFFIXES):
        raise FileNotFoundError(f'config file not found: {model!r}')
    folder = BaseInferencer._get_repo_or_mim_dir(scope)
    entries = list(BaseInferencer._get_models_from_metafile(folder))
    aliases: dict[str, dict] = {}
    for entry in entries:
        also = entry.get('Alias') or []
        for one in (entry['Name'], *([also] if isinstance(also, str) else also)):
            aliases[one.lower()] = entry
    found = aliases.get(model.lower())
    if found is None:
        close = difflib.get_close_matches(model.lower(), [*model_names(), *aliases], n=3)
        hint = f'; did you mean {" or ".join(repr(one) for one in close)}?' if close else ''
        raise ValueError(
            f'no model is called {model!r}{hint} {_known()}; any name of a config of {scope}, with weights'
        )
    stated = found.get('Weights')
    stated = (stated[0] if isinstance(stated, list) else stated) or None
    if stated is None and not has_weights:
        raise ValueError(f'no weights are published for {model!r}: train it and give weights. {_known()}')
    return Config.fromfile(os.path.join(folder, found['Config'])), stated


def _known() -> str:
    return f'models that come along: {", ".join(model_names()) or "none"}'


def _name(model: Any, weights: str | Path | None) -> str:
    """The stem of the config, the name of the model, or the stem of the weights."""
    if isinstance(model, Config) and model.filename:
        model = model.filename
    if isinstance(model, str):
        return Path(model).stem if os.path.isfile(model) else model
    return Path(weights).stem if weights else 'model'


def _loaded(model: LoadedModel, name: str, weights: str) -> ModelSource:
    """What a file with config, weights and card says.

    Raises:
        ValueError: The config asks for something that is not registered.
    """
    check_config(model.cfg, weights)
    return ModelSource(ConfigDict(model.cfg), name, model_checkpoint(model), weights, model.sha256, model.card)


def scale_for(object_size: float, trained: tuple[float, float]) -> float:
    """What images are resized by, so that their objects are as large as those that a model was trained on.

    Args:
        object_size: Diameter of the objects in the images, pixels.
        trained: Smallest and largest diameter that the model has seen, pixels.

    Returns:
        1 within that range, else what brings the objects to its (geometric) middle.

    Example:
        >>> scale_for(12, (8, 18)), scale_for(48, (8, 18))
        (1.0, 0.25)
    """
    smallest, largest = trained
    if smallest <= object_size <= largest:
        return 1.0
    return math.sqrt(smallest * largest) / object_size
