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
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, TypeError, ValueError) as error:
        fail(str(error))


@contextmanager
def wrong_data() -> Iterator[None]:
    """Tell a file that is missing or wrong in one line and exit with 2; other errors keep their trace."""
    from mmcount.utils.errors import AnnotationError
    from mmcount.utils.safe_load import CheckpointError
    from mmcount.zoo import ModelFileError

    try:
        yield
    except (FileNotFoundError, AnnotationError, CheckpointError, ModelFileError) as error:
        fail(str(error))


def fail(message: str) -> None:
    """Print an error and exit with 2."""
    typer.secho(f'Error: {message}', err=True, fg='red')
    raise typer.Exit(WRONG_USE)
