"""``mmcount zoo``."""

from pathlib import Path
from typing import Annotated

import typer

from .shared import wrong_use

zoo_app = typer.Typer(help='Models that come along: list, show, verify.', no_args_is_help=True)


@zoo_app.command('list')
def list_models() -> None:
    """List the models: name, classes, size of the file, and what they count."""
    from rich.console import Console
    from rich.table import Table

    from mmcount.zoo import model_card, model_names, model_path

    table = Table('name', 'classes', 'objects', 'file', 'counts', box=None, pad_edge=False)
    with wrong_use():
        for name in model_names():
            card = model_card(name)
            sizes = '' if card.object_size is None else f'{card.object_size[0]:g} to {card.object_size[1]:g} px'
            file = f'{model_path(name).stat().st_size / 1e6:.1f} MB'
            table.add_row(name, _short(card.classes), sizes, file, card.summary)
    Console().print(table)


def _short(names: tuple[str, ...], most: int = 3) -> str:
    more = f' and {len(names) - most} more' if len(names) > most else ''
    return ', '.join(names[:most]) + more


@zoo_app.command('show')
def show_model(
    model: Annotated[str, typer.Argument(help='Name of a model, or a file of your own.')],
) -> None:
    """Show what is known of a model, with its measured figures."""
    from mmcount.zoo import is_model_name, model_card, model_path, read_card

    with wrong_use():
        own = not is_model_name(model) and Path(model).is_file()
        card = read_card(model) if own else model_card(model)
        file = Path(model) if own else model_path(model)
    size = '' if card.object_size is None else f'{card.object_size[0]:g} to {card.object_size[1]:g} px across'
    facts = {
        'name': card.name,
        'counts': card.summary,
        'classes': ', '.join(card.classes),
        'objects': size,
        'good for': card.good_for,
        'not good for': card.not_good_for,
        'recipe': card.recipe,
        'precision': card.precision,
        'license': card.license,
        'file': f'{file} ({file.stat().st_size / 1e6:.2f} MB)',
    }
    for name, value in facts.items():
        if value:
            typer.echo(f'{name + ":":<14}{value}')
    for figure in card.figures:
        condition = f' ({figure.condition})' if figure.condition else ''
        typer.echo(f'{"figure:":<14}{figure.metric} {figure.value:g} on {figure.data}{condition}')


@zoo_app.command('verify')
def verify_models(
    names: Annotated[list[str] | None, typer.Argument(help='Names of models; all if none is given.')] = None,
) -> None:
    """Compare the files of the models with their checksums."""
    from mmcount.zoo import load, model_names

    with wrong_use():
        for name in names or model_names():
            typer.echo(f'{name}: OK, SHA-256 {load(name).sha256}')
