"""Configs that came with weights, read as data: nothing of them is ever executed."""

import ast
import math
import re
from typing import Any

__all__ = ['check_types', 'read_config_text']

#: Names that MMEngine prints for values that Python has no literals for.
CONSTANTS = {'inf': math.inf, 'nan': math.nan}
TYPE_NAME = re.compile(r'[A-Za-z_]\w*(\.[A-Za-z_]\w*)?')


def read_config_text(text: str, name: str) -> dict[str, Any]:
    """Read the text of a resolved config, as MMEngine dumps it into checkpoints.

    Assignments of literals and of ``dict(...)`` are all that such a text holds.

    Args:
        text: Of the config.
        name: What error messages call it.

    Raises:
        ValueError: It holds anything else, which would have to be executed.

    Example:
        >>> read_config_text("model = dict(type='DenseCounter', head=dict(scales=(1, -inf)))", 'weights.pth')
        {'model': {'type': 'DenseCounter', 'head': {'scales': (1, -inf)}}}
    """
    try:
        statements = ast.parse(text).body
    except SyntaxError as error:
        raise ValueError(f'the config in {name} cannot be read: line {error.lineno}: {error.msg}') from error
    values: dict[str, Any] = {}
    for statement in statements:
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if not isinstance(statement, ast.Assign) or not isinstance(target, ast.Name):
            raise _refused(statement, text, name)
        try:
            values[target.id] = _value(statement.value)
        except _NotData as error:
            raise _refused(error.node, text, name) from error
    return values


def check_types(values: Any, known: set[str], name: str) -> None:
    """Refuse every ``type`` that a registry could only find by importing whatever module it names.

    MMEngine's registries import the path that an unknown name with dots spells and call what they find there, so that a
    config could call any function.

    Args:
        values: A config or a part of one.
        known: Names of registered modules, without scope.
        name: What error messages call the config.

    Raises:
        ValueError: A name is no identifier, or has a dot and is not registered.

    Example:
        >>> check_types(dict(model=dict(type='mmcount.DenseCounter')), {'DenseCounter'}, 'weights.pth')
    """
    if isinstance(values, dict):
        kind = values.get('type')
        if isinstance(kind, str) and not (TYPE_NAME.fullmatch(kind) and ('.' not in kind or _last(kind) in known)):
            raise ValueError(
                f'the config in {name} asks for the type {kind!r}, which is not registered; if you trust its source, '
                'name its config file'
            )
        for value in values.values():
            check_types(value, known, name)
    elif isinstance(values, (list, tuple)):
        for value in values:
            check_types(value, known, name)


def _last(path: str) -> str:
    return path.rpartition('.')[2]


class _NotData(Exception):
    def __init__(self, node: ast.AST) -> None:
        super().__init__(node)
        self.node = node


def _refused(node: ast.AST, text: str, name: str) -> ValueError:
    line = getattr(node, 'lineno', 0)
    found = (ast.get_source_segment(text, node) or '').split('\n')[0][:80]
    return ValueError(
        f'the config in {name}, line {line}: expected values only, found {found!r}, which would have to be executed; '
        'if you trust its source, name its config file'
    )


def _value(node: ast.expr) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name) and node.id in CONSTANTS:
        return CONSTANTS[node.id]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        operand = _value(node.operand)
        if isinstance(operand, (int, float)):
            return -operand
    if isinstance(node, ast.List):
        return [_value(one) for one in node.elts]
    if isinstance(node, ast.Tuple):
        return tuple(_value(one) for one in node.elts)
    if isinstance(node, ast.Set):
        return {_value(one) for one in node.elts}
    if isinstance(node, ast.Dict):
        return {_value(key or node): _value(value) for key, value in zip(node.keys, node.values, strict=True)}
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == 'dict' and len(node.args) < 2:
        first = _value(node.args[0]) if node.args else {}
        if isinstance(first, dict) and all(one.arg for one in node.keywords):
            return first | {str(one.arg): _value(one.value) for one in node.keywords}
    raise _NotData(node)
