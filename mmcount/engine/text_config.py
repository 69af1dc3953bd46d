"""Files of text configs: what they assign, what they inherit, and copies with statements added."""

import ast
import os
from collections.abc import Mapping
from pathlib import Path

from mmengine.config import Config

import mmcount

__all__ = ['ConfigCopies', 'assignments', 'bases_of', 'config_files', 'is_text_config', 'tree_of']


class ConfigCopies:
    """Copies of a config and its bases with statements behind the assignments of some variables.

    Args:
        folder: Where the copies go.
        code: Variable to statements.
        last_code: Variable to statements for the assignment whose value wins; for elements of lists, as a file may set
            a list of another length than its base.
        untouched: File whose own assignments stay as they are.
    """

    def __init__(
        self, folder: str, code: Mapping[str, str], last_code: Mapping[str, str] | None = None, untouched: str = ''
    ) -> None:
        self.folder = folder
        self.code = code
        self.last_code = dict(last_code or {})
        self.untouched = untouched
        self.copies: dict[str, str] = {}

    def copy(self, path: str) -> str:
        """Return the copy of a file, or the file itself if it is no Python file."""
        path = os.path.abspath(path)
        if not path.endswith('.py'):
            return path
        if path in self.copies:
            return self.copies[path]
        text = Path(path).read_bytes()
        lines = text.split(b'\n')
        found = assignments(ast.parse(text))
        for name, node in reversed(found):
            statements = [code[name] for code in (self.code, self.last_code) if name in code]
            if name != '_base_' and statements and path != self.untouched:
                end, column = (node.end_lineno or node.lineno) - 1, node.end_col_offset or 0
                lines[end] = lines[end][:column] + f'; {"; ".join(statements)}'.encode() + lines[end][column:]
        for name, _ in found:
            self.last_code.pop(name, None)
        for name, node in found:
            if name == '_base_':
                start, end = node.lineno - 1, node.end_lineno or node.lineno
                bases = [self.copy(one) if os.path.isabs(one) else one for one in bases_of(path)]
                # Lines keep their numbers.
                lines[start:end] = [f'_base_ = {bases!r}'.encode()] + [b''] * (end - start - 1)
        copy = Path(self.folder, str(len(self.copies)), Path(path).name)
        self.copies[path] = str(copy)
        copy.parent.mkdir()
        copy.write_bytes(b'\n'.join(lines))
        return str(copy)


def tree_of(path: str) -> ast.Module:
    """Syntax tree of a file."""
    return ast.parse(Path(path).read_bytes(), path)


def assignments(tree: ast.Module) -> list[tuple[str, ast.stmt]]:
    """Names that a file sets at its top level, with the statements."""
    found: list[tuple[str, ast.stmt]] = []
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.AnnAssign) and node.value is not None:
            targets = [node.target]
        if len(targets) == 1 and isinstance(targets[0], ast.Name):
            found.append((targets[0].id, node))
    return found


def bases_of(path: str) -> list[str]:
    """Base files of a text config; those of other packages keep the form ``package::name``."""
    for name, node in assignments(tree_of(path)):
        if name == '_base_':
            value = ast.literal_eval(node.value)  # type: ignore[attr-defined]
            return [_resolve(one, path) for one in ([value] if isinstance(value, str) else value)]
    return []


def _resolve(base: str, path: str) -> str:
    package, separator, name = base.partition('::')
    if not separator:
        return os.path.abspath(os.path.join(os.path.dirname(path), base))
    root = Path(mmcount.__file__).parent
    folders = [root / '.mim' / 'configs', root.parent / 'configs'] if package == 'mmcount' else []
    return next((str(folder / name) for folder in folders if (folder / name).is_file()), base)


def is_text_config(path: str) -> bool:
    """Whether a file is a config that is executed from top to bottom, without imports."""
    if not path.endswith('.py'):
        return False
    nodes = ast.walk(tree_of(path))
    return not any(isinstance(node, ast.Import | ast.ImportFrom | ast.With) for node in nodes)


def config_files(path: str | os.PathLike) -> list[str]:
    """Files that make up a config: itself and what it inherits, bases of other packages included.

    Raises:
        FileNotFoundError: A base does not exist, or its package is not installed.
    """
    path = os.path.abspath(path)
    found = [path]
    for base in bases_of(path) if path.endswith('.py') else ():
        if not os.path.isabs(base):
            base = Config._get_cfg_path(base, path)[0]
        found += [one for one in config_files(base) if one not in found]
    return found
