"""Checkpoints read without running anything that is in them."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .file_kinds import not_weights

__all__ = ['CheckpointError', 'read_checkpoint']


class CheckpointError(ValueError):
    """A file is no checkpoint, or holds objects whose reading would run code."""


def read_checkpoint(
    path: str | Path, trust: bool = False, option: str = 'trust_checkpoint=True, --trust-checkpoint'
) -> dict[str, Any]:
    """Read a PyTorch checkpoint to the CPU: tensors, numbers, containers, and what MMEngine's runs store beside them.

    Args:
        path: The file.
        trust: Also unpickle objects of any other kind, which runs code of the file.
        option: What an error message says that sets ``trust``.

    Raises:
        FileNotFoundError: There is no such file.
        CheckpointError: It is no checkpoint, or holds an object of another kind.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'weights not found: {path}')
    instead = not_weights(path)
    if instead is not None:
        raise CheckpointError(f'{path} is no checkpoint: {instead}')
    try:
        with torch.serialization.safe_globals(_allowed()):
            content = torch.load(path, map_location='cpu', weights_only=not trust)
    except Exception as error:  # bytes that are no checkpoint fail in the unpickler in any way
        found = _unsupported(str(error))
        if found is not None:
            raise CheckpointError(
                f'{path} holds pickled objects ({found}), not only tensors. Reading them runs code of the file: if you '
                f'trust its source, allow it ({option})'
            ) from error
        # Before it stands PyTorch's advice to unpickle anything.
        reason = str(error).rpartition('WeightsUnpickler error:')[2]
        reason = ' '.join(reason.partition('Check the documentation')[0].split())[:200] or type(error).__name__
        raise CheckpointError(f'{path} is no checkpoint that PyTorch {torch.__version__} can read: {reason}') from error
    if not isinstance(content, dict):
        raise CheckpointError(f'{path}: expected a dict with the weights, found {type(content).__name__}')
    return content


def _unsupported(message: str) -> str | None:
    """The global that a refusal of ``weights_only`` names."""
    for before in (
        'Unsupported global: GLOBAL ',
        'unsupported GLOBAL ',
        'Unsupported class ',
        'unrecognized function ',
    ):
        _, found, rest = message.partition(before)
        if found and rest:
            return rest.split()[0].rstrip('.,')
    return None


def _allowed() -> list[Callable | tuple[Callable, str]]:
    """Objects in the training logs of MMEngine: buffers of numbers, and what NumPy rebuilds arrays with."""
    from mmengine.logging import HistoryBuffer

    dtypes = [value for value in vars(np.dtypes).values() if isinstance(value, type) and issubclass(value, np.dtype)]
    rebuild: Callable = np.empty(0).__reduce__()[0]  # type: ignore[assignment]  # a module path that NumPy 2 renamed
    scalar: Callable = np.float64(0).__reduce__()[0]  # type: ignore[assignment]
    names = [
        (function, f'numpy.{package}.multiarray.{name}')
        for package in ('core', '_core')
        for function, name in ((rebuild, '_reconstruct'), (scalar, 'scalar'))
    ]
    return [HistoryBuffer, np.ndarray, np.dtype, *dtypes, *names, (_statistic, 'builtins.getattr')]


def _statistic(owner: Any, name: str) -> Any:
    """In place of ``getattr``: a buffer names its own statistics, and nothing else may be reached."""
    from mmengine.logging import HistoryBuffer

    if owner is not HistoryBuffer or name not in ('current', 'max', 'mean', 'min'):
        raise pickle.UnpicklingError(f'Unsupported global: GLOBAL getattr.{name}')
    return getattr(HistoryBuffer, name)
