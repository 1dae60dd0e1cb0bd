"""A measure over the values of a setting, a line a data set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure

from sbirctl.report import style


def draw_sweep(
    key: str, values: Sequence[float], lines: Mapping[str, Sequence[float]], metric: str
) -> Figure:
    """The curves.

    Args:
        key: the setting's name. values: along the x-axis.
        lines: {label: figures, fractions of 1, one a value}.
        metric: what they measure.
    """
    with style.style():
        height = 2.1 + 0.15 * sum(len(style.legend_lines(label, style.COLUMN)) for label in lines)
        figure = Figure(figsize=(style.COLUMN, height), layout="constrained")
        axes = figure.add_subplot()
        for colour, (label, figures) in zip(style.palette(len(lines)), lines.items(), strict=True):
            axes.plot(values, figures, marker="o", markersize=3, color=colour, label=label)
        axes.set_xlabel(key)
        axes.set_ylabel(metric)
        axes.grid(color="#EEEEEE", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
        style.legend_below(figure, axes.get_lines())
    return figure
