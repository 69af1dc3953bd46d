"""Run something as soon as a module is imported, without importing it."""

import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

__all__ = ['after_import']

Action = Callable[[ModuleType], object]


class _Loader(Loader):
    """The module's own loader, with the action after it. It gives way to the own one when the module runs."""

    def __init__(self, loader: Loader, finder: '_Finder') -> None:
        self.loader = loader
        self.finder = finder

    def __getattr__(self, name: str) -> Any:
        return getattr(self.loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self.loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self.loader
        if module.__spec__ is not None:
            module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        # Only now: an import that failed may be tried again.
        self.finder.remove()
        self.finder.action(module)


class _Finder(MetaPathFinder):
    """Finds one module, by asking the other finders."""

    def __init__(self, name: str, action: Action) -> None:
        self.name = name
        self.action = action

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self.name:
            return None
        for finder in list(sys.meta_path):
            if isinstance(finder, _Finder) or not hasattr(finder, 'find_spec'):
                continue
            spec = finder.find_spec(fullname, path, target)
            if spec is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self)
                return spec
        return None

    def remove(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)


def after_import(name: str, action: Action) -> None:
    """Call ``action(module)`` once a module is imported: at once if it is already, else right after its first import.

    Nothing of this stays behind after that: the module keeps its own loader, and the import system its own finders. A
    module that is never imported costs one comparison of names per import.

    Args:
        name: Full name of the module. One that waits already gets the new action instead of its old one.
        action: Called in the thread that imports the module; what it raises fails that import.

    Example:
        >>> after_import('sys', lambda module: print(module.__name__))
        sys
    """
    for finder in list(sys.meta_path):
        if isinstance(finder, _Finder) and finder.name == name:
            finder.remove()
    if name in sys.modules:
        action(import_module(name))  # waits where another thread is in the middle of importing it
    else:
        sys.meta_path.insert(0, _Finder(name, action))
