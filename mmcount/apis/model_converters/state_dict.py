"""Names, shapes, safe reading and whole writing of other projects' checkpoints."""

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from mmdet.models.backbones import ResNet
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from mmcount.apis.weights import file_sha256
from mmcount.registry import MODELS
from mmcount.utils import register_all_modules
from mmcount.utils.atomic import write_atomic
from mmcount.utils.safe_load import read_checkpoint
from mmcount.version import __version__

#: Where checkpoints keep their weights; the file itself may be the state dict.
STATE_KEYS = ('state_dict', 'model')
#: Step counters of normalisation: checkpoints of PyTorch before 0.4.1 have none, and nothing reads them.
STEP_COUNTER = 'num_batches_tracked'


def some(names: Iterable[str], most: int = 5) -> str:
    """The first of many names, for messages.

    Example:
        >>> some(['b', 'a', 'c'], most=2)
        "'a', 'b' and 1 more"
    """
    ordered = sorted(names)
    more = f' and {len(ordered) - most} more' if len(ordered) > most else ''
    return ', '.join(repr(name) for name in ordered[:most]) + more


def rename_keys(
    state_dict: Mapping[str, Tensor], prefixes: Mapping[str, str], unused: Sequence[str] = ()
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Give every tensor its new name.

    Args:
        state_dict: Tensors by their old names.
        prefixes: Start of an old name to start of the new one.
        unused: Starts of old names that are left out on purpose.

    Returns:
        Tensors by their new names, and old names by new names.

    Raises:
        ValueError: An old name has no rule, is no tensor, or two of them get one name.

    Example:
        >>> renamed, _ = rename_keys({'a.w': torch.ones(1), 'fc.w': torch.ones(1)}, {'a.': 'b.'}, unused=['fc.'])
        >>> list(renamed)
        ['b.w']
    """
    renamed: dict[str, Tensor] = {}
    origin: dict[str, str] = {}
    unknown = []
    for old, value in state_dict.items():
        start = next((start for start in prefixes if old.startswith(start)), None)
        if start is None:
            if not old.startswith(tuple(unused)):
                unknown.append(old)
            continue
        if not isinstance(value, Tensor):
            raise ValueError(f'{old!r} must be a tensor, found {type(value).__name__}')
        new = prefixes[start] + old[len(start) :]
        if new in renamed:
            raise ValueError(f'{old!r} and {origin[new]!r} would both become {new!r}')
        renamed[new], origin[new] = value.detach().contiguous(), old
    if unknown:
        raise ValueError(f'unexpected keys that no rule names: {some(unknown)}')
    return renamed, origin


def match_modules(
    converted: Mapping[str, Tensor],
    modules: Mapping[str, nn.Module],
    prefixes: Mapping[str, str],
) -> dict[str, Tensor]:
    """Check that tensors are all and only those of the modules, in their order.

    Args:
        converted: Tensors by their new names.
        modules: Where in the model each module sits, to the module; only its names and shapes are read.
        prefixes: The rules of :func:`rename_keys`, so that messages use the names of the file.

    Returns:
        The tensors; a step counter of normalisation that the file does not have is zero.

    Raises:
        ValueError: Tensors are missing, too many, or of another shape; the message names them.
    """

    def old(name: str) -> str:
        return next((was + name[len(now) :] for was, now in prefixes.items() if name.startswith(now)), name)

    matched: dict[str, Tensor] = {}
    missing, misfit = [], []
    for place, module in modules.items():
        for name, wanted in module.state_dict(prefix=f'{place}.').items():
            value = converted.get(name)
            if value is None and name.endswith(f'.{STEP_COUNTER}'):
                value = torch.zeros((), dtype=torch.long)
            if value is None:
                missing.append(old(name))
            elif value.shape != wanted.shape:
                misfit.append(f'{old(name)} is {tuple(value.shape)}, expected {tuple(wanted.shape)}')
            elif value.is_floating_point() != wanted.is_floating_point():
                misfit.append(f'{old(name)} is {value.dtype}, expected {wanted.dtype}')
            else:
                matched[name] = value
    if missing:
        raise ValueError(f'missing keys: {some(missing)}')
    if misfit:
        raise ValueError(f'keys of another shape or type: {some(misfit)}')
    surplus = set(converted) - set(matched)
    if surplus:
        raise ValueError(f'unexpected keys: {some(old(name) for name in surplus)}')
    return matched


def resnet_depth(state_dict: Mapping[str, Tensor], place: str = '') -> int:
    """Depth of a ResNet by its blocks.

    Args:
        state_dict: Tensors by their names.
        place: Where the ResNet sits, with its full stop.

    Raises:
        ValueError: No ResNet has these blocks.
    """
    blocks = [0, 0, 0, 0]
    kind = 'bottleneck' if f'{place}layer1.0.conv3.weight' in state_dict else 'basic'
    for stage in range(4):
        while f'{place}layer{stage + 1}.{blocks[stage]}.conv1.weight' in state_dict:
            blocks[stage] += 1
    for depth, (block, numbers) in ResNet.arch_settings.items():
        if numbers == tuple(blocks) and (block.expansion == 4) == (kind == 'bottleneck'):
            return depth
    raise ValueError(f'no ResNet has stages of {blocks} {kind} blocks')


def read_state_dict(path: str | Path, allow_pickle: bool = False) -> dict[str, Any]:
    """Read the weights of a PyTorch checkpoint.

    Args:
        path: The file.
        allow_pickle: Also read a file that holds other objects than tensors, numbers and containers. Reading these
            runs code of the file: allow it for sources that you trust.

    Returns:
        The state dict, from under 'state_dict' or 'model' where the file holds more than weights.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is no checkpoint, has no weights, or holds pickled objects.
    """
    content = read_checkpoint(path, allow_pickle, '--allow-pickle')
    state = next((content[key] for key in STATE_KEYS if isinstance(content.get(key), Mapping)), content)
    if not any(isinstance(value, Tensor) for value in state.values()):
        held = sorted(map(str, content))
        raise ValueError(f'{path} holds no weights: expected them at the top or under {STATE_KEYS}, found {held}')
    return dict(state)


def fitting_config(path: str | Path, weights: Mapping[str, Tensor]) -> str:
    """The text of the config whose model the weights fit.

    Raises:
        ValueError: They do not.
    """
    register_all_modules(init_default_scope=False)
    init_default_scope('mmcount')
    cfg = Config.fromfile(path)
    try:
        MODELS.build(cfg.model).load_state_dict(weights)
    except RuntimeError as error:
        raise ValueError(f'the weights do not fit the model of {path}: {error}') from error
    text: str = cfg.pretty_text
    return text


def write_checkpoint(
    path: str | Path, state_dict: Mapping[str, Tensor], source: str | Path, origin: str, meta: Mapping[str, Any]
) -> None:
    """Write weights as an MMEngine checkpoint, whole or not at all.

    Args:
        path: The new file.
        state_dict: Tensors by their names in the model.
        source: The file that they come from; its name and checksum are kept.
        origin: The project that they come from.
        meta: More of the checkpoint's ``meta``, such as ``dataset_meta``.

    Raises:
        ValueError: ``path`` is the file that was read.
    """
    if Path(path).resolve() == Path(source).resolve():
        raise ValueError(f'the converted checkpoint would replace {source}, name another file')
    known = dict(project=origin, file=Path(source).name, sha256=file_sha256(source))
    buffer = io.BytesIO()
    torch.save(dict(meta=dict(mmcount_version=__version__, source=known, **meta), state_dict=dict(state_dict)), buffer)
    write_atomic(path, buffer.getvalue())
