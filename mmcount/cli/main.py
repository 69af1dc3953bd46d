"""Entry point of the command ``mmcount``."""

from typing import Annotated

import typer

from mmcount.version import __version__

from .count import count_images
from .test import run_tests
from .train import train_counter
from .zoo import zoo_app

app = typer.Typer(
    name='mmcount',
    help='Count the objects in images, and say where they are.',
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={'help_option_names': ['-h', '--help']},
    epilog='Exit codes: 0 done, 1 some images failed, 2 wrong use.',
)
app.command('count')(count_images)
app.command('train')(train_counter)
app.command('test')(run_tests)
app.add_typer(zoo_app, name='zoo')


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f'mmcount {__version__}')
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option('--version', callback=_print_version, is_eager=True, help='Print the version and exit.')
    ] = False,
) -> None:
    """Options before the name of a command."""


def main() -> None:
    """Run the command."""
    app(prog_name='mmcount')
