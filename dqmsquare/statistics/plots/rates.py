"""Event rates: mean and spread of each client, and small plots of each against run and lumisections."""

import math
from collections.abc import Callable, Sequence

from matplotlib.axes import Axes

from dqmsquare.statistics.numbers import Record
from dqmsquare.statistics.plots.canvas import Canvas, names_width, points

_ROW, _TOP, _BOTTOM = 20, 34, 46
_WIDTH, _GAP = 680, 28
_PANEL_WIDTH, _PANEL_HEIGHT = 160, 84
_CELL_WIDTH, _CELL_HEIGHT = 222, 142
_COLUMNS = 5
_NOTHING = "No client of these runs got to a lumisection."

_Xs = Callable[[Record], float]
_Label = Callable[[Axes, float, float], None]


def draw_rates(canvas: Canvas, records: Sequence[Record]) -> None:
    """A panel for each kind of run, a line for each client: a dot at the mean, a bar of one sigma to both sides."""
    if not records:
        canvas.nothing(_NOTHING)
        return
    kinds = _kinds(records)
    clients = _clients(records)
    begin, height = names_width(clients), _ROW * len(clients)
    width = (_WIDTH - begin) / len(kinds)
    canvas.resize(_WIDTH, _TOP + height + _BOTTOM)
    for number, kind in enumerate(kinds):
        axes = canvas.axes(begin + number * width, _TOP, width - _GAP, height)
        _draw_dots(axes, canvas, [record for record in records if record["kind"] == kind], clients)
        canvas.name_axis(axes, clients if number == 0 else [""] * len(clients))
        canvas.text(begin + number * width, 8, kind, bold=True)
    canvas.text(begin, _TOP + height + 26, "Hz, mean ± σ of the runs", quiet=True)


def _draw_dots(axes: Axes, canvas: Canvas, records: Sequence[Record], clients: Sequence[str]) -> None:
    rows = [clients.index(str(record["client"])) for record in records]
    means, sigmas = _floats(records, "mean_hz"), _floats(records, "sigma_hz")
    colour = canvas.theme.kinds[str(records[0]["kind"])]
    lows = [max(mean - sigma, 0) for mean, sigma in zip(means, sigmas, strict=True)]
    highs = [mean + sigma for mean, sigma in zip(means, sigmas, strict=True)]
    axes.hlines(rows, lows, highs, color=colour, linewidth=points(2))
    axes.plot(means, rows, "o", color=colour, markersize=points(6))
    axes.set_xlim(0, max(highs) * 1.05 or 1)
    axes.locator_params(axis="x", nbins=4)


def draw_rates_by_run(canvas: Canvas, records: Sequence[Record]) -> None:
    """A small plot for each client; x: the middle of each group of runs."""
    _draw_panels(canvas, records, lambda record: (record["first_run"] + record["last_run"]) / 2, _label_runs)


def draw_rates_by_lumis(canvas: Canvas, records: Sequence[Record]) -> None:
    """The same against the number of lumisections, each group at its lower edge."""
    _draw_panels(canvas, records, lambda record: math.log10(record["first_lumi"]), _label_lumis)


def _draw_panels(canvas: Canvas, records: Sequence[Record], x_of: _Xs, label: _Label) -> None:
    if not records:
        canvas.nothing(_NOTHING)
        return
    clients = _clients(records)
    n_rows = math.ceil(len(clients) / _COLUMNS)
    canvas.resize(_CELL_WIDTH * _COLUMNS + 20, 40 + _CELL_HEIGHT * n_rows)
    xs = [x_of(record) for record in records]
    for number, client in enumerate(clients):
        row, column = divmod(number, _COLUMNS)
        left, top = 56 + column * _CELL_WIDTH, 40 + row * _CELL_HEIGHT
        axes = canvas.axes(left, top + 20, _PANEL_WIDTH, _PANEL_HEIGHT)
        canvas.text(left, top, client, bold=True)
        _draw_panel(axes, canvas, [record for record in records if record["client"] == client], x_of)
        margin = (max(xs) - min(xs)) * 0.04 or 0.5
        axes.set_xlim(min(xs) - margin, max(xs) + margin)
        label(axes, min(xs), max(xs))
    canvas.legend(50, [(kind, canvas.theme.kinds[kind], "") for kind in _kinds(records)])


def _draw_panel(axes: Axes, canvas: Canvas, records: Sequence[Record], x_of: _Xs) -> None:
    top = 0.0
    for kind in _kinds(records):
        of_kind = [record for record in records if record["kind"] == kind]
        xs, means, sigmas = [x_of(r) for r in of_kind], _floats(of_kind, "mean_hz"), _floats(of_kind, "sigma_hz")
        lows = [max(mean - sigma, 0) for mean, sigma in zip(means, sigmas, strict=True)]
        highs = [mean + sigma for mean, sigma in zip(means, sigmas, strict=True)]
        colour = canvas.theme.kinds[kind]
        axes.fill_between(xs, lows, highs, color=colour, alpha=0.2, linewidth=0)
        axes.plot(xs, means, "-o", color=colour, linewidth=points(1.5), markersize=points(3.5))
        top = max(top, *highs)
    axes.set_ylim(0, top * 1.08 or 1)
    axes.locator_params(axis="y", nbins=3)


def _label_runs(axes: Axes, low: float, high: float) -> None:
    ends = sorted({round(low), round(high)})
    axes.set_xticks(ends, [str(run) for run in ends])


def _label_lumis(axes: Axes, low: float, high: float) -> None:
    powers = [power for power in range(4) if low <= power <= high]
    axes.set_xticks(powers, [f"{10**power:,}" for power in powers])


def _kinds(records: Sequence[Record]) -> list[str]:
    return [kind for kind in ("collisions", "cosmics", "other") if any(record["kind"] == kind for record in records)]


def _clients(records: Sequence[Record]) -> list[str]:
    return sorted({str(record["client"]) for record in records})


def _floats(records: Sequence[Record], name: str) -> list[float]:
    return [record[name] for record in records]
