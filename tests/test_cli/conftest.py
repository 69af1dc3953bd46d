"""Runs the command in this process; shares the tiny counter of the APIs."""

import importlib.util
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mmcount.cli.main import app

_apis = Path(__file__).resolve().parents[1] / 'test_apis' / 'conftest.py'
_spec = importlib.util.spec_from_file_location('apis_conftest', _apis)
_module = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_module)
counter_files, photos = _module.counter_files, _module.photos


@pytest.fixture
def run():
    """Call the command; gives exit code, standard output and standard error."""

    def call(*arguments):
        return CliRunner().invoke(app, [str(one) for one in arguments])

    return call
