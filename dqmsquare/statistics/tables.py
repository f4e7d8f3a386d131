"""The one list of statistics: each table with its columns, what reads it, and the words that belong beside it.

Page, CSV, JSON, pictures, API and report all go through TABLES: a new table is one more entry here, its question in
storage, and, if it is to have a picture, its drawing in drawings.py.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dqmsquare.documents import client_name
from dqmsquare.statistics import words
from dqmsquare.storage import statistics, statistics_rates, statistics_runs

Value = str | int | float | bool | datetime | None

_DIGITS = 4  # behind the point: no picture and nobody sees more, and equal rows give equal bytes


@dataclass(frozen=True, slots=True)
class Column:
    """A column; `name` is its key in CSV and JSON. `value` takes it out of a row, by default what has its name."""

    name: str
    title: str
    unit: str = ""  # text, count, Hz, s, bytes, share (0 to 1), time, or flag
    meaning: str = ""
    value: Callable[[Any], Value] | None = None

    def of(self, row: object) -> Value:
        """The row's value."""
        value: Value = self.value(row) if self.value else getattr(row, self.name)
        return round(value, _DIGITS) if isinstance(value, float) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class StatisticsTable:
    """A table; `read(connection, selection)` answers with its rows. `words` are keys of meanings()."""

    name: str
    title: str
    subject: str
    columns: tuple[Column, ...]
    read: Callable[[Any, Any], Sequence[object]]
    words: tuple[str, ...]
    shown: bool = True  # whether the page has the numbers; one that is very long is only a picture there


# ------------------------------------------------------------------------------------------------------------- columns


def _count(name: str, title: str, meaning: str = "") -> Column:
    return Column(name, title, "count", meaning)


def _hz(name: str, title: str, meaning: str = "") -> Column:
    return Column(name, title, "Hz", meaning)


_CLIENT = Column("client", "client", "text", "", lambda row: client_name(row.tag))
_KIND = Column("kind", "runs of", "text", "cosmics, collisions or other")
_RUNS = _count("n_runs", "runs")
_BAD_RUNS = _count("n_bad_runs", "bad", "runs that are not good")
_GOOD_RUNS = Column("n_good_runs", "good", "count", "", lambda row: row.n_runs - row.n_bad_runs)
_BAD_SHARE = Column("bad_share", "bad share", "share", "bad runs of all", lambda row: row.n_bad_runs / row.n_runs)
_JOBS = _count("n_jobs", "jobs")
_CRASHED = _count("n_crashed", "crashed")
_FAILED = _count("n_failed", "failed")
_STUCK = _count("n_stuck", "stuck")
_GONE = _count("n_input_gone", "files gone")
_FIRST_RUN, _LAST_RUN = Column("first_run", "first run", "run"), Column("last_run", "last run", "run")
_MEAN, _SIGMA = _hz("mean_hz", "mean"), _hz("sigma_hz", "σ")
_GROUP = (_GOOD_RUNS, _BAD_RUNS, _RUNS, _BAD_SHARE, _count("n_lumis", "lumisections"), _JOBS, _FIRST_RUN, _LAST_RUN)

# -------------------------------------------------------------------------------------------------------------- tables

_BY_CLIENT = (
    StatisticsTable(
        name="clients",
        title="Crashes, failures, stuck",
        subject="jobs of each client, by how they ended",
        columns=(
            _CLIENT, _CRASHED, _FAILED, _STUCK, _GONE, _count("n_finished", "finished"), _count("n_stopped", "stopped"),
            _count("n_open", "no end heard"), _JOBS,
        ),
        read=statistics.client_ends,
        words=(words.CRASHED, words.FAILED, words.STUCK, words.GONE, words.OPEN),
    ),
    StatisticsTable(
        name="bad-runs",
        title="Bad runs",
        subject="runs of each client in which a job of it crashed, failed or got stuck",
        columns=(_CLIENT, _BAD_RUNS, _GOOD_RUNS, _RUNS, _BAD_SHARE),
        read=statistics.client_ends,
        words=(words.GOOD,),
    ),
)  # fmt: skip
_RUNS_OF_A_KIND = (
    StatisticsTable(
        name="run-keys",
        title="Runs per run key",
        subject="runs of each run key, good and bad",
        columns=(Column("run_key", "run key", "text", "", lambda row: row.name), _KIND, *_GROUP),
        read=statistics.runs_by_key,
        words=(words.GOOD, words.KIND),
    ),
    StatisticsTable(
        name="releases",
        title="Runs per release",
        subject="runs of each CMSSW release with its pull requests, good and bad",
        columns=(Column("release", "release", "text", "", lambda row: row.name), *_GROUP),
        read=statistics.runs_by_release,
        words=(words.GOOD,),
    ),
)
_RATES = (
    StatisticsTable(
        name="rates",
        title="Event rate",
        subject="event rate of each client, mean and spread",
        columns=(_CLIENT, _KIND, _RUNS, _MEAN, _SIGMA, _hz("lowest_hz", "lowest"), _hz("highest_hz", "highest")),
        read=statistics_rates.client_rates,
        words=(words.RATE, words.KIND),
    ),
    StatisticsTable(
        name="rates-by-run",
        title="Event rate against run",
        subject="event rate of each client from run to run",
        columns=(_CLIENT, _KIND, _FIRST_RUN, _LAST_RUN, _RUNS, _MEAN, _SIGMA),
        read=statistics_rates.rates_by_run,
        words=(words.RATE, words.KIND, words.GROUPS),
        shown=False,
    ),
    StatisticsTable(
        name="rates-by-lumis",
        title="Event rate against lumisections",
        subject="event rate of each client against the number of lumisections it got to",
        columns=(
            _CLIENT, _KIND, Column("first_lumi", "from", "count", "lumisections"),
            Column("last_lumi", "to", "count", "lumisections; empty: or more"), _RUNS, _MEAN, _SIGMA,
        ),
        read=statistics_rates.rates_by_lumis,
        words=(words.RATE, words.KIND),
        shown=False,
    ),
)  # fmt: skip
_EACH_RUN = StatisticsTable(
    name="runs",
    title="Each run",
    subject="delay of the files, events and bad jobs of each run",
    columns=(
        Column("run", "run", "run"),
        Column("run_key", "run key", "text"),
        Column("release", "release", "text"),
        Column("started_at", "start", "time"),
        Column("start_estimated", "estimated", "flag", "whether the start is an estimate"),
        Column("stopped_at", "stop", "time"),
        Column("mean_delay_seconds", "delay", "s", "mean delay of the files"),
        Column("sigma_delay_seconds", "σ", "s", "spread of the delay"),
        Column("last_lumi", "last LS", "count", "last lumisection"),
        Column("n_events", "events", "count", "delivered to the clients, all streams"),
        Column("n_bytes", "bytes", "bytes", "delivered to the clients, all streams"),
        _JOBS, _CRASHED, _FAILED, _STUCK, _GONE,
    ),
    read=statistics_runs.run_facts,
    words=(words.DELAY, words.STOP, words.CRASHED, words.FAILED, words.STUCK, words.GONE),
)  # fmt: skip

TABLES = {table.name: table for table in (*_BY_CLIENT, *_RUNS_OF_A_KIND, *_RATES, _EACH_RUN)}
