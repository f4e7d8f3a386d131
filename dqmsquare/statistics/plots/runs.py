"""Run after run: delay of the files, events, and the jobs that ended badly."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from dqmsquare.statistics.numbers import Record
from dqmsquare.statistics.plots.canvas import HATCHES, Canvas, points

_WIDTH, _LEFT, _RIGHT = 1130, 64, 20
_PANEL, _STEP, _TOP = 110, 158, 30
_TICKS = 8
_BARS_MAX = 160
_SPREADS_WIDELY = 50  # times the lowest: then each power of ten gets the same height


def draw_runs(canvas: Canvas, records: Sequence[Record]) -> None:
    """Three panels over the same runs, oldest at the left; runs stand side by side whatever their numbers."""
    runs = list(reversed(records))
    canvas.resize(_WIDTH, _TOP + 3 * _STEP + 20)
    panels = [canvas.axes(_LEFT, _TOP + n * _STEP, _WIDTH - _LEFT - _RIGHT, _PANEL) for n in range(3)]
    _draw_delay(panels[0], canvas, runs)
    _draw_events(panels[1], canvas, runs)
    _draw_ends(panels[2], canvas, runs)
    n_together = -(-len(runs) // _BARS_MAX)
    each = f" of each {n_together} runs" if n_together > 1 else ""
    titles = (
        "Delay of the files, s, mean ± σ",
        "Events delivered",
        f"Jobs{each}: crashed (filled), failed (hatched), stuck (dotted)",
    )
    for number, (axes, words) in enumerate(zip(panels, titles, strict=True)):
        canvas.text(_LEFT, _TOP + number * _STEP - 22, words, bold=True)
        _label_runs(axes, runs)


def _draw_delay(axes: Axes, canvas: Canvas, runs: Sequence[Record]) -> None:
    known = [
        (n, run["mean_delay_seconds"], run["sigma_delay_seconds"])
        for n, run in enumerate(runs)
        if run["mean_delay_seconds"] is not None
    ]
    colour = canvas.theme.kinds["collisions"]
    axes.vlines(
        [n for n, _, _ in known], [m - s for _, m, s in known], [m + s for _, m, s in known],
        color=colour, alpha=0.45, linewidth=points(1.5),
    )  # fmt: skip
    axes.plot([n for n, _, _ in known], [m for _, m, _ in known], "o", color=colour, markersize=points(_size(runs)))


def _draw_events(axes: Axes, canvas: Canvas, runs: Sequence[Record]) -> None:
    known = [(n, run["n_events"]) for n, run in enumerate(runs) if run["n_events"]]
    axes.plot(
        [n for n, _ in known], [n_events for _, n_events in known], "o", color=canvas.theme.kinds["cosmics"],
        markersize=points(_size(runs)),
    )  # fmt: skip
    counts = [n_events for _, n_events in known]
    if counts and max(counts) > _SPREADS_WIDELY * min(counts):
        axes.set_yscale("log")
        axes.minorticks_off()
    else:
        axes.set_ylim(0, max([*counts, 1]) * 1.1)


def _draw_ends(axes: Axes, canvas: Canvas, runs: Sequence[Record]) -> None:
    n_together = -(-len(runs) // _BARS_MAX) or 1
    places = range(0, len(runs), n_together)
    begins = [0] * len(places)
    for word, name in (("crashed", "n_crashed"), ("failed", "n_failed"), ("stuck", "n_stuck")):
        values = [sum(run[name] for run in runs[place : place + n_together]) for place in places]
        colour = canvas.theme.warn if word == "stuck" else canvas.theme.bad
        face = "none" if HATCHES[word] else colour
        axes.bar(
            places, values, 0.8 * n_together, begins, align="edge", facecolor=face, hatch=HATCHES[word],
            edgecolor=colour, linewidth=points(0.5),
        )  # fmt: skip
        begins = [begin + value for begin, value in zip(begins, values, strict=True)]
    axes.set_ylim(0, max([*begins, 1]) * 1.1)
    axes.yaxis.set_major_locator(MaxNLocator(3, integer=True))


def _size(runs: Sequence[Record]) -> float:
    return 5 if len(runs) <= 100 else 3 if len(runs) <= 1000 else 1.5


def _label_runs(axes: Axes, runs: Sequence[Record]) -> None:
    step = max(1, -(-len(runs) // _TICKS))
    places = range(0, len(runs), step)
    axes.set_xticks(places, [str(runs[place]["run"]) for place in places])
    axes.set_xlim(-0.6, len(runs) - 0.4)
    axes.grid(visible=False, axis="x")
