"""Count the functions of this package between a points file and a loss, and between a head's output and a metric.

A recipe for users' points is built on a few generated images, and ``sys.setprofile`` lists what runs:

* ``file to loss``: from building the data set that reads the table of points to the losses of one training batch;
* ``output to compute``: from the return of the head's ``forward`` to the call of the metric's ``compute``, with one
  test image, without the steps of a codec inside of its ``decode``;
* ``sample to metrics``: from the sample with its prediction to the metrics, everything inside of ``compute`` too;
* ``direct path``: of ``output to compute``, the public functions that hand on the result itself, i.e. return maps,
  predictions, samples or records, or lists of them; and the metric's own that take it.

The metric is the first of the config. Functions count once, whatever the number of their calls. Those of PyTorch and
OpenMMLab do not count, nor do properties, comprehensions and lambdas, which some versions of Python run inline.

    python benchmarks/walk.py --list --out benchmarks/results/walk.csv
"""

import argparse
import csv
import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import BaseMetric, Evaluator
from mmengine.registry import init_default_scope
from mmengine.runner import Runner

import mmcount
from mmcount.registry import MODELS
from mmcount.structures import CountDataSample

PACKAGE = Path(mmcount.__file__).parent
CONFIG = PACKAGE.parent / 'configs' / 'countception' / 'count-ception_cpu-30min_points-csv.py'
FIELDS = ['commit', 'leg', 'functions', 'files', 'calls']


class Call(NamedTuple):
    """One call of a function of this package: its code, its depth among these, and whether it hands the result on."""

    code: CodeType
    depth: int
    hands_on: bool

    @property
    def name(self) -> str:
        """Path and qualified name of the function."""
        function = getattr(self.code, 'co_qualname', self.code.co_name)
        return f'{Path(self.code.co_filename).relative_to(PACKAGE)} {function}'


def is_ours(code: CodeType) -> bool:
    """Whether code is a named function of this package."""
    return code.co_filename.startswith(f'{PACKAGE}{os.sep}') and not code.co_name.startswith('<')


def is_property(frame: FrameType) -> bool:
    """Whether a frame reads or writes a property of its first argument."""
    code = frame.f_code
    owner = frame.f_locals.get(code.co_varnames[0]) if code.co_argcount else None
    attributes = (one for base in type(owner).__mro__ for one in vars(base).values() if isinstance(one, property))
    return any(getattr(function, '__code__', None) is code for one in attributes for function in (one.fget, one.fset))


class Recorder:
    """The calls of this package within a ``with`` block.

    Args:
        is_result: Of an argument or a returned value, whether it is the result that is handed on.
    """

    def __init__(self, is_result: Callable[[Any], bool] = lambda value: False) -> None:
        self.calls: list[Call] = []
        self._is_result = is_result
        self._open: dict[FrameType, tuple[int, bool]] = {}

    @contextmanager
    def record(self) -> Iterator[None]:
        """Record within a ``with`` block."""
        sys.setprofile(self._event)
        try:
            yield
        finally:
            sys.setprofile(None)

    def _event(self, frame: FrameType, event: str, value: Any) -> None:
        code = frame.f_code
        if not is_ours(code):
            return
        if event == 'call':
            if frame in self._open or is_property(frame):  # an open one is a generator that goes on
                return
            names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
            given = any(self._is_result(frame.f_locals[name]) for name in names if name in frame.f_locals)
            self._open[frame] = len(self.calls), given
            self.calls.append(Call(code, self._depth(frame), False))
        elif event == 'return' and frame in self._open and not code.co_flags & inspect.CO_GENERATOR:
            index, given = self._open.pop(frame)
            owner = frame.f_locals.get('self')
            hands_on = self._is_result(value) or (given and isinstance(owner, BaseMetric))
            self.calls[index] = self.calls[index]._replace(hands_on=hands_on)

    @staticmethod
    def _depth(frame: FrameType) -> int:
        depth, caller = 0, frame.f_back
        while caller is not None:
            depth, caller = depth + is_ours(caller.f_code), caller.f_back
        return depth


def write_images(folder: Path, number: int = 10) -> None:
    """Write dark images of five bright dots and their table ``points.csv``."""
    (folder / 'images').mkdir()
    generator = np.random.default_rng(0)
    lines = ['image,x,y']
    for index in range(number):
        image = np.zeros((96, 128, 3), dtype=np.uint8)
        for x, y in generator.integers(8, 88, (5, 2)).tolist():
            cv2.circle(image, (x, y), 4, (255, 255, 255), -1)
            lines.append(f'{index}.png,{x},{y}')
        cv2.imwrite(str(folder / 'images' / f'{index}.png'), image)
    (folder / 'points.csv').write_text('\n'.join(lines) + '\n')


def replaced(node: Any, values: Mapping[str, Any]) -> None:
    """Set every value of these keys in a config."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key in values:
                node[key] = values[key]
            else:
                replaced(value, values)
    elif isinstance(node, (list, tuple)):
        for value in node:
            replaced(value, values)


def data_to_loss(cfg: Config, model: Any) -> list[Call]:
    """The calls from the table of points to the losses of a batch."""
    recorder = Recorder()
    with recorder.record():
        batch = next(iter(Runner.build_dataloader(cfg.train_dataloader)))
        model(**model.data_preprocessor(batch, True), mode='loss')
    return recorder.calls


def is_result(value: Any) -> bool:
    """Whether a value is the result in one of its forms: maps, a prediction, a sample or a record."""
    if isinstance(value, (list, tuple)):
        return bool(value) and all(map(is_result, value))
    if isinstance(value, Mapping):
        return 'img_id' in value or 'true' in value
    return isinstance(value, CountDataSample) or (
        (isinstance(value, torch.Tensor) and value.ndim >= 3) or type(value).__name__ == 'CountPrediction'
    )


def input_to_metrics(cfg: Config, model: Any) -> dict[str, list[Call]]:
    """The calls of the legs from the network to the metrics, with one image."""
    loader = Runner.build_dataloader(cfg.val_dataloader)
    batch = model.data_preprocessor(next(iter(loader)), False)
    evaluators = cfg.val_evaluator
    evaluator = Evaluator(evaluators[0] if isinstance(evaluators, list) else evaluators)
    evaluator.dataset_meta = loader.dataset.metainfo
    recorder = Recorder(is_result)
    with torch.no_grad(), recorder.record():
        samples = model(**batch, mode='predict')
        evaluator.process(samples)
        evaluator.evaluate(1)
    calls = recorder.calls
    metric = type(evaluator.metrics[0])
    compute = getattr(metric, 'compute', metric.compute_metrics).__code__

    def first(code: CodeType) -> int:
        return next(index for index, call in enumerate(calls) if call.code is code)

    head, process, end = first(type(model.head).forward.__code__), first(metric.process.__code__), first(compute) + 1
    inside = next(index for index in range(head + 1, len(calls)) if calls[index].depth <= calls[head].depth)
    outer, decoding = [], None
    for call in calls[inside:end]:
        if decoding is not None and call.depth > decoding:
            continue
        decoding = call.depth if call.code is type(model.head.codec).decode.__code__ else None
        outer.append(call)
    direct = [call for call in outer if call.hands_on and not call.code.co_name.startswith('_')]
    return {'output to compute': outer, 'sample to metrics': calls[process:], 'direct path': direct}


def row(leg: str, calls: list[Call], commit: str) -> dict[str, Any]:
    """The figures of a leg."""
    codes = {call.code for call in calls}
    files = {code.co_filename for code in codes}
    return dict(zip(FIELDS, (commit, leg, len(codes), len(files), len(calls)), strict=True))


def print_calls(leg: str, calls: list[Call]) -> None:
    """List each function once, indented by its depth."""
    print(f'\n{leg}')
    for code in dict.fromkeys(call.code for call in calls):
        call = next(call for call in calls if call.code is code)
        print(f'{"  " * call.depth}{"*" if call.hands_on else " "} {call.name}')


def main() -> None:
    """Count, print and add the figures to the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--list', action='store_true', help='list the functions; * marks those that hand the result on')
    parser.add_argument('--out', type=Path, help='CSV file that the figures are added to')
    args = parser.parse_args()
    describe = subprocess.run(['git', 'describe', '--always', '--dirty'], cwd=PACKAGE, capture_output=True, text=True)
    commit = describe.stdout.strip() or mmcount.__version__
    init_default_scope('mmcount')
    with tempfile.TemporaryDirectory() as folder:
        write_images(Path(folder))
        cfg = Config.fromfile(CONFIG)
        replaced(cfg._cfg_dict, {'data_root': f'{folder}/', 'num_workers': 0, 'persistent_workers': False})
        model = MODELS.build(cfg.model)
        data_to_loss(cfg, model)  # imports what is imported once
        loss = data_to_loss(cfg, model)
        legs = {'file to loss': loss, **input_to_metrics(cfg, model.eval())}
    rows = [row(leg, calls, commit) for leg, calls in legs.items()]
    for leg, calls in legs.items():
        if args.list:
            print_calls(leg, calls)
    print(f'\n{"leg":20} {"functions":>9} {"files":>5} {"calls":>5}')
    for one in rows:
        print(f'{one["leg"]:20} {one["functions"]:>9} {one["files"]:>5} {one["calls"]:>5}')
    if args.out is not None:
        new = not args.out.exists()
        with args.out.open('a', newline='') as stream:
            writer = csv.DictWriter(stream, FIELDS, lineterminator='\n')
            if new:
                writer.writeheader()
            writer.writerows(rows)


if __name__ == '__main__':
    main()
