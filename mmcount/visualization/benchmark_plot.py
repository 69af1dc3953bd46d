"""A figure that compares several models."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from .plots import save_figure


def plot_comparison(
    names: Sequence[str], panels: Mapping[str, Mapping[str, Sequence[float]]], path: str | Path
) -> bool:
    """Horizontal bars of several models, a panel for each kind of number.

    Args:
        names: M models, from top to bottom.
        panels: Title of each panel to its groups of bars, name to M numbers; NaN where a model has none.
        path: PNG file.

    Returns:
        Whether there was anything to draw; if not, no file is written.
    """
    drawn = {}
    for title, groups in panels.items():
        kept = {name: values for name, values in groups.items() if not all(math.isnan(value) for value in values)}
        if kept:
            drawn[title] = kept
    if not drawn or not names:
        return False
    figure = Figure(figsize=(2.2 + 3.4 * len(drawn), 1.2 + 0.5 * len(names)), dpi=110, layout='constrained')
    for index, (title, groups) in enumerate(drawn.items()):
        axes = figure.add_subplot(1, len(drawn), index + 1)
        height = 0.8 / len(groups)
        for place, (name, values) in enumerate(groups.items()):
            rows = [row + (place - (len(groups) - 1) / 2) * height for row in range(len(names))]
            known = [(row, value) for row, value in zip(rows, values, strict=True) if not math.isnan(value)]
            bars = axes.barh([row for row, _ in known], [value for _, value in known], height * 0.9, label=name)
            axes.bar_label(bars, fmt='%.3g', padding=2, fontsize=8)
        axes.set(title=title, yticks=range(len(names)), ylim=(len(names) - 0.4, -0.6))
        axes.set_yticklabels(names if index == 0 else [''] * len(names))
        axes.margins(x=0.18)
        axes.grid(axis='x', color='0.93')
        axes.set_axisbelow(True)
        if len(groups) > 1:
            axes.legend(frameon=False, fontsize=8)
    save_figure(figure, path)
    return True
