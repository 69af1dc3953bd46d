"""Weights of a model: where they come from, what config they bring, and what that may hold."""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import torch
from mmengine import registry as mmengine_registries
from mmengine.config import ConfigDict
from mmengine.registry import Registry

from mmcount import registry as mmcount_registries
from mmcount.utils.config_text import check_types, read_config_text


def file_sha256(path: str | Path) -> str:
    """Checksum of a file, hexadecimal."""
    digest = hashlib.sha256()
    with open(path, 'rb') as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def local_weights(weights: str | Path) -> Path:
    """The file of weights on this machine; those of a URL are downloaded once, into PyTorch's cache.

    A name that ends in a part of the checksum, as ``model-0123abcd.pth``, is verified.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The URL is of a kind that cannot be downloaded.
        RuntimeError: The checksum differs from that in the name.
    """
    text = str(weights)
    if '://' not in text:
        if not os.path.isfile(text):
            raise FileNotFoundError(f'weights not found: {text!r}')
        return Path(text)
    url = urlparse(text)
    if url.scheme not in ('http', 'https', 'file'):
        raise ValueError(f'weights {text!r}: expected a file or a URL of http, https or file, got {url.scheme}')
    folder = Path(torch.hub.get_dir()) / 'checkpoints'
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / os.path.basename(url.path)
    if not file.is_file():
        prefix = torch.hub.HASH_REGEX.search(file.name)
        torch.hub.download_url_to_file(text, str(file), prefix.group(1) if prefix else None)
    return file


def checkpoint_config(checkpoint: Mapping[str, Any], weights: str | Path) -> ConfigDict:
    """The config that MMEngine saved in a checkpoint, read as data: nothing of it is executed.

    Raises:
        ValueError: There is none, or it holds more than data.
    """
    runtime = (checkpoint.get('message_hub') or {}).get('runtime_info') or {}
    text = runtime.get('cfg') or (checkpoint.get('meta') or {}).get('cfg')
    if not text:
        raise ValueError(f'{weights} holds no config, so name the config of the model, too')
    values = read_config_text(text, str(weights))
    check_config(values, weights)
    return ConfigDict(values)


def check_config(values: Mapping[str, Any], weights: str | Path) -> None:
    """Refuse a config from a file of weights that asks for something that is not registered.

    Raises:
        ValueError: It does; registries would import and call whatever its name spells.
    """
    check_types(values, set(_registered_names()), str(weights))


def _registered_names() -> Iterator[str]:
    """Names of all modules that any registry has, without scope."""
    packages = vars(mmengine_registries), vars(mmcount_registries)
    waiting = [value for package in packages for value in package.values() if isinstance(value, Registry)]
    while waiting:
        one = waiting.pop()
        yield from one.module_dict
        waiting += one.children.values()
