"""``mmcount train``."""

from typing import Annotated

import typer

from mmcount.utils.quiet import quiet_imports

from .shared import wrong_data, wrong_use

CONFIG_HELP = 'File of a config, or the name of one that comes along.'
OVERRIDES_HELP = 'Values that differ from the config: data_root=my_data optim_wrapper.optimizer.lr=0.001'
TRUST_HELP = 'Unpickle any object in checkpoints, which runs code of the files.'


def train_counter(
    config: Annotated[str, typer.Argument(help=CONFIG_HELP)],
    overrides: Annotated[list[str] | None, typer.Argument(metavar='KEY=VALUE', help=OVERRIDES_HELP)] = None,
    work_dir: Annotated[str | None, typer.Option(help='Folder of logs and checkpoints.')] = None,
    amp: Annotated[bool, typer.Option('--amp', help='Train in mixed precision; bfloat16 on a CPU.')] = False,
    resume: Annotated[bool, typer.Option('--resume', help='Go on from the latest checkpoint of the work dir.')] = False,
    resume_from: Annotated[str | None, typer.Option(help='Go on from this checkpoint.')] = None,
    trust_checkpoint: Annotated[bool, typer.Option('--trust-checkpoint', help=TRUST_HELP)] = False,
) -> None:
    """Train a counter.

    Several GPUs: tools/dist_train.sh of a checkout. Example:

    mmcount train count-ception_cpu-30min_points-csv data_root=my_data ann_file=points.csv
    """
    with quiet_imports():
        from mmcount.engine.launch import command_config, run_training
    with wrong_use():
        cfg = command_config(config, overrides or [], work_dir)
    with wrong_data():
        run_training(cfg, amp, resume_from or ('auto' if resume else None), trust_checkpoint)
