"""Which runs statistics are over, and the two things every question about them needs: kind of run, stuck jobs."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, and_, case, func, select

from dqmsquare.errors import TooManyRuns
from dqmsquare.storage.tables import jobs, runs

RUNS_MAX = 20_000  # everything there is after some ten years: a few seconds of PostgreSQL's


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The runs from `first` to `last`, of one run key where one is given; `n_runs` of them exist."""

    first: int
    last: int
    n_runs: int
    run_key: str | None
    stuck_after_seconds: float


def select_runs(
    connection: Connection,
    *,
    stuck_after_seconds: float,
    first: int | None = None,
    last: int | None = None,
    newest: int | None = None,
    run_key: str | None = None,
) -> Selection | None:
    """What was asked for as the runs there are; None where there are none. `newest`: only so many, the newest.

    By runs' primary key. Raises TooManyRuns for more than RUNS_MAX.
    """
    statement = select(runs.c.run).order_by(runs.c.run.desc()).limit(min(newest or RUNS_MAX + 1, RUNS_MAX + 1))
    if first is not None:
        statement = statement.where(runs.c.run >= first)
    if last is not None:
        statement = statement.where(runs.c.run <= last)
    if run_key is not None:
        statement = statement.where(runs.c.run_key == run_key)
    found = statement.subquery()
    row = connection.execute(select(func.min(found.c.run), func.max(found.c.run), func.count())).one()
    if row[2] > RUNS_MAX:
        raise TooManyRuns(f"These are more than {RUNS_MAX:,} runs, which is the most that is counted at once.")
    if not row[2]:
        return None
    return Selection(first=row[0], last=row[1], n_runs=row[2], run_key=run_key, stuck_after_seconds=stuck_after_seconds)


def selected(selection: Selection, run: ColumnElement[int] = runs.c.run) -> ColumnElement[bool]:
    """The condition on `run` (of any table that is joined with runs) and on the run's key."""
    is_in_range = run.between(selection.first, selection.last)
    return is_in_range if selection.run_key is None else and_(is_in_range, runs.c.run_key == selection.run_key)


def kind_of_run() -> ColumnElement[str]:
    """cosmics, collisions (of protons or ions) or other, by the run key."""
    return case(
        (runs.c.run_key.like("cosmic%"), "cosmics"),
        (runs.c.run_key.regexp_match("^(pp|hi|hpu)_"), "collisions"),
        else_="other",
    )


def stuck_jobs(selection: Selection, *by: ColumnElement[Any]) -> Subquery:
    """How many jobs (`n_stuck`) got stuck, by columns of jobs. By jobs_open, which has only jobs without an end.

    Only final states are stored. Of a job without an exit code it is told afterwards that it was stuck where its
    last word came long before the run's last, or long after it had said that its input was at its end.
    """
    too_long = timedelta(seconds=selection.stuck_after_seconds)
    fell_silent = runs.c.last_reported_at - jobs.c.heard_at > too_long
    did_not_end = jobs.c.heard_at - jobs.c.input_ended_at > too_long
    return (
        select(*by, func.count().label("n_stuck"))
        .select_from(jobs.join(runs, runs.c.run == jobs.c.run))
        .where(selected(selection, jobs.c.run), jobs.c.outcome.is_(None), fell_silent | did_not_end)
        .group_by(*by)
        .subquery("stuck")
    )
