"""Where the lines of a plot by day lie: points, gaps, and the ticks of both axes.

Belongs here: geometry, as numbers that a template draws as SVG. Does not belong here: what is
plotted, colours, any text but the labels of the axes.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

TICKS = 4
# of a label in the plot's own font, and what is left free around it
LETTER_WIDTH = 6.6
MARGIN = 10
BELOW = 24
LEAST_LABEL_SPACE = 56


@dataclass(frozen=True)
class Line:
    """One series. pieces: what stands between gaps, as the points of SVG. dots: days that stand
    alone between two gaps."""

    name: str
    pieces: list[str]
    dots: list[tuple[float, float]]


@dataclass(frozen=True)
class DayPlot:
    """A plot; the plotted area is left to right, top to bottom. ticks: (position, label)."""

    width: int
    height: int
    left: float
    right: float
    top: float
    bottom: float
    zero: float
    x_ticks: list[tuple[float, str]]
    y_ticks: list[tuple[float, str]]
    lines: list[Line]
    positions: list[float]


def day_plot(
    days: Sequence[date],
    series: Mapping[str, Sequence[float | None]],
    width: int,
    height: int,
) -> DayPlot | None:
    """The plot of one value per day and series; None stands for no value. None without any."""
    values = [value for row in series.values() for value in row if value is not None]
    if not values:
        return None
    steps = ticks_over(min(values), max(values))
    labels = [tick_label(step, steps) for step in steps]
    left = MARGIN + LETTER_WIDTH * max(map(len, labels))
    # the newest day's label is centred under it
    right, top, bottom = width - 2 * MARGIN, MARGIN, height - BELOW

    def across(index: int) -> float:
        return round(left + (right - left) * (index + 0.5) / len(days), 1)

    def up(value: float) -> float:
        share = (value - steps[0]) / (steps[-1] - steps[0])
        return round(bottom - (bottom - top) * share, 1)

    every = max(1, math.ceil(len(days) * LEAST_LABEL_SPACE / (right - left)))
    # a week is what a reader counts in
    every = math.ceil(every / 7) * 7 if every > 3 else every
    return DayPlot(
        width=width,
        height=height,
        left=round(left, 1),
        right=right,
        top=top,
        bottom=bottom,
        zero=up(0),
        # counted from the newest day, which has a label in any case
        x_ticks=[
            (across(i), f"{days[i].day} {days[i]:%b}")
            for i in range(len(days))
            if (len(days) - 1 - i) % every == 0
        ],
        y_ticks=[(up(step), label) for step, label in zip(steps, labels, strict=True)],
        lines=[_line(name, row, across, up) for name, row in series.items()],
        positions=[across(i) for i in range(len(days))],
    )


def _line(
    name: str,
    values: Sequence[float | None],
    across: Callable[[int], float],
    up: Callable[[float], float],
) -> Line:
    pieces: list[list[tuple[float, float]]] = [[]]
    for index, value in enumerate(values):
        if value is None:
            pieces.append([])
        else:
            pieces[-1].append((across(index), up(value)))
    return Line(
        name,
        [" ".join(f"{x:g},{y:g}" for x, y in piece) for piece in pieces if len(piece) > 1],
        [piece[0] for piece in pieces if len(piece) == 1],
    )


def ticks_over(low: float, high: float) -> list[float]:
    """Round numbers at equal distances that hold 0 and both bounds."""
    low, high = min(low, 0.0), max(high, 0.0)
    if low == high:
        high = 1.0
    rough = (high - low) / TICKS
    unit = 10.0 ** math.floor(math.log10(rough))
    step = next(unit * n for n in (1, 2, 5, 10) if unit * n >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [step * n for n in range(first, last + 1)]


def tick_label(value: float, ticks: Sequence[float]) -> str:
    """With as many places as tell the ticks apart, and no more than these need."""
    step = ticks[1] - ticks[0]
    places = 0 if step >= 1 else -math.floor(math.log10(step))
    return f"{value:,.{places}f}".replace("-", "\N{MINUS SIGN}")
