"""Count in pictures: the inferencer, its results and its files; the benchmark of counters."""

from .benchmark import BenchmarkOptions, Contender, benchmark_counters
from .inferencer import CountInferencer
from .inputs import ImageInput, list_inputs
from .layouts import COUNT_COLUMNS, OBJECT_COLUMNS
from .options import CountOptions
from .result_files import ResultFiles
from .results import CountResult, CountResults, round_count
from .sample_results import result_from_sample

__all__ = [
    'COUNT_COLUMNS',
    'OBJECT_COLUMNS',
    'BenchmarkOptions',
    'Contender',
    'CountInferencer',
    'CountOptions',
    'CountResult',
    'CountResults',
    'ImageInput',
    'ResultFiles',
    'benchmark_counters',
    'list_inputs',
    'result_from_sample',
    'round_count',
]
