"""Text configs of MMEngine with overrides that reach every use of a variable."""

import inspect
import os
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from mmengine.config import Config
from mmengine.runner import Runner

from mmcount.utils.errors import did_you_mean

from .option_action import parse_value
from .text_config import ConfigCopies, assignments, bases_of, config_files, is_text_config, tree_of

__all__ = ['check_redefinitions', 'config_files', 'read_config']

# What a run reads. Every other top-level name of a config is a variable, which matters through its uses only.
SECTIONS = frozenset(inspect.signature(Runner.__init__).parameters) - {'self', 'cfg'} | {
    'activation_checkpointing',
    'broadcast_buffers',
    'compile',
    'custom_imports',
    'detect_anomalous_params',
    'efficient_conv_bn_eval',
    'find_unused_parameters',
    'model_wrapper_cfg',
    'runner_type',
    'strategy',
    'sync_bn',
    'tta_model',
    'tta_pipeline',
}
# The classifiers of fitted counters are written from this one.
USED_SECTIONS = frozenset({'data_preprocessor'})
# Absent or None in most configs, and strings when they are set.
TEXTS = ('experiment_name', 'load_from', 'work_dir')
# Lengths of a run that configs compute schedules and intervals from.
LENGTHS = ('max_iters', 'max_epochs')
MISSING = object()


def _look_up(cfg: Any, key: str) -> Any:
    """Value under a dotted key, ``MISSING`` if there is none."""
    node = cfg
    for name in key.split('.'):
        if isinstance(node, Mapping) and name in node:
            node = node[name]
        elif isinstance(node, list | tuple) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        else:
            return MISSING
    return node


def _is_in_list(cfg: Mapping, key: str) -> bool:
    """Whether a dotted key goes through a list."""
    names = key.split('.')
    return any(isinstance(_look_up(cfg, '.'.join(names[:end])), list | tuple) for end in range(1, len(names)))


def _flat(options: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Dotted keys to values, with dicts taken apart: they are merged, not replaced."""
    for key, value in options.items():
        if isinstance(value, Mapping) and value and '_delete_' not in value:
            yield from _flat({f'{key}.{name}': one for name, one in value.items()})
        else:
            yield key, value


def _statement(cfg: Mapping, key: str, value: Any) -> str:
    """Python code that sets a dotted key of a variable, in files too that hold only a part of the variable."""
    first, *names = key.split('.')
    target, node = first, cfg[first]
    for depth, name in enumerate(names):
        last = depth == len(names) - 1
        if isinstance(node, list | tuple):
            target += f'[{int(name)}]'
        else:
            target += f'[{name!r}]' if last else f'.setdefault({name!r}, {{}})'
        node = MISSING if last else _look_up(node, name)
    return f'{target} = {value!r}'


def _differences(one: Any, other: Any, path: str = '') -> Iterator[str]:
    """Dotted paths of the values that differ."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        keys = [key for key in dict.fromkeys([*one, *other]) if key != '_scope_']
        pairs = [(key, one.get(key, MISSING), other.get(key, MISSING)) for key in keys]
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        pairs = [(index, *both) for index, both in enumerate(zip(one, other, strict=True))]
    else:
        if type(one) is not type(other) or one != other:
            yield path
        return
    for key, left, right in pairs:
        yield from _differences(left, right, f'{path}.{key}' if path else str(key))


def _sections(cfg: Config) -> dict:
    """The part of a config that runs."""
    return {key: value for key, value in cfg.items() if key in SECTIONS}


def _load(
    path: str, code: Mapping[str, str], last_code: Mapping[str, str] | None = None, untouched: str = ''
) -> Config:
    """Load a config with statements behind the assignments of variables."""
    with tempfile.TemporaryDirectory() as folder:
        return Config.fromfile(ConfigCopies(folder, code, last_code, untouched).copy(path))


def check_redefinitions(path: str) -> None:
    """Refuse variables that a file sets anew while a base has already used its own value elsewhere.

    MMEngine executes a base before the file that inherits from it. A new value of a variable therefore reaches only the
    places that the inheriting file writes itself.

    Raises:
        ValueError: A use of the variable keeps the value of the base.
    """
    path = os.path.abspath(path)
    if not is_text_config(path):
        return
    known: dict[str, str] = {}
    for base in _text_bases(path):
        check_redefinitions(base)
        known |= _assigned_in(base)
    redefined = [(name, node) for name, node in assignments(tree_of(path)) if name in known and name not in SECTIONS]
    if not redefined:
        return
    cfg = Config.fromfile(path)
    for name, node in redefined:
        value = cfg.to_dict()[name]
        kept = list(_differences(_sections(cfg), _sections(_load(path, {name: f'{name} = {value!r}'}, untouched=path))))
        if kept:
            raise ValueError(
                f'{path}, line {node.lineno}: {name!r} is set anew, but {known[name]} has already used its own value '
                f'in {", ".join(kept)}. Set these here too, with the new {name}; the command line reaches all of them: '
                f'--cfg-options {name}=...'
            )


def _text_bases(path: str) -> list[str]:
    """Bases of a text config that are text configs of ours or of the user."""
    return [base for base in bases_of(path) if os.path.isabs(base) and is_text_config(base)]


def _assigned_in(path: str) -> dict[str, str]:
    """Names that a config or a base of it sets at the top level, and the files that do."""
    found: dict[str, str] = {}
    for base in _text_bases(path):
        found |= _assigned_in(base)
    return found | dict.fromkeys((name for name, _ in assignments(tree_of(path)) if name != '_base_'), path)


def _check_names(cfg: Config, options: Mapping[str, Any], path: str) -> None:
    for key in options:
        name = key.partition('.')[0]
        if name not in cfg and name not in SECTIONS:
            raise KeyError(f'{path} has no {name!r} to override{did_you_mean(name, [*cfg, *sorted(SECTIONS)])}')


def _merge(cfg: Config, key: str, value: Any) -> None:
    """Merge one value as MMEngine does; an element of a list, which it merges only if it is a dict, is replaced."""
    parent, _, name = key.rpartition('.')
    node = _look_up(cfg._cfg_dict, parent) if parent else MISSING
    if isinstance(node, list) and not isinstance(value, Mapping) and name.isdigit() and int(name) < len(node):
        node[int(name)] = value
    elif _look_up(cfg._cfg_dict, key) != value:
        cfg.merge_from_dict({key: value})


def _settle_workers(cfg: Config) -> None:
    """Let data loaders without workers have no options that need workers: PyTorch refuses them."""
    for name in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loaders = cfg.get(name)
        for loader in loaders if isinstance(loaders, list) else [loaders]:
            if loader is not None and loader.get('num_workers', 0) == 0:
                loader.pop('persistent_workers', None)
                loader.pop('prefetch_factor', None)


def read_config(path: str | os.PathLike, options: Mapping[str, Any] | None = None) -> Config:
    r"""Read a config and override some of its values, in every place that uses them.

    MMEngine executes a config before it merges overrides, so an override of a variable, such as ``max_iters`` or
    ``split.seed``, would change the variable and none of its uses. Here it is set right behind the assignments of the
    variable in the file and its bases: what they compute from it follows. What a run reads by itself (``model``,
    ``train_dataloader``, ...) is merged afterwards, as by MMEngine.

    Args:
        path: A Python, YAML or JSON config.
        options: Dotted keys to values. Strings get the type of the value that they replace, see :func:`parse_value`.

    Raises:
        KeyError: There is no such variable, and no part of a run has this name.
        ValueError: A variable is used nowhere, or a file sets it anew while its base keeps using the old value.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder, 'config.py')
        ...     _ = file.write_text('steps = 8\ntrain_cfg = dict(max_iters=steps, val_interval=steps // 2)')
        ...     read_config(file, {'steps': '100'}).train_cfg
        {'max_iters': 100, 'val_interval': 50}
    """
    path = os.fspath(path)
    cfg = Config.fromfile(path)
    check_redefinitions(path)
    if not options:
        _settle_workers(cfg)
        return cfg
    _check_names(cfg, options, path)
    plain = cfg.to_dict()
    values = {}
    for key, value in _flat(options):
        current = '' if key in TEXTS else _look_up(plain, key)
        values[key] = parse_value(value, current) if isinstance(value, str) else value
    for name in LENGTHS:
        # What is computed from the variable follows the loop too.
        key = f'train_cfg.{name}'
        if key in values and name not in values and _look_up(plain, name) == _look_up(plain, key) != MISSING:
            values[name] = values[key]
    names = {key.partition('.')[0] for key in values}
    variables = names - SECTIONS | names & USED_SECTIONS & set(cfg)
    statements = {key: _statement(plain, key, values[key]) for key in values if key.partition('.')[0] in variables}

    def load(without: str = '') -> Config:
        code: dict[str, str] = {}
        last_code: dict[str, str] = {}
        for key, statement in statements.items():
            name = key.partition('.')[0]
            if name != without:
                kind = last_code if _is_in_list(plain, key) else code
                kind[name] = f'{kind[name]}; {statement}' if name in kind else statement
        found = _load(path, code, last_code) if is_text_config(path) else Config.fromfile(path)
        for key, value in values.items():
            if key.partition('.')[0] != without:
                _merge(found, key, value)
        return found

    new = load()
    for name in sorted(variables):
        if new.get(name) != cfg.get(name) and _sections(load(without=name)) == _sections(new):
            uses = [key for key in _keys(_sections(cfg)) if key.rpartition('.')[2] == name]
            hint = f'; override {" or ".join(uses)}' if uses else ''
            raise ValueError(f'{path}: nothing that runs uses the variable {name!r}, so it cannot be overridden{hint}')
    _settle_workers(new)
    return Config(new.to_dict(), cfg_text=cfg.text, filename=cfg.filename, env_variables=cfg.env_variables)


def _keys(node: Any, path: str = '') -> Iterator[str]:
    """Dotted keys of all values."""
    pairs = node.items() if isinstance(node, Mapping) else enumerate(node) if isinstance(node, list | tuple) else ()
    for key, value in pairs:
        name = f'{path}.{key}' if path else str(key)
        yield name
        yield from _keys(value, name)
