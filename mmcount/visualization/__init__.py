"""Pictures of counts."""

from .count_visualizer import CountVisualizer, write_image
from .panels import PanelStyle, count_panels
from .plots import plot_counts, plot_curves, read_scalars

__all__ = [
    'CountVisualizer',
    'PanelStyle',
    'count_panels',
    'plot_counts',
    'plot_curves',
    'read_scalars',
    'write_image',
]
