"""Answers of the API as tables in a terminal. Nothing in them is taken for markup."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from dqmsquare.client.api import printable

Row = dict[str, Any]

_NOTHING = "–"
_MIB = 2**20
_STYLES = {
    "running": "green",
    "quiet": "yellow",
    "stuck": "bold yellow",
    "lost": "magenta",
    "finished": "dim",
    "stopped": "dim",
    "failed": "red",
    "crashed": "bold red",
    "down": "bold red",
    "up": "green",
}


def runs_table(runs: Iterable[Row]) -> Table:
    """Runs with counts of how their jobs ended."""
    return _table(
        runs,
        ("run", _plain("run"), "right"),
        ("run key", _plain("run_key"), "left"),
        ("CMSSW", _plain("release"), "left"),
        ("lumi", _number("last_lumi"), "right"),
        ("events", _number("max_events"), "right"),
        ("jobs", _number("n_jobs"), "right"),
        ("open", _count("n_open", "running"), "right"),
        ("failed", _count("n_failed", "failed"), "right"),
        ("crashed", _count("n_crashed", "crashed"), "right"),
        ("last report", _instant("last_reported_at"), "left"),
    )


def jobs_table(jobs: Iterable[Row]) -> Table:
    """The jobs of a run."""
    return _table(
        jobs,
        ("state", _state, "left"),
        ("client", _plain("client"), "left"),
        ("host", lambda row: _text(row["host"]["label"]), "left"),
        ("lumi", _number("lumi"), "right"),
        ("events", _number("n_events"), "right"),
        ("Hz", _number("rate_hz"), "right"),
        ("MB", lambda row: _figure(row["rss_bytes"] and row["rss_bytes"] / _MIB, 0), "right"),
        ("last report", _instant("reported_at"), "left"),
        ("job", _plain("job_id"), "left"),
    )


def hosts_table(hosts: Iterable[Row]) -> Table:
    """The hosts of a cluster."""
    return _table(
        hosts,
        ("host", _plain("label"), "left"),
        ("status", lambda row: _text(row["status"], _STYLES.get(row["status"], "yellow")), "left"),
        ("grabber", _plain("grabber_state"), "left"),
        ("behind", _number("n_behind"), "right"),
        ("last poll", _instant("polled_at"), "left"),
        ("message", _plain("message"), "left"),
    )


def alarms_table(alarms: Iterable[Row]) -> Table:
    """Alarms; those that stand have no end."""
    return _table(
        alarms,
        ("raised", _instant("raised_at"), "left"),
        ("over", _instant("resolved_at"), "left"),
        ("alarm", _plain("title"), "left"),
        ("what", _plain("words"), "left"),
    )


def any_table(rows: Sequence[Row]) -> Table:
    """Rows that are all of one shape, by the names of their keys: the tables of statistics."""
    names = list(rows[0]) if rows else []
    figures = {name for name in names if all(row[name] is None or isinstance(row[name], int | float) for row in rows)}
    return _table(
        rows, *((name.replace("_", " "), _any(name), "right" if name in figures else "left") for name in names)
    )


def facts_table(facts: Row) -> Table:
    """Name and value of what is one thing."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for name, value in facts.items():
        if value is None or isinstance(value, str | int | float):
            table.add_row(_text(name.replace("_", " "), "dim"), _any(name)(facts))
    return table


Cell = Callable[[Row], Text]


def _table(rows: Iterable[Row], *columns: tuple[str, Cell, Any]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title, _, side in columns:
        table.add_column(title, justify=side, overflow="fold")
    for row in rows:
        table.add_row(*(cell(row) for _, cell, _ in columns))
    return table


def _text(value: object, style: str = "") -> Text:
    return Text(_NOTHING if value in {None, ""} else printable(str(value)).replace("\n", " "), style=style)


def _figure(value: Any, n_decimals: int = 1) -> Text:
    if value is None:
        return _text(None)
    return _text(f"{value:,}" if isinstance(value, int) else f"{value:,.{n_decimals}f}")


def _plain(name: str) -> Cell:
    return lambda row: _text(row[name])


def _number(name: str) -> Cell:
    return lambda row: _figure(row[name])


def _count(name: str, state: str) -> Cell:
    """A count that is coloured unless it is 0."""
    return lambda row: _text(row[name], _STYLES[state] if row[name] else "dim")


def _instant(name: str) -> Cell:
    return lambda row: _text(local_time(row[name]))


def _any(name: str) -> Cell:
    def cell(row: Row) -> Text:
        value = row[name]
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _text(value) if name in {"run", "source_run"} or name.endswith("_run") else _figure(value, 3)
        return _text(local_time(value) if name.endswith("_at") or name in {"start", "stop"} else value)

    return cell


def _state(row: Row) -> Text:
    words = " · ".join(filter(None, (row["state"], _exit(row), row["state_reason"])))
    return _text(words, _STYLES.get(row["state"], ""))


def _exit(row: Row) -> str:
    code = row["exit_code"]
    return "" if code in {None, 0} else f"{code} {row['exit_words']}".strip()


def local_time(instant: str | None) -> str | None:
    """An instant of the API in the terminal's zone, to the second."""
    return None if not instant else f"{datetime.fromisoformat(instant).astimezone():%Y-%m-%d %H:%M:%S}"
