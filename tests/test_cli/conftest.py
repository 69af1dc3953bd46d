"""Runs the command in this process."""

import pytest
from typer.testing import CliRunner

from mmcount.cli.main import app


@pytest.fixture
def run():
    """Call the command; gives exit code, standard output and standard error."""

    def call(*arguments):
        return CliRunner().invoke(app, [str(one) for one in arguments])

    return call
