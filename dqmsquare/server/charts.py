"""The geometry of what the server draws itself: sparklines, bars, lumisection strips, line charts. No SVG text here."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dqmsquare.documents import LumiRange

SPARK_WIDTH, SPARK_HEIGHT = 116, 32  # halves of pixels: whole numbers are fine enough, and compress well
_SPARK_PADDING = 3  # so that the line's thickness is not cut
_MEMORY_SPAN = 0.05  # of the largest value: noise below it is drawn flat
LUMI_SECONDS = 23.310893056  # s, length of a lumisection (2**18 orbits)


def spark_path(values: Sequence[float], *, from_zero: bool = False) -> str:
    """The `d` of a sparkline of SPARK_WIDTH × SPARK_HEIGHT; "" for fewer than two values.

    `from_zero` puts the baseline at 0; without it the line fills the height unless it hardly changes.
    """
    if len(values) < 2:
        return ""
    low = min(0.0, *values) if from_zero else min(values)
    high = max(values)
    span = max(high - low, abs(high) * _MEMORY_SPAN) or 1.0
    step = SPARK_WIDTH / (len(values) - 1)
    usable = SPARK_HEIGHT - 2 * _SPARK_PADDING
    points = [
        (round(i * step), round(SPARK_HEIGHT - _SPARK_PADDING - usable * (value - low) / span))
        for i, value in enumerate(values)
    ]
    # Steps from point to point are small numbers, much alike from row to row.
    steps = (f"{x - x_before} {y - y_before}" for (x_before, y_before), (x, y) in pairwise(points))
    return f"M0 {points[0][1]}l" + " ".join(steps).replace(" -", "-")


@dataclass(frozen=True, slots=True)
class StripPart:
    """A stretch of a lumisection strip; `x` and `width` in percent of the whole."""

    x: float
    width: float
    grade: str
    label: str


def strip(ranges: Iterable[LumiRange], last_lumi: int | None, *, least_width: float) -> tuple[StripPart, ...]:
    """Lumisections 1 to `last_lumi` from left to right. A single one among many still gets `least_width` percent."""
    if not last_lumi:
        return ()
    return tuple(_strip_part(one, last_lumi, least_width) for one in ranges if 1 <= one.first <= last_lumi)


def _strip_part(one: LumiRange, last_lumi: int, least_width: float) -> StripPart:
    last = min(one.last, last_lumi)
    width = max(100 * (last - one.first + 1) / last_lumi, least_width)
    x = min(100 * (one.first - 1) / last_lumi, 100 - width)
    return StripPart(round(x, 2), round(width, 2), one.grade, f"{lumi_span(one.first, one.last)}: {one.text or 'read'}")


def lumi_span(first: int, last: int) -> str:
    """How a range of lumisections is written.

    >>> lumi_span(97, 98), lumi_span(213, 213)
    ('97–98', '213')
    """
    return str(first) if first == last else f"{first}–{last}"


@dataclass(frozen=True, slots=True)
class Tick:
    """A labelled line of an axis, `at` in px."""

    at: float
    label: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """A line chart of `width` × `height` px; the plot area starts at `left` and ends at `bottom`."""

    width: int
    height: int
    left: int
    bottom: int
    path: str  # static/js/readout.js reads the points out of it again
    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    reference: Tick | None


_WIDTH, _HEIGHT = 560, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 52, 8, 8, 156
_LEFT_OUT_AFTER = 3  # times the usual distance of two points: the line is broken there


def line_chart(
    points: Sequence[tuple[float, float]],
    *,
    x_labels: Sequence[tuple[float, str]],
    reference: tuple[float, str] | None = None,
) -> LineChart | None:
    """`points` (x ascending) as a line above zero; None for fewer than two of them.

    Where points are missing the line has a gap. `reference` is a value to compare with, drawn across with its label.
    """
    if len(points) < 2:
        return None
    x_low, x_high = points[0][0], points[-1][0]
    x_span = (x_high - x_low) or 1.0
    ticks = nice_ticks(max(*(y for _, y in points), reference[0] if reference else 0.0))
    top = ticks[-1] or 1.0

    def to_x(x: float) -> float:
        return round(_LEFT + (_WIDTH - _LEFT - _RIGHT) * (x - x_low) / x_span, 1)

    def to_y(y: float) -> float:
        return round(_BOTTOM - (_BOTTOM - _TOP) * y / top, 1)

    drawn = [(to_x(x), to_y(y)) for x, y in points]
    return LineChart(
        width=_WIDTH,
        height=_HEIGHT,
        left=_LEFT,
        bottom=_BOTTOM,
        path=_broken_path([x for x, _ in points], drawn),
        x_ticks=tuple(Tick(to_x(x), label) for x, label in x_labels if x_low <= x <= x_high),
        y_ticks=tuple(Tick(to_y(value), f"{value:,.10g}") for value in ticks),
        reference=Tick(to_y(reference[0]), reference[1]) if reference else None,
    )


def _broken_path(xs: Sequence[float], drawn: Sequence[tuple[float, float]]) -> str:
    usual = sorted(after - before for before, after in pairwise(xs))[(len(xs) - 1) // 2]
    parts = []
    for i, (x, y) in enumerate(drawn):
        is_start = i == 0 or (usual > 0 and xs[i] - xs[i - 1] > _LEFT_OUT_AFTER * usual)
        parts.append(f"{'M' if is_start else 'L'}{x:g} {y:g}")
    return "".join(parts)


def nice_ticks(highest: float, wanted: int = 4) -> tuple[float, ...]:
    """Round numbers from 0 to at least `highest`, about `wanted` steps.

    >>> nice_ticks(1797), nice_ticks(71), nice_ticks(0)
    ((0.0, 500.0, 1000.0, 1500.0, 2000.0), (0.0, 20.0, 40.0, 60.0, 80.0), (0.0, 1.0))
    """
    if highest <= 0:
        return (0.0, 1.0)
    rough = highest / wanted
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * size for factor in (1, 2, 2.5, 5, 10) if factor * size >= rough * (1 - 1e-9))
    return tuple(round(i * step, 12) for i in range(math.ceil(highest / step - 1e-9) + 1))
