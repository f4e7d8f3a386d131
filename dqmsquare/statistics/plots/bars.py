"""Bars of counts: how the jobs of each client ended, good and bad runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dqmsquare.statistics.numbers import Record
from dqmsquare.statistics.plots.canvas import HATCHES, Canvas, names_width, points

_WIDTH, _RIGHT, _TOP, _BOTTOM = 680, 100, 34, 30
_ROW = 20
_ROWS_MAX = 40


@dataclass(frozen=True, slots=True)
class Part:
    """A part of every bar."""

    word: str
    colour: str
    hatch: str
    values: Sequence[int]


def draw_ends(canvas: Canvas, records: Sequence[Record]) -> None:
    """Crashed, failed, stuck and files gone of each client that has any."""
    names = {"crashed": "n_crashed", "failed": "n_failed", "stuck": "n_stuck", "files gone": "n_input_gone"}
    colours = {"crashed": canvas.theme.bad, "failed": canvas.theme.bad, "stuck": canvas.theme.warn}
    touched = [record for record in records if any(record[name] for name in names.values())]
    if not touched:
        canvas.nothing("No job crashed, failed, got stuck or lost its files in these runs.")
        return
    parts = [
        Part(word, colours.get(word, canvas.theme.grey), HATCHES[word], _ints(touched, name))
        for word, name in names.items()
    ]
    counted = [sum(part.values[row] for part in parts[:-1]) for row in range(len(touched))]
    ends = [f"{n} (+{gone})" if gone else f"{n}" for n, gone in zip(counted, parts[-1].values, strict=True)]
    _draw(canvas, [str(record["client"]) for record in touched], parts, "jobs", ends)


def draw_bad_runs(canvas: Canvas, records: Sequence[Record]) -> None:
    """Bad runs of each client that has any, worst first."""
    touched = sorted((r for r in records if r["n_bad_runs"]), key=lambda r: (-r["n_bad_runs"], r["client"]))
    if not touched:
        canvas.nothing("No client had a bad run among these.")
        return
    part = Part("bad runs", canvas.theme.bad, "", _ints(touched, "n_bad_runs"))
    ends = [f"{record['n_bad_runs']} of {record['n_runs']}" for record in touched]
    _draw(canvas, [str(record["client"]) for record in touched], [part], "runs", ends)


def draw_groups(canvas: Canvas, records: Sequence[Record]) -> None:
    """Good and bad runs of each run key or release."""
    if not records:
        canvas.nothing("There are no such runs.")
        return
    names = [str(next(iter(record.values())) or "not known") for record in records]
    parts = [
        Part("good", canvas.theme.grey, "", _ints(records, "n_good_runs")),
        Part("bad", canvas.theme.bad, HATCHES["failed"], _ints(records, "n_bad_runs")),
    ]
    _draw(canvas, names, parts, "runs", [f"{record['n_runs']}" for record in records])


def _ints(records: Sequence[Record], name: str) -> list[int]:
    return [record[name] for record in records]


def _draw(canvas: Canvas, names: Sequence[str], parts: Sequence[Part], unit: str, ends: Sequence[str]) -> None:
    """Rows from the top; `ends` is written behind each bar."""
    n_rows = min(len(names), _ROWS_MAX)
    n_left_out = len(names) - n_rows
    left, height = names_width(names[:n_rows]), _ROW * n_rows
    canvas.resize(_WIDTH, _TOP + height + _BOTTOM + (_ROW if n_left_out else 0))
    axes = canvas.axes(left, _TOP, _WIDTH - left - _RIGHT, height)
    totals = _draw_parts(axes, parts, n_rows)
    for row, total in enumerate(totals):
        axes.annotate(
            ends[row], (total, row), (points(6), 0), textcoords="offset points", va="center", size=points(11),
            color=canvas.theme.text,
        )  # fmt: skip
    canvas.name_axis(axes, names[:n_rows])
    axes.set_xlim(0, max(totals) or 1)
    axes.grid(visible=False, axis="y")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    canvas.legend(left - 6, [(part.word, part.colour, part.hatch) for part in parts])
    canvas.text(_WIDTH - _RIGHT + 40, _TOP + height + 8, unit, quiet=True)
    if n_left_out:
        canvas.text(left, _TOP + height + _BOTTOM, f"and {n_left_out} more with less", quiet=True)


def _draw_parts(axes: Axes, parts: Sequence[Part], n_rows: int) -> list[int]:
    begins = [0] * n_rows
    for part in parts:
        values = list(part.values[:n_rows])
        face = "none" if part.hatch else part.colour
        axes.barh(
            range(n_rows), values, 0.62, begins, facecolor=face, hatch=part.hatch, edgecolor=part.colour,
            linewidth=points(1),
        )  # fmt: skip
        begins = [begin + value for begin, value in zip(begins, values, strict=True)]
    return begins
