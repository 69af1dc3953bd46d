"""Importing the package makes MMEngine know it, without importing what is slow."""

import subprocess
import sys
import textwrap

import pytest

TABLE = "import mmengine.config.utils as t; assert t.MODULE2PACKAGE['mmcount'] == 'mmcount'"


@pytest.mark.parametrize(
    'code',
    [
        f'import mmcount, sys; assert not {{"torch", "mmdet", "mmcv"}} & set(sys.modules); {TABLE}',
        f'import mmengine.config, mmcount; {TABLE}',
        f'import mmcount, importlib; importlib.reload(mmcount); {TABLE}',
        f'import mmcount.registry; {TABLE}',
        # A user's script.
        """
        import mmcount
        from mmengine.config.utils import _get_package_and_cfg_path
        assert _get_package_and_cfg_path('mmcount::ilc/some.py') == ('mmcount', 'ilc/some.py')
        """,
    ],
)
def test_mmengine_knows_mmcount_in_any_order_of_imports(code):
    done = subprocess.run([sys.executable, '-c', textwrap.dedent(code)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
