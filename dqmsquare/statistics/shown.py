"""Numbers as people read them, on the page and in the report."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from dqmsquare.statistics.tables import Column

NOTHING = "–"
_UNITS = {"Hz": "Hz", "s": "s", "bytes": "GB"}  # written in the head of the column


def heading(column: Column) -> str:
    """The head of a column: "mean, Hz"."""
    unit = _UNITS.get(column.unit)
    return f"{column.title}, {unit}" if unit else column.title


def text_of(column: Column, value: Any) -> str:
    """A value without its unit.

    >>> text_of(Column("n", "jobs", "count"), 4154), text_of(Column("b", "bad", "share"), 0.125)
    ('4,154', '12.5%')
    >>> text_of(Column("b", "bytes", "bytes"), 1_234_000_000), text_of(Column("at", "stop", "time"), None)
    ('1.2', '–')
    """
    if value is None:
        return NOTHING
    return _WRITERS.get(column.unit, str)(value)


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


_WRITERS: dict[str, Callable[[Any], str]] = {
    "count": "{:,}".format,
    "share": "{:.1%}".format,
    "Hz": "{:,.1f}".format,
    "s": "{:,.1f}".format,
    "bytes": lambda value: f"{value / 1e9:,.1f}",
    "time": _minute,
    "flag": lambda value: "yes" if value else "no",
}
