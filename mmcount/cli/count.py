"""``mmcount count``."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from mmcount.utils.quiet import quiet_imports

from .shared import INTERRUPTED, fail, wrong_use

if TYPE_CHECKING:
    from mmcount.apis.count_run import CountRun

FILES, MODEL, HOW = 'Results', 'Model', 'Counting'


def count_images(
    inputs: Annotated[list[str], typer.Argument(help='Images, folders with their sub-folders, or globs.')],
    model: Annotated[
        str | None,
        typer.Option(
            '--model',
            '-m',
            help='Name of a model that comes along (mmcount zoo list), or file of a config or of weights.',
            rich_help_panel=MODEL,
        ),
    ] = None,
    weights: Annotated[
        str | None, typer.Option(help='Checkpoint of a model that is named by its config.', rich_help_panel=MODEL)
    ] = None,
    scope: Annotated[
        str, typer.Option(help='Package whose names of configs --model may be, e.g. mmdet.', rich_help_panel=MODEL)
    ] = 'mmcount',
    trust_checkpoint: Annotated[
        bool,
        typer.Option(
            '--trust-checkpoint',
            help='Unpickle any object in the checkpoint, which runs code of the file.',
            rich_help_panel=MODEL,
        ),
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option('--out', '-o', help='CSV with a row for every image and class.', rich_help_panel=FILES),
    ] = None,
    objects: Annotated[
        Path | None, typer.Option(help='CSV with a row for every object.', rich_help_panel=FILES)
    ] = None,
    overlay: Annotated[
        Path | None,
        typer.Option(help='Folder that gets a picture of every image.', rich_help_panel=FILES),
    ] = None,
    json: Annotated[Path | None, typer.Option(help='JSON list of the results.', rich_help_panel=FILES)] = None,
    coco: Annotated[
        Path | None, typer.Option(help='JSON of images and objects in the layout of COCO.', rich_help_panel=FILES)
    ] = None,
    resume: Annotated[
        bool,
        typer.Option('--resume', help='Continue an interrupted --out; other options as before.', rich_help_panel=FILES),
    ] = False,
    calibrated: Annotated[
        bool,
        typer.Option('--calibrated', help='Count with the line fitted on labelled images.', rich_help_panel=HOW),
    ] = False,
    fit: Annotated[
        Path | None,
        typer.Option(
            help='Table image,count (or points image,x,y) of a few labelled images: fits a line, saves it with --save, '
            'and counts with it.',
            rich_help_panel=HOW,
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(help='File of the model with the line of --fit, .safetensors or .pth.', rich_help_panel=HOW),
    ] = None,
    fine_tune: Annotated[
        int,
        typer.Option(
            help='Steps of training on every other image of --fit (points, at least 6 images); 60 are a short one.',
            rich_help_panel=HOW,
        ),
    ] = 0,
    score_thr: Annotated[
        float, typer.Option(help="Lowest score of a detector's box that counts.", rich_help_panel=HOW)
    ] = 0.3,
    scale: Annotated[
        float | None,
        typer.Option(help='Resize images by this before counting, for another magnification.', rich_help_panel=HOW),
    ] = None,
    object_size: Annotated[
        float | None,
        typer.Option(
            help='Diameter of your objects in pixels: sets --scale from what the model was trained on.',
            rich_help_panel=HOW,
        ),
    ] = None,
    tile: Annotated[
        str | None,
        typer.Option(
            help='Pixels that the network sees at once: auto, a side, or HEIGHTxWIDTH. The counts stay the same.',
            rich_help_panel=HOW,
        ),
    ] = None,
    precision: Annotated[
        Literal['fp32', 'bf16'],
        typer.Option(help='bf16 is faster and changes the counts a little.', rich_help_panel=HOW),
    ] = 'fp32',
    batch_size: Annotated[int, typer.Option(help='Images of one size that run together.', rich_help_panel=HOW)] = 1,
    device: Annotated[
        str | None, typer.Option(help='cpu, cuda, cuda:1 ...; CUDA if there is one.', rich_help_panel=HOW)
    ] = None,
    quiet: Annotated[bool, typer.Option('--quiet', '-q', help='Print nothing but failures.')] = False,
) -> None:
    """Count the objects in images.

    Prints one line per image; files of results appear when they are complete. Example:

    mmcount count photos/ --model cells --out counts.csv --overlay out/
    """
    if model is None and weights is None:
        fail('name a --model: one that comes along (mmcount zoo list), or the file of a config or of weights')
    with quiet_imports():
        from mmcount.apis import CountInferencer, CountOptions, list_inputs
        from mmcount.apis.count_run import run_counts
        from mmcount.apis.fit import fit_counts, save_fitted
        from mmcount.apis.options import parse_tile
        from mmcount.utils.atomic import check_writable
    with wrong_use():
        # Wrong options, inputs and outputs are told before the model is loaded.
        if (fit is None) != (save is None):
            raise ValueError('--fit and --save belong together: the fitted model needs a file')
        if fine_tune and fit is None:
            raise ValueError('--fine-tune needs --fit: the images to train on')
        how: dict[str, Any] = dict(
            batch_size=batch_size,
            score_thr=score_thr,
            scale=scale,
            object_size=object_size,
            tile=None if tile is None else parse_tile(tile),
        )
        files: dict[str, Any] = dict(overlay=overlay, csv=out, objects_csv=objects, json=json, coco=coco, resume=resume)
        CountOptions(**how, **files)
        items = list_inputs(inputs, overlay)
        if save is not None:
            check_writable(save)
        inferencer = CountInferencer(
            model,
            weights,
            device,
            scope,
            show_progress=False,
            precision=precision,
            trust_checkpoint=trust_checkpoint,
        )
        if fit is not None and save is not None:
            fitted = fit_counts(inferencer, fit, [one for one in inputs if Path(one).is_dir()], fine_tune, **how)
            save_fitted(inferencer, save, fitted)
            calibrated = True
            if not quiet:
                typer.echo(f'{fitted.summary()}\nmodel: {save}')
        run, results = run_counts(inferencer, items, calibrated=calibrated, **files, **how)
    try:
        _follow(run, results, quiet)
    except KeyboardInterrupt:
        results.close()
        hint = f'; go on with the same options and --resume: {out}.partial' if out is not None else ''
        typer.echo(f'\nInterrupted after {run.counted + len(run.failed)} of {run.images} images{hint}', err=True)
        raise typer.Exit(INTERRUPTED) from None
    written = {'counts': out, 'objects': objects, 'overlays': overlay, 'JSON': json, 'COCO': coco}
    if not quiet:
        for line in run.summary():
            typer.echo(line)
        for kind, path in written.items():
            if path is not None:
                typer.echo(f'{kind}: {path}')
    elif run.failed:
        typer.echo(run.summary()[1], err=True)
    raise typer.Exit(run.exit_code)


def _follow(run: 'CountRun', results: Any, quiet: bool) -> None:
    """Take every result; print its line, and show progress on a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    errors = Console(stderr=True)
    columns = TextColumn('Counting'), BarColumn(), MofNCompleteColumn(), TextColumn('{task.fields[speed]}')
    shown = Progress(
        *columns,
        TimeRemainingColumn(),
        console=errors,
        transient=True,
        # Lines for a terminal go above the bar; those for a file or a pipe go there.
        redirect_stdout=sys.stdout.isatty(),
        disable=quiet or not errors.is_terminal,
    )
    with shown:
        task = shown.add_task('', total=run.images, speed='')
        for result in results:
            if not quiet:
                print(f'{result.image}: {result.summary()}', flush=True)
            shown.update(task, completed=run.counted + len(run.failed), speed=run.speed)
