"""Compiled operators of counting: peaks, peak stimulation, connected components, point matching, precision of boxes.

Every op has a Python reference that runs anywhere and, where a library was built, a compiled CPU or CUDA kernel under
the same ``torch.ops.mmcount`` name. Importing never compiles.
"""

from ._backend import is_compiled, load_extensions
from .average_precision import PrecisionGrid, average_precision_grid
from .find_components import Components, find_components
from .find_peaks import find_peaks
from .match_points import match_points
from .peak_stimulation import PeakStimulation, peak_stimulation, topk_peak_mask

load_extensions()

__all__ = [
    'Components',
    'PeakStimulation',
    'PrecisionGrid',
    'average_precision_grid',
    'find_components',
    'find_peaks',
    'is_compiled',
    'match_points',
    'peak_stimulation',
    'topk_peak_mask',
]
