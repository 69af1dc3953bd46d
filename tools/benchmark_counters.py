"""Compare counters and detectors on one data set: AP, AP_lc, MAE, parameters, FLOPs and images/s.

Usage: ``python tools/benchmark_counters.py [NAME=]CONFIG[@CHECKPOINT] ... --out-dir work_dirs/benchmark [--train]``

Writes table.md, table.csv and table.png. Run it again to add rows or after an interruption: finished rows are kept.
FLOPs are multiply-adds of the first test image, images/s exclude loading. Exit status: 0 where every row was
measured, 1 where one failed, 2 where an argument is wrong.
"""

import argparse
import sys
from pathlib import Path

from mmcount.apis.benchmark import BenchmarkOptions, Contender, benchmark_counters
from mmcount.engine.option_action import OptionAction


def parse_args() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('rows', nargs='+', metavar='[NAME=]CONFIG[@CHECKPOINT]', help='a row of the table')
    parser.add_argument('--out-dir', required=True, help='folder of the tables, and of a folder for each row')
    parser.add_argument('--train', action='store_true', help='train the rows that name no checkpoint')
    parser.add_argument(
        '--columns', nargs='+', default=[], metavar='KEY', help='further metrics by key, e.g. locount/AP_lc_MN'
    )
    parser.add_argument('--same-process', action='store_true', help='run all rows in this process')
    parser.add_argument('--cfg-options', nargs='+', action=OptionAction, help='override values of every config')
    return parser.parse_args()


def main() -> int:
    """Run and print the table; the exit status."""
    args = parse_args()
    options = BenchmarkOptions(args.out_dir, args.train, args.cfg_options, tuple(args.columns))
    try:
        contenders = [Contender.parse(one) for one in args.rows]
        rows = benchmark_counters(contenders, options, isolate=not args.same_process)
    except (FileNotFoundError, ValueError) as error:
        print(f'ERROR: {error}', file=sys.stderr)
        return 2
    print((Path(args.out_dir) / 'table.md').read_text(encoding='utf-8'), end='')
    return int(any('error' in row for row in rows))


if __name__ == '__main__':
    sys.exit(main())
