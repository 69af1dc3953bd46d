"""Counters of every kind beside detectors on one data set: one row each, as papers have it."""

import hashlib
import json
import logging
import math
import os
import pickle
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.logging import print_log
from mmengine.registry import init_default_scope

from mmcount.engine.checkpoints import use_safe_checkpoints
from mmcount.engine.config import read_config
from mmcount.engine.hooks import ThroughputHook
from mmcount.engine.launch import build_runner
from mmcount.utils import register_all_modules
from mmcount.utils.atomic import write_atomic

from . import model_info
from .benchmark_profile import profile_model
from .benchmark_table import write_tables

Row = dict[str, Any]


@dataclass(frozen=True)
class Contender:
    """One row of the benchmark.

    Attributes:
        name: First cell of the row.
        config: Config file.
        checkpoint: Weights; None where the row is trained first.
    """

    name: str
    config: str
    checkpoint: str | None = None

    @classmethod
    def parse(cls, text: str) -> 'Contender':
        """Read ``[NAME=]CONFIG[@CHECKPOINT]``; the name is that of the config file where none is given.

        Raises:
            ValueError: There is no config, or the name is no name of a folder.

        Example:
            >>> Contender.parse('FCOS=configs/fcos.py@work_dirs/fcos/epoch_12.pth')
            Contender(name='FCOS', config='configs/fcos.py', checkpoint='work_dirs/fcos/epoch_12.pth')
        """
        rest, _, checkpoint = text.partition('@')
        name, equals, config = rest.rpartition('=')
        name = name if equals else Path(config).stem
        if not config or not name or name in ('.', '..') or '/' in name or os.sep in name:
            raise ValueError(f'expected [NAME=]CONFIG[@CHECKPOINT], with a NAME that can name a folder, got {text!r}')
        return cls(name, config, checkpoint or None)


@dataclass(frozen=True)
class BenchmarkOptions:
    """Options of all rows.

    Attributes:
        out_dir: Folder of the tables and of a folder for each row.
        train: Train rows without a checkpoint; an interrupted training goes on.
        cfg_options: Overrides of every config, as ``--cfg-options``.
        columns: Further metrics by their keys, as ``locount/AP_lc_MN``.
        device: For the complexity; None takes the runner's.
    """

    out_dir: str
    train: bool = False
    cfg_options: Mapping[str, Any] | None = None
    columns: tuple[str, ...] = ()
    device: str | None = None


def benchmark_counters(contenders: Sequence[Contender], options: BenchmarkOptions, isolate: bool = True) -> list[Row]:
    """Train and test configs one after the other, and write what they achieve as a table.

    ``table.md``, ``table.csv`` and, where Matplotlib is installed, ``table.png`` are written anew after each row, all
    metrics of a row into ``<name>/row.json``. A row that is done is kept as long as its config, overrides and
    checkpoint are the same; one that failed has an ``error`` and is tried again the next time. To each config's own
    test evaluator is added what it lacks: ``CountMetric``, and ``LocountMetric`` where the model predicts boxes and
    the data set has them. A counter without boxes has no AP.

    Args:
        contenders: The rows.
        options: What holds for all rows.
        isolate: Whether each row runs in a process of its own, whose memory is freed and whose death is that of one
            row only.

    Returns:
        The rows, in their order.

    Raises:
        FileNotFoundError: A config or checkpoint does not exist.
        ValueError: There is no row, two have one name, or one has no checkpoint and is not to be trained.
    """
    _check(contenders, options)
    rows: list[Row] = []
    for number, contender in enumerate(contenders, start=1):
        row = _finished(contender, options)
        print_log(f'[{number}/{len(contenders)}] {contender.name}{": done before" if row else ""}', 'current')
        if row is None:
            row = _in_a_process(contender, options) if isolate else run_row(contender, options)
        rows.append(row)
        write_tables(rows, options.out_dir, options.columns)
    _compare_data_sets(rows)
    return rows


def row_file(contender: Contender, options: BenchmarkOptions) -> Path:
    """Where the numbers of a row are kept."""
    return Path(options.out_dir) / contender.name / 'row.json'


def run_row(contender: Contender, options: BenchmarkOptions) -> Row:
    """Train and test one config in this process; an error becomes part of the row.

    Returns:
        ``name``, ``identity``, ``metrics``, ``params``, ``flops``, ``images_per_s``, ``images``, ``data`` and
        ``checkpoint``; or ``name``, ``identity`` and ``error``. It is written to :func:`row_file` as well.
    """
    path = row_file(contender, options)
    row: Row = {'name': contender.name}
    try:
        row['identity'] = _identity(contender, options)
        row |= _measure(contender, options)
    except Exception as error:
        row['error'] = f'{type(error).__name__}: {error}'.splitlines()[0][:500]
        write_atomic(path.with_name('error.txt'), traceback.format_exc())
        print_log(
            f'{contender.name} failed: {row["error"]} (see {path.with_name("error.txt")})', 'current', logging.ERROR
        )
    write_atomic(path, json.dumps(row, indent=1, sort_keys=True))
    return row


def _check(contenders: Sequence[Contender], options: BenchmarkOptions) -> None:
    if not contenders:
        raise ValueError('no config to run')
    names = [one.name for one in contenders]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f'two rows are called {name!r}: give them names, as NAME=CONFIG')
    for one in contenders:
        for path in (one.config, one.checkpoint):
            if path is not None and '://' not in path and not os.path.isfile(path):
                raise FileNotFoundError(f'{one.name}: {path!r} does not exist')
        if one.checkpoint is None and not options.train:
            raise ValueError(f'{one.name} has no checkpoint: name one, as CONFIG@CHECKPOINT, or train it first')


def _config(contender: Contender, options: BenchmarkOptions) -> Config:
    register_all_modules(init_default_scope=False)
    return read_config(contender.config, options.cfg_options)


def _identity(contender: Contender, options: BenchmarkOptions) -> str:
    """Changes with all that changes the numbers of a row."""
    parts = [_config(contender, options).pretty_text, str(contender.checkpoint), str(options.train)]
    if contender.checkpoint is not None and os.path.isfile(contender.checkpoint):
        state = os.stat(contender.checkpoint)
        parts += [str(state.st_size), str(state.st_mtime_ns)]
    return hashlib.sha256('\n'.join(parts).encode()).hexdigest()


def _finished(contender: Contender, options: BenchmarkOptions) -> Row | None:
    try:
        row: Row = json.loads(row_file(contender, options).read_text(encoding='utf-8'))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    try:
        identity = _identity(contender, options)
    except Exception:  # of a config that cannot be read: running it makes that the error of its row
        return None
    return row if row.get('identity') == identity and 'error' not in row else None


def _in_a_process(contender: Contender, options: BenchmarkOptions) -> Row:
    path = row_file(contender, options)
    path.unlink(missing_ok=True)
    # Not as JSON, which would make lists of the tuples among the overrides.
    task = pickle.dumps((contender, options))
    code = 'import sys; from mmcount.apis.benchmark import _main; _main(sys.stdin.buffer.read())'
    ended = subprocess.run([sys.executable, '-c', code], input=task, check=False)
    if path.is_file():
        row: Row = json.loads(path.read_text(encoding='utf-8'))
        return row
    row = {'name': contender.name, 'error': f'the process ended with status {ended.returncode}'}
    write_atomic(path, json.dumps(row))
    return row


def _main(task: bytes) -> None:
    run_row(*pickle.loads(task))


def _runner_config(contender: Contender, options: BenchmarkOptions, work: str) -> Config:
    cfg = _config(contender, options)
    cfg.launcher = 'none'
    cfg.work_dir = str(Path(options.out_dir) / contender.name)
    # Several runners of one process must not share loggers, and visualizers are shared by their name.
    cfg.experiment_name = f'{contender.name}-{work}-{os.urandom(4).hex()}'
    if cfg.get('visualizer'):
        cfg.visualizer.name = cfg.experiment_name
    return cfg


def _measure(contender: Contender, options: BenchmarkOptions) -> Row:
    use_safe_checkpoints()
    checkpoint = contender.checkpoint
    if checkpoint is None:
        cfg = _runner_config(contender, options, 'train')
        cfg.resume, cfg.load_from = True, None
        build_runner(cfg).train()
        checkpoint = trained_checkpoint(cfg.work_dir)
    cfg = _runner_config(contender, options, 'test')
    cfg.resume, cfg.load_from = False, checkpoint
    init_default_scope(cfg.get('default_scope', 'mmcount'))
    profile = profile_model(cfg, checkpoint, options.device)
    cfg.test_evaluator = complete_evaluators(cfg.test_evaluator, profile.pop('boxes'), profile.pop('counts'))
    runner = build_runner(cfg)
    hook = ThroughputHook()
    runner.register_hook(hook)
    metrics = {key: float(value) for key, value in runner.test().items() if isinstance(value, (int, float))}
    data = {key: value for key, value in model_info.test_dataset(cfg).items() if key not in ('pipeline', 'metainfo')}
    return {
        **profile,
        'metrics': {key: value for key, value in metrics.items() if math.isfinite(value)},
        'images': len(runner.test_dataloader.dataset),
        'images_per_s': hook.images_per_s,
        'checkpoint': str(checkpoint),
        'data': json.loads(json.dumps(data, default=str)),
    }


def trained_checkpoint(work_dir: str | Path) -> str:
    """The best checkpoint of a training by its own validation, or else the last.

    Raises:
        FileNotFoundError: The folder has none.
    """
    folder = Path(work_dir)
    best = sorted(folder.glob('best_*.pth'), key=lambda path: path.stat().st_mtime)
    if best:
        return str(best[-1])
    pointer = folder / 'last_checkpoint'
    if pointer.is_file() and Path(pointer.read_text().strip()).is_file():
        return pointer.read_text().strip()
    found = sorted(folder.glob('*.pth'), key=lambda path: path.stat().st_mtime)
    if not found:
        raise FileNotFoundError(f'the training left no checkpoint in {folder}')
    return str(found[-1])


def complete_evaluators(evaluators: Any, boxes: bool, counts: bool) -> list[dict]:
    """The test evaluators of a config, and those that the table needs.

    Example:
        >>> complete_evaluators(dict(type='mmcount.CountMetric', score_thr=0.5), boxes=True, counts=True)
        [{'type': 'mmcount.CountMetric', 'score_thr': 0.5}, {'type': 'mmcount.LocountMetric'}]
    """
    listed = evaluators if isinstance(evaluators, Sequence) else [evaluators]
    given = [dict(one) for one in listed]
    types = {model_info.type_name(one) for one in given}
    for name, wanted in (('LocountMetric', boxes), ('CountMetric', counts)):
        if wanted and name not in types:
            given.append({'type': f'mmcount.{name}'})
    return given


def _compare_data_sets(rows: Sequence[Row]) -> None:
    """Rows on different images are no comparison; the same images may still be read in different ways."""
    done = [row for row in rows if 'error' not in row]
    for row in done[1:]:
        first = done[0]
        keys = sorted(key for key in {*first['data'], *row['data']} if first['data'].get(key) != row['data'].get(key))
        if keys or row['images'] != first['images']:
            print_log(
                f'{row["name"]} ({row["images"]} images) and {first["name"]} ({first["images"]} images) test on data '
                f'sets whose configs differ in {keys}: make sure that the images are the same',
                'current',
                logging.WARNING,
            )
