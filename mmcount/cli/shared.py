"""Errors of the user, told in one line."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

#: Exit code of wrong use, click's own for unknown options.
WRONG_USE = 2
#: Exit code after Ctrl-C, as shells have it.
INTERRUPTED = 130


@contextmanager
def wrong_use() -> Iterator[None]:
    """Tell an error of the user's in one line and exit with 2."""
    try:
        yield
    except (OSError, TypeError, ValueError) as error:
        fail(str(error))


@contextmanager
def wrong_data() -> Iterator[None]:
    """Tell a file that is missing or wrong in one line and exit with 2; other errors keep their trace."""
    from mmcount.engine.launch import USER_ERRORS

    try:
        yield
    except USER_ERRORS as error:
        fail(str(error))


def fail(message: str) -> None:
    """Print an error and exit with 2."""
    typer.secho(f'Error: {message}', err=True, fg='red')
    raise typer.Exit(WRONG_USE)
