import subprocess
import sys

import pytest
from mmengine.config.utils import MODULE2PACKAGE

import mmcount
from mmcount.utils import setup_env


def test_mmengine_knows_the_package_behind_the_scope():
    assert MODULE2PACKAGE['mmcount'] == 'mmcount'


def test_unknown_attribute_names_the_module():
    with pytest.raises(AttributeError, match=r"'mmcount' has no attribute 'no_such_name'"):
        _ = mmcount.no_such_name


def test_lazy_names_are_listed():
    assert {'CountInferencer', '__version__'} <= set(dir(mmcount))


def test_registration_imports_every_package_and_sets_the_scope_only_when_asked():
    code = (
        'import sys\n'
        'from mmengine.registry import DefaultScope\n'
        'from mmcount.utils import register_all_modules\n'
        'from mmcount.utils.setup_env import REGISTERING_PACKAGES\n'
        'register_all_modules(init_default_scope=False)\n'
        "missing = [p for p in REGISTERING_PACKAGES if f'mmcount.{p}' not in sys.modules]\n"
        'assert not missing, missing\n'
        'assert DefaultScope.get_current_instance() is None\n'
        'register_all_modules()\n'
        "assert DefaultScope.get_current_instance().scope_name == 'mmcount'\n"
        'register_all_modules()\n'
        "DefaultScope.get_instance('other', scope_name='mmdet')\n"
        'import warnings\n'
        'with warnings.catch_warnings(record=True) as caught:\n'
        "    warnings.simplefilter('always')\n"
        '    register_all_modules()\n'
        "assert any('mmdet' in str(w.message) for w in caught), caught\n"
        "assert DefaultScope.get_current_instance().scope_name == 'mmcount'\n"
    )
    done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_every_registering_package_exists():
    from importlib.util import find_spec

    assert all(find_spec(f'mmcount.{package}') for package in setup_env.REGISTERING_PACKAGES)
