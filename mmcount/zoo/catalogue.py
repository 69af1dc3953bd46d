"""Models that come along with the package, by name."""

import difflib
import json
from functools import cache
from pathlib import Path

from .card import ModelCard
from .model_file import LoadedModel, read_card, read_model

__all__ = ['UnknownModelError', 'is_model_name', 'load', 'model_card', 'model_names', 'model_path']

_FOLDER = Path(__file__).parent


class UnknownModelError(ValueError):
    """No model of the package has this name."""


@cache
def _entries() -> dict[str, dict[str, str]]:
    """Name -> ``file`` and ``sha256`` of each model."""
    return json.loads((_FOLDER / 'models.json').read_text(encoding='utf-8'))


def model_names() -> tuple[str, ...]:
    """Names of the models that come along, sorted."""
    return tuple(sorted(_entries()))


def is_model_name(name: object) -> bool:
    """If a model that comes along has exactly this name."""
    return isinstance(name, str) and name in _entries()


def model_path(name: str) -> Path:
    """Return the file of a model.

    Raises:
        UnknownModelError: No model has this name; the message lists the known ones.
    """
    return _FOLDER / 'weights' / _entry(name)['file']


def model_card(name: str) -> ModelCard:
    """Return the description of a model without reading its weights.

    Raises:
        UnknownModelError: No model has this name; the message lists the known ones.
        ModelFileError: Its file is damaged.
    """
    return read_card(model_path(name))


def load(name: str) -> LoadedModel:
    """Load a model that comes along, its checksum verified.

    Args:
        name: One of :func:`model_names`.

    Returns:
        Config, weights, card and checksum.

    Raises:
        UnknownModelError: No model has this name; the message lists the known ones.
        ModelFileError: Its file is not the one that the package was released with.
    """
    return read_model(model_path(name), _entry(name)['sha256'])


def _entry(name: str) -> dict[str, str]:
    if is_model_name(name):
        return _entries()[name]
    close = difflib.get_close_matches(str(name).lower(), model_names(), n=1)
    hint = f' (did you mean {close[0]!r}?)' if close else ''
    known = ', '.join(model_names()) or 'none'
    raise UnknownModelError(
        f'unknown model {name!r}{hint}; known models: {known}. For a model of your own, give its config and weights'
    )
