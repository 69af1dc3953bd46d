"""Scripts of the benchmarks can be run: they break with what they import."""

import os
import subprocess
import sys

import pytest

from tests.builders import ROOT

SCRIPTS = sorted(path for path in (ROOT / 'benchmarks').glob('*.py') if "__name__ == '__main__'" in path.read_text())


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.stem)
def test_a_script_imports_and_says_what_it_takes(path):
    environment = {**os.environ, 'PYTHONPATH': str(ROOT)}
    run = subprocess.run([sys.executable, path, '--help'], capture_output=True, text=True, env=environment, check=False)
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith('usage:')
