"""``after_import``, and what it is for: MMEngine knows mmcount although importing mmcount does not import MMEngine."""

import importlib
import inspect
import pickle
import subprocess
import sys
import textwrap
from importlib.machinery import SourceFileLoader

import pytest

from mmcount.utils import post_import
from mmcount.utils.post_import import after_import

NAME = 'module_to_wait_for'


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Make a module importable; the test and what it leaves behind are forgotten afterwards."""
    path = tmp_path / f'{NAME}.py'
    path.write_text('import os\nclass Thing:\n    pass\nif os.path.exists(__file__ + ".broken"):\n    1 / 0\n')
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, 'meta_path', list(sys.meta_path))
    yield path
    sys.modules.pop(NAME, None)


def waiting():
    return [finder for finder in sys.meta_path if isinstance(finder, post_import._Finder) and finder.name == NAME]


def test_module_imported_before_is_served_at_once(module):
    found = importlib.import_module(NAME)
    seen = []
    after_import(NAME, seen.append)
    assert seen == [found]
    assert waiting() == []


def test_module_imported_later_is_served_once_when_it_is_complete(module):
    seen = []
    after_import(NAME, lambda found: seen.append((found, found.Thing)))
    assert NAME not in sys.modules
    assert len(waiting()) == 1
    found = importlib.import_module(NAME)
    assert seen == [(found, found.Thing)]
    importlib.import_module(NAME)
    assert len(seen) == 1


def test_nothing_stays_behind(module):
    after_import(NAME, id)
    found = importlib.import_module(NAME)
    assert waiting() == []
    assert type(found.__loader__) is type(found.__spec__.loader) is SourceFileLoader
    assert 'class Thing' in inspect.getsource(found.Thing)
    assert type(pickle.loads(pickle.dumps(found.Thing()))) is found.Thing
    assert importlib.reload(found) is found


def test_waiting_twice_keeps_the_last_action(module):
    seen = []
    after_import(NAME, lambda found: seen.append('first'))
    after_import(NAME, lambda found: seen.append('second'))
    importlib.import_module(NAME)
    assert seen == ['second']


def test_failed_import_may_be_tried_again(module):
    seen = []
    after_import(NAME, seen.append)
    broken = module.with_name(f'{module.name}.broken')
    broken.touch()
    with pytest.raises(ZeroDivisionError):
        importlib.import_module(NAME)
    assert seen == []
    broken.unlink()
    found = importlib.import_module(NAME)
    assert seen == [found]
    assert waiting() == []


def test_looking_for_the_module_does_not_use_the_action_up(module):
    seen = []
    after_import(NAME, seen.append)
    spec = importlib.util.find_spec(NAME)
    assert spec.origin == str(module)
    assert 'class Thing' in spec.loader.get_source(NAME)
    assert seen == []
    importlib.import_module(NAME)
    assert len(seen) == 1


def test_missing_module_stays_missing(module):
    after_import('no_such_module_anywhere', id)
    with pytest.raises(ModuleNotFoundError, match='no_such_module_anywhere'):
        importlib.import_module('no_such_module_anywhere')


TABLE = "import mmengine.config.utils as t; assert t.MODULE2PACKAGE['mmcount'] == 'mmcount'"


@pytest.mark.parametrize(
    'code',
    [
        f'import mmcount, sys; assert "mmengine" not in sys.modules and "torch" not in sys.modules; {TABLE}',
        f'import mmengine.config, mmcount; {TABLE}',
        f'import mmcount, mmengine.registry, importlib; importlib.reload(mmcount); {TABLE}',
        f'import mmcount, importlib; importlib.reload(mmcount); {TABLE}',
        f'import mmcount.registry; {TABLE}',
        # Where the name is needed, in the order of a user's script.
        """
        import mmcount
        from mmengine.config import Config
        from mmengine.config.utils import _get_package_and_cfg_path
        assert _get_package_and_cfg_path('mmcount::ilc/some.py') == ('mmcount', 'ilc/some.py')
        """,
    ],
)
def test_mmengine_knows_mmcount_in_any_order_of_imports(code):
    left = "import sys; assert not [f for f in sys.meta_path if type(f).__module__ == 'mmcount.utils.post_import']"
    done = subprocess.run(
        [sys.executable, '-c', f'{textwrap.dedent(code)}\n{left}'], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
