"""Imports without the remarks that packages of the stack print on the way."""

import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout

__all__ = ['quiet_imports']


@contextmanager
def quiet_imports() -> Iterator[None]:
    """Keep what packages print and warn about while they are imported off the screen; ``python -W`` shows warnings."""
    with open(os.devnull, 'w', encoding='utf-8') as nowhere, redirect_stdout(nowhere), warnings.catch_warnings():
        if not sys.warnoptions:
            warnings.simplefilter('ignore')
        yield
