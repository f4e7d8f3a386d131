"""The drawings, one per table; the only place that knows matplotlib. Imported when the first one is asked for."""

from dqmsquare.statistics.numbers import Numbers
from dqmsquare.statistics.pictures import Theme
from dqmsquare.statistics.plots import bars, rates, runs
from dqmsquare.statistics.plots.canvas import Canvas

_DRAWINGS = {
    "clients": bars.draw_ends,
    "bad-runs": bars.draw_bad_runs,
    "run-keys": bars.draw_groups,
    "releases": bars.draw_groups,
    "rates": rates.draw_rates,
    "rates-by-run": rates.draw_rates_by_run,
    "rates-by-lumis": rates.draw_rates_by_lumis,
    "runs": runs.draw_runs,
}


def draw(numbers: Numbers, theme: Theme, scale: int) -> bytes:
    """The picture of a table as PNG, `scale` pixels for each of the page."""
    canvas = Canvas(theme)
    _DRAWINGS[numbers.table.name](canvas, numbers.records)
    return canvas.png(scale)
