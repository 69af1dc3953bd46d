"""Models in one file: weights, config and card in safetensors. Nothing in such a file is ever executed.

The weights are those of a state dict. The metadata of the file holds ``mmcount_format``, ``config`` and ``card``, the
last two as JSON: a config of literals, from which registries build. Matrices and kernels are stored in single or half
precision, or as int8 with one scale per output channel under ``<name>::scale``; whatever has one dimension stays
float32.
"""

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mmcount.utils.file_kinds import not_weights

from .card import ModelCard

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ['PRECISIONS', 'LoadedModel', 'ModelFileError', 'read_card', 'read_model', 'write_model']

PRECISIONS = ('float32', 'float16', 'int8')
_FORMAT = 1
_SCALE = '::scale'
# Longest header that is read: a guard against files of another kind.
_MAX_HEADER = 16_000_000


class ModelFileError(ValueError):
    """A file is no model of this package, or not the expected one."""


class LoadedModel(NamedTuple):
    """A model as data.

    Args:
        cfg: Config of plain values: ``model``, ``codec``, ``test_pipeline``, ``train_pipeline``, ``metainfo`` and
            ``default_scope``.
        state_dict: Weights in float32.
        card: What is known of the model.
        sha256: Checksum of its file, hexadecimal.
    """

    cfg: dict[str, Any]
    state_dict: 'dict[str, Tensor]'
    card: ModelCard
    sha256: str


@dataclass(frozen=True)
class _Header:
    card: ModelCard
    cfg: dict[str, Any]


def write_model(
    path: str | Path,
    cfg: Mapping[str, Any],
    state_dict: 'Mapping[str, Tensor]',
    card: ModelCard,
    precision: str = 'float16',
) -> str:
    """Write a model into one file, which appears only when it is complete.

    Args:
        path: File to write, ``*.safetensors``.
        cfg: Config of the model; only numbers, strings, booleans, None, lists and dicts.
        state_dict: Weights and buffers.
        card: Description; its ``precision`` becomes ``precision``.
        precision: One of :data:`PRECISIONS`.

    Returns:
        SHA-256 of the file.

    Raises:
        ValueError: ``precision`` is unknown, a weight is not finite or too large for half precision, or the config
            holds something other than plain values.
    """
    from safetensors.torch import save

    if precision not in PRECISIONS:
        raise ValueError(f'precision must be one of {PRECISIONS}, got {precision!r}')
    tensors: dict[str, Tensor] = {}
    for name, value in state_dict.items():
        tensors.update(_stored(name, value, precision))
    metadata = {
        'mmcount_format': str(_FORMAT),
        'card': json.dumps(replace(card, precision=precision).to_dict()),
        'config': json.dumps(_plain(cfg, 'config')),
    }
    content = save(tensors, metadata)
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f'{path.name}.partial')
    partial.write_bytes(content)
    os.replace(partial, path)
    return hashlib.sha256(content).hexdigest()


def read_model(path: str | Path, sha256: str | None = None) -> LoadedModel:
    """Read a model.

    Args:
        path: File that :func:`write_model` wrote.
        sha256: Expected checksum, compared before anything is read out of the file; None for any.

    Raises:
        FileNotFoundError: There is no such file.
        ModelFileError: The file is another one than expected, or no model of this package.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    content = Path(path).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if sha256 is not None and digest != sha256:
        raise ModelFileError(
            f'{path} is not the expected file: SHA-256 is {digest}, expected {sha256}; install the package again'
        )
    header = _parse_header(content, path)
    try:
        tensors = load(content)
    except SafetensorError as error:
        raise ModelFileError(f'{path} is cut off or damaged: {error}') from error
    scales = {name.removesuffix(_SCALE): tensors.pop(name) for name in list(tensors) if name.endswith(_SCALE)}
    state = {name: _restored(value, scales.get(name)) for name, value in tensors.items()}
    return LoadedModel(header.cfg, state, header.card, digest)


def read_card(path: str | Path) -> ModelCard:
    """Read the description of a model without its weights.

    Raises:
        FileNotFoundError: There is no such file.
        ModelFileError: It is no model of this package.
    """
    with open(path, 'rb') as stream:
        start = stream.read(8)
        length = int.from_bytes(start, 'little')
        content = start + (stream.read(length) if length <= _MAX_HEADER else b'')
    return _parse_header(content, path).card


def _parse_header(content: bytes, path: str | Path) -> _Header:
    instead = not_weights(path)
    if instead is not None:
        raise ModelFileError(f'{path} is no safetensors file: {instead}')
    length = int.from_bytes(content[:8], 'little')
    try:
        if len(content) < 8 or length > _MAX_HEADER:
            raise ValueError(f'a header of {length} bytes')
        metadata = json.loads(content[8 : 8 + length]).get('__metadata__', {})
    except (ValueError, AttributeError) as error:
        raise ModelFileError(f'{path} is no safetensors file: {error}') from error
    version = metadata.get('mmcount_format')
    if version is None:
        raise ModelFileError(
            f'{path} holds no model of mmcount: its metadata has no mmcount_format, found {sorted(metadata)}'
        )
    if version != str(_FORMAT):
        raise ModelFileError(
            f'{path} has format {version}, this version of mmcount reads {_FORMAT}: install a newer mmcount'
        )
    try:
        card, cfg = ModelCard.from_dict(json.loads(metadata['card'])), json.loads(metadata['config'])
    except (KeyError, ValueError) as error:
        raise ModelFileError(f'{path} has damaged metadata: {error}') from error
    if not isinstance(cfg, dict) or 'model' not in cfg:
        raise ModelFileError(f'{path} has a config without model')
    return _Header(card, cfg)


def _stored(name: str, value: 'Tensor', precision: str) -> 'dict[str, Tensor]':
    import torch

    value = value.detach().cpu().contiguous()
    if not value.is_floating_point():
        return {name: value}
    value = value.float()
    if value.ndim < 2:  # kept to the last bit; buffers may hold NaN for what was never fitted
        return {name: value}
    if not bool(torch.isfinite(value).all()):
        raise ValueError(f'{name} holds values that are not finite')
    if precision == 'float32':
        return {name: value}
    if precision == 'int8':
        peaks = value.abs().amax(dim=tuple(range(1, value.ndim)), keepdim=True)
        scale = torch.where(peaks > 0, peaks / 127, torch.ones_like(peaks))
        return {name: torch.round(value / scale).to(torch.int8), name + _SCALE: scale}
    half = value.half()
    if not bool(torch.isfinite(half).all()):
        raise ValueError(f'{name} reaches {float(value.abs().max()):g}, more than half precision holds (65504)')
    return {name: half}


def _restored(value: 'Tensor', scale: 'Tensor | None') -> 'Tensor':
    if scale is not None:
        return value.float() * scale
    return value.float() if value.is_floating_point() else value


def _plain(value: Any, where: str) -> Any:
    """A copy of plain values, tuples as lists."""
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            raise ValueError(f'{where} has keys that are no strings: {list(value)}')
        return {key: _plain(one, f'{where}.{key}') for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(one, f'{where}[{index}]') for index, one in enumerate(value)]
    if value is None or isinstance(value, (bool, int, str)) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError(f'{where} is {value!r}, expected plain values: numbers, strings, booleans, None, lists, dicts')
