"""How jobs ended, over a range of runs, all counted in SQL: one function per question, answering with frozen rows.

Rates are in statistics_rates.py, facts of single runs in statistics_runs.py. What the words mean (crashed, failed,
stuck, good) is written for people in dqmsquare/statistics/words.py.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, Table, cast, func, select

from dqmsquare.storage.statistics_selection import Selection, kind_of_run, selected, stuck_jobs
from dqmsquare.storage.tables import jobs, run_clients, runs

_CLIENTS_MAX = 1_000
_GROUPS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientEnds:
    """How a client's jobs ended; each job counts in one of the columns from `n_finished` to `n_open`."""

    tag: str
    n_runs: int
    n_bad_runs: int  # with a job that crashed, failed or got stuck
    n_jobs: int
    n_finished: int
    n_stopped: int
    n_crashed: int
    n_failed: int
    n_stuck: int
    n_input_gone: int  # of what crashed or failed by its exit code: the run's files were gone
    n_open: int  # the rest: running still, or nobody heard how it ended


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGroup:
    """Runs that have something in common: a run key, or a release."""

    name: str | None
    kind: str | None  # cosmics, collisions or other; None where the runs are of several kinds
    n_runs: int
    n_bad_runs: int
    n_lumis: int
    n_jobs: int
    first_run: int
    last_run: int


def client_ends(connection: Connection, selection: Selection) -> list[ClientEnds]:
    """Per client, the worst first. By the primary keys of run_clients and runs, and jobs_open."""
    stuck = stuck_jobs(selection, jobs.c.run, jobs.c.tag)
    n_stuck = func.coalesce(stuck.c.n_stuck, 0)
    is_same = (stuck.c.run == run_clients.c.run) & (stuck.c.tag == run_clients.c.tag)
    ends = (
        select(
            run_clients.c.tag,
            func.count().label("n_runs"),
            func.count().filter(_is_bad(run_clients, n_stuck)).label("n_bad_runs"),
            *(_sum(run_clients.c[name], name) for name in ("n_jobs", "n_finished", "n_stopped", "n_input_gone")),
            _sum(crashes(run_clients), "n_crashed"),
            _sum(failures(run_clients), "n_failed"),
            _sum(n_stuck, "n_stuck"),
            _sum(run_clients.c.n_open - n_stuck, "n_open"),
        )
        .select_from(run_clients.join(runs, runs.c.run == run_clients.c.run).outerjoin(stuck, is_same))
        .where(selected(selection, run_clients.c.run))
        .group_by(run_clients.c.tag)
        .subquery()
    )
    n_badly_ended = ends.c.n_crashed + ends.c.n_failed + ends.c.n_stuck
    statement = select(ends).order_by(n_badly_ended.desc(), ends.c.n_input_gone.desc(), ends.c.tag)
    return [ClientEnds(**row) for row in connection.execute(statement.limit(_CLIENTS_MAX)).mappings()]


def runs_by_key(connection: Connection, selection: Selection) -> list[RunGroup]:
    """Per run key, the commonest first. By runs' primary key and jobs_open."""
    return _groups(connection, selection, runs.c.run_key)


def runs_by_release(connection: Connection, selection: Selection) -> list[RunGroup]:
    """Per CMSSW release with its pull requests, the newest first. By runs' primary key and jobs_open."""
    return sorted(_groups(connection, selection, runs.c.release), key=lambda group: -group.last_run)


def crashes(table: Table) -> ColumnElement[int]:
    """Jobs of a row of runs or run_clients that crashed: those whose input was gone do not count."""
    return table.c.n_crashed - table.c.n_crashed_input_gone


def failures(table: Table) -> ColumnElement[int]:
    """The same for those that failed."""
    return table.c.n_failed - (table.c.n_input_gone - table.c.n_crashed_input_gone)


def _is_bad(table: Table, n_stuck: ColumnElement[int]) -> ColumnElement[bool]:
    return (table.c.n_crashed + table.c.n_failed - table.c.n_input_gone + n_stuck) > 0


def _sum(column: ColumnElement[int], name: str) -> ColumnElement[int]:
    return cast(func.coalesce(func.sum(column), 0), BigInteger).label(name)


def _groups(connection: Connection, selection: Selection, by: ColumnElement[Any]) -> list[RunGroup]:
    stuck = stuck_jobs(selection, jobs.c.run)
    kind = kind_of_run()
    is_one_kind = func.min(kind) == func.max(kind)
    statement = (
        select(
            by.label("name"),
            func.min(kind).label("kind"),
            is_one_kind.label("is_one_kind"),
            func.count().label("n_runs"),
            func.count().filter(_is_bad(runs, func.coalesce(stuck.c.n_stuck, 0))).label("n_bad_runs"),
            _sum(runs.c.last_lumi, "n_lumis"),
            _sum(runs.c.n_jobs, "n_jobs"),
            func.min(runs.c.run).label("first_run"),
            func.max(runs.c.run).label("last_run"),
        )
        .select_from(runs.outerjoin(stuck, stuck.c.run == runs.c.run))
        .where(selected(selection))
        .group_by(by)
        .order_by(func.count().desc(), by)
        .limit(_GROUPS_MAX)
    )
    return [_group(**row) for row in connection.execute(statement).mappings()]


def _group(*, is_one_kind: bool, kind: str, **values: Any) -> RunGroup:
    return RunGroup(**values, kind=kind if is_one_kind else None)
