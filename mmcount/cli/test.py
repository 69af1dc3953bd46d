"""``mmcount test``."""

from typing import Annotated, Literal

import typer

from mmcount.utils.quiet import quiet_imports

from .shared import wrong_data, wrong_use
from .train import CONFIG_HELP, OVERRIDES_HELP, TRUST_HELP


def run_tests(
    config: Annotated[str, typer.Argument(help=CONFIG_HELP)],
    checkpoint: Annotated[str, typer.Argument(help='File of weights, or mmcount://NAME of a model that comes along.')],
    overrides: Annotated[list[str] | None, typer.Argument(metavar='KEY=VALUE', help=OVERRIDES_HELP)] = None,
    work_dir: Annotated[str | None, typer.Option(help='Folder of logs.')] = None,
    csv: Annotated[str | None, typer.Option(help='CSV with a row for every image and class.')] = None,
    show_dir: Annotated[str | None, typer.Option(help='Folder that gets a picture of every image.')] = None,
    out: Annotated[str | None, typer.Option(help='Pickle file of all predictions.')] = None,
    precision: Annotated[
        Literal['fp32', 'bf16'] | None,
        typer.Option(help='Prepare the model for fast inference; bf16 changes the counts a little.'),
    ] = None,
    trust_checkpoint: Annotated[bool, typer.Option('--trust-checkpoint', help=TRUST_HELP)] = False,
) -> None:
    """Test a counter on the data set of its config, and print its metrics."""
    with quiet_imports():
        from mmcount.engine.launch import command_config, run_test
    with wrong_use():
        cfg = command_config(config, overrides or [], work_dir)
    with wrong_data():
        run_test(cfg, checkpoint, out, csv, show_dir, precision, trust_checkpoint)
