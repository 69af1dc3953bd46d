"""Count in pictures: the inferencer, its results and its files; the benchmark of counters."""

from .benchmark import BenchmarkOptions, Contender, benchmark_counters
from .inferencer import CountInferencer, CountOptions
from .inputs import ImageInput, list_inputs
from .results import CountResult, result_from_sample, round_count
from .writers import COUNT_COLUMNS, OBJECT_COLUMNS, CountsCsv

__all__ = [
    'COUNT_COLUMNS',
    'OBJECT_COLUMNS',
    'BenchmarkOptions',
    'Contender',
    'CountInferencer',
    'CountOptions',
    'CountResult',
    'CountsCsv',
    'ImageInput',
    'benchmark_counters',
    'list_inputs',
    'result_from_sample',
    'round_count',
]
