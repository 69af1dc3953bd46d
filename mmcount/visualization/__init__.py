"""Pictures of counts."""

from .count_visualizer import CountVisualizer, write_image
from .panels import PanelStyle, count_panels
from .plots import plot_counts, plot_curves, plot_errors_by_count, read_scalars
from .response_maps import response_panels, save_response_maps

__all__ = [
    'CountVisualizer',
    'PanelStyle',
    'count_panels',
    'plot_counts',
    'plot_curves',
    'plot_errors_by_count',
    'read_scalars',
    'response_panels',
    'save_response_maps',
    'write_image',
]
