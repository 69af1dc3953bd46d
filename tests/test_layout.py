"""The tests lie where the package has what they test."""

from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TESTS = ROOT / 'tests'
FILES = sorted(path.relative_to(TESTS) for path in TESTS.rglob('test_*.py') if path.parent != TESTS)
#: Tests over several packages, such as a training or a config from its file to its metrics.
INTEGRATION = 'integration'
#: Plain formulations that the tests of ``mmcount.ops`` compare each operator with.
TESTED_BY_PARENT = {'ops/reference'}


def members(folder):
    """Names of the modules and packages in a folder, private ones without their underscore."""
    return {path.stem.lstrip('_') for path in folder.iterdir() if path.suffix == '.py' or path.is_dir()}


@pytest.mark.parametrize('path', FILES, ids=str)
def test_a_file_of_tests_lies_at_the_path_of_its_module(path):
    """``tests/test_a/test_b.py``, ``test_b_when_c.py`` and ``test_b/test_c.py`` test ``mmcount/a/b.py``."""
    if path.parts[0] == INTEGRATION:
        return
    folder = ROOT if path.parts[0] == 'test_tools' else ROOT / 'mmcount'
    for depth, part in enumerate(path.with_suffix('').parts):
        name = part.removeprefix('test_')
        known = members(folder)
        if depth < len(path.parts) - 1 and name not in known:
            pytest.fail(f'{path}: there is no {folder.relative_to(ROOT)}/{name}')
        if not any(name == one or name.startswith(f'{one}_') for one in known):
            pytest.fail(f'{path}: no module of {folder.relative_to(ROOT)} is called as {name!r} begins')
        folder = folder / name
        if not folder.is_dir():
            return  # a folder of tests for one module, or a file of its tests


def test_every_package_has_its_folder_of_tests():
    packages = [path.parent.relative_to(ROOT / 'mmcount') for path in (ROOT / 'mmcount').rglob('__init__.py')]
    without = [
        str(package)
        for package in packages
        if package.parts
        and package.as_posix() not in TESTED_BY_PARENT
        and any(path.stem != '__init__' for path in (ROOT / 'mmcount' / package).glob('*.py'))
        and not TESTS.joinpath(*(f'test_{part}' for part in package.parts)).is_dir()
    ]
    assert without == []


def test_what_tests_share_is_no_part_of_the_package():
    assert not (ROOT / 'mmcount' / 'testing').exists()
