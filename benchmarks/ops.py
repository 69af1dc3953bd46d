"""Time the ops of ``mmcount.ops`` against other ways to get the same result.

All contenders of a case run in one process and take turns, so that a busy machine slows them alike. ``cpu_ms`` is the
median process time of one call (all threads added up) and is what to read on a busy machine; ``wall_ms`` is the
median wall time. ``cpu_ratio`` is a peer's time over that of the op: above 1 the op is faster.

    python benchmarks/ops.py --group peaks --rounds 15 --out benchmarks/results/ops.csv
"""

import argparse
import csv
import importlib
import importlib.util
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

GROUPS = ('peaks', 'components', 'matching')
FIELDS = ['case', 'contender', 'cpu_ms', 'wall_ms', 'cpu_ratio', 'wall_ratio', 'threads', 'rounds']


class Case(NamedTuple):
    """One input and its contenders.

    Attributes:
        name: Shape and setting, as printed.
        op: The op of this package.
        peers: Other ways by name.
        target: Required ratio of the best peer's time, or of the named peers', to the op's.
        check: Raises unless the peers that should give the very same result do; called before timing.
    """

    name: str
    op: Callable[[], object]
    peers: dict[str, Callable[[], object]]
    target: dict[str, float]
    check: Callable[[], None] = lambda: None


def measure(calls: Iterable[Callable[[], object]], rounds: int, budget_s: float = 20.0) -> list[tuple[float, float]]:
    """Median (process ms, wall ms) of each call; a slow one stops taking its turn when its budget is spent."""
    calls = list(calls)
    times: list[list[tuple[float, float]]] = [[] for _ in calls]
    for call in calls:
        call()
    for _ in range(rounds):
        for call, mine in zip(calls, times, strict=True):
            if len(mine) >= 3 and sum(wall for _, wall in mine) > budget_s * 1e3:
                continue
            cpu, wall = time.process_time_ns(), time.perf_counter_ns()
            call()
            mine.append(((time.process_time_ns() - cpu) / 1e6, (time.perf_counter_ns() - wall) / 1e6))
    return [(statistics.median(cpu for cpu, _ in mine), statistics.median(wall for _, wall in mine)) for mine in times]


def rows_of(case: Case, rounds: int, threads: int) -> Iterator[dict[str, object]]:
    """Measure one case: the op's row, then one row per peer."""
    results = measure([case.op, *case.peers.values()], rounds)
    own_cpu, own_wall = results[0]
    for name, (cpu, wall) in zip(('mmcount', *case.peers), results, strict=True):
        yield {
            'case': case.name,
            'contender': name,
            'cpu_ms': f'{cpu:.3f}',
            'wall_ms': f'{wall:.3f}',
            'cpu_ratio': f'{cpu / own_cpu:.2f}',
            'wall_ratio': f'{wall / own_wall:.2f}',
            'threads': threads,
            'rounds': rounds,
        }


def verdicts(case: Case, rows: list[dict[str, object]]) -> list[str]:
    """One line per target: met or missed, and by what."""
    ratios = {str(row['contender']): float(str(row['cpu_ratio'])) for row in rows[1:]}
    lines = []
    for peer, wanted in case.target.items():
        name = min(ratios, key=lambda key: ratios[key]) if peer == 'best' else peer
        state = 'met' if ratios[name] >= wanted else 'MISSED'
        lines.append(f'  target {wanted:g}x {peer} ({name}): {ratios[name]:.1f}x {state}')
    return lines


def cases_of(group: str, pattern: str) -> Iterator[Case]:
    """Cases of ``ops_<group>.py`` next to this file, if it is there."""
    sys.path.insert(0, str(Path(__file__).parent))
    if importlib.util.find_spec(f'ops_{group}') is None:
        return
    for case in importlib.import_module(f'ops_{group}').cases():
        if pattern in case.name:
            yield case


def main() -> None:
    """Run the chosen groups, print a table and write it as CSV."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--group', choices=GROUPS, nargs='*', default=GROUPS)
    parser.add_argument('--case', default='', help='run only cases whose name contains this')
    parser.add_argument('--rounds', type=int, default=15)
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    os.environ['OMP_NUM_THREADS'] = str(args.threads)

    import cv2
    import torch

    from mmcount.ops import is_compiled

    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    load = os.getloadavg()[0]
    print(f'{platform.processor() or platform.machine()}, torch {torch.__version__}, compiled: {is_compiled("cpu")}')
    print(f'{args.threads} thread(s), load average {load:.1f} at the start')
    rows: list[dict[str, object]] = []
    for group in args.group:
        for case in cases_of(group, args.case):
            case.check()
            mine = list(rows_of(case, args.rounds, args.threads))
            rows += mine
            print(case.name)
            for row in mine:
                times = f'{row["cpu_ms"]:>10} ms cpu {row["wall_ms"]:>10} ms {row["cpu_ratio"]:>8}x'
                print(f'  {row["contender"]:28} {times}')
            print('\n'.join(verdicts(case, mine)), flush=True)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        with args.out.open('w', newline='') as file:
            writer = csv.DictWriter(file, FIELDS)
            writer.writeheader()
            writer.writerows(rows)


if __name__ == '__main__':
    main()
