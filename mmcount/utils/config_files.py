"""Configs that come along, by name."""

import difflib
from pathlib import Path

import mmcount

__all__ = ['config_path', 'configs_folder']


def configs_folder() -> Path:
    """The folder of the configs: of the checkout, or the copy in the installed package.

    Raises:
        FileNotFoundError: There is neither.
    """
    package = Path(mmcount.__file__).parent
    for folder in (package.parent / 'configs', package / '.mim' / 'configs'):
        if (folder / '_base_').is_dir():
            return folder
    raise FileNotFoundError(f'the package in {package} has no configs: install mmcount again')


def config_path(name: str) -> str:
    """The file of a config.

    Args:
        name: A file, or the name of a config that comes along, with or without '.py'.

    Raises:
        FileNotFoundError: There is none; says which names are like it.

    Example:
        >>> Path(config_path('count-ception_quickstart_mnist-lego')).name
        'count-ception_quickstart_mnist-lego.py'
    """
    if Path(name).is_file():
        return name
    files = {path.stem: path for path in configs_folder().rglob('*.py') if '_base_' not in path.parts}
    stem = Path(name).name.removesuffix('.py')
    if stem in files and stem == name.removesuffix('.py'):
        return str(files[stem])
    close = difflib.get_close_matches(stem, files, n=3)
    hint = f'; did you mean {" or ".join(close)}?' if close else ''
    raise FileNotFoundError(f'config not found: {name!r} is no file and no name of a config that comes along{hint}')
