"""What runs × clients is drawn from: a cell for all jobs of a client in a run, and which clients were expected."""

import functools
from collections.abc import Collection
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, FromClause, Integer, bindparam, case, func, select, true
from sqlalchemy.dialects.postgresql import ARRAY

from dqmsquare.states import State
from dqmsquare.storage.tables import run_clients, runs

_RUNS_LOOKED_BACK = 3
_ASKED = func.any(bindparam("runs", type_=ARRAY(Integer)))


class ClientCell(NamedTuple):
    """The jobs of a client in a run; a tuple, since a page may have 31,000 of them."""

    run: int
    tag: str
    n_jobs: int
    state: State  # the worst final one; lost where all jobs are open, unless the clock says better
    n_events: int | None
    lumi: int | None
    open_heard_at: datetime | None  # last word of any of its jobs; None where none is open


_STATES = {state.value: state for state in State}
_ROWS_AT_A_TIME = 500  # so that few of the driver's rows live together with what is made of them
_CELLS = select(
    run_clients.c.run,
    run_clients.c.tag,
    run_clients.c.n_jobs,
    case(
        (run_clients.c.n_crashed > 0, State.CRASHED.value),
        (run_clients.c.n_failed > 0, State.FAILED.value),
        (run_clients.c.n_stopped > 0, State.STOPPED.value),
        (run_clients.c.n_finished > 0, State.FINISHED.value),
        else_=State.LOST.value,
    ),
    run_clients.c.max_events,
    run_clients.c.max_lumi,
    case((run_clients.c.n_open > 0, run_clients.c.last_heard_at)),
).where(run_clients.c.run == _ASKED)


def cells_of_runs(connection: Connection, numbers: Collection[int]) -> dict[int, list[ClientCell]]:
    """The cells of each of these runs, in no order. By run_clients' primary key, in one statement."""
    cells: dict[int, list[ClientCell]] = {run: [] for run in numbers}
    for rows in connection.execute(_CELLS, {"runs": list(numbers)}).partitions(_ROWS_AT_A_TIME):
        for run, tag, n_jobs, state, n_events, lumi, open_heard_at in rows:
            cells[run].append(ClientCell(run, tag, n_jobs, _STATES[state], n_events, lumi, open_heard_at))
    return cells


def _previous_runs() -> FromClause:
    earlier = runs.alias("earlier")
    return (
        select(earlier.c.run)
        .where(earlier.c.run_key.between(runs.c.run_key, runs.c.run_key), earlier.c.run < runs.c.run)
        .order_by(earlier.c.run_key.desc(), earlier.c.run.desc())  # as in run_list.select_runs
        .limit(_RUNS_LOOKED_BACK)
        .correlate(runs)
        .lateral("previous")
    )


_PREVIOUS = _previous_runs()
_RUNS_BEFORE = (
    select(runs.c.run, func.array_agg(_PREVIOUS.c.run))
    .join(_PREVIOUS, true())
    .where(runs.c.run == _ASKED)
    .group_by(runs.c.run)
    .having(func.count() == _RUNS_LOOKED_BACK)
)
_TAGS = (
    select(run_clients.c.run, func.string_agg(run_clients.c.tag, " "))
    .where(run_clients.c.run == _ASKED)
    .group_by(run_clients.c.run)
)
STATEMENTS = {"cells": _CELLS, "runs before": _RUNS_BEFORE, "clients": _TAGS}  # to look at their plans


def expected_clients(connection: Connection, numbers: Collection[int]) -> dict[int, frozenset[str]]:
    """Per run the clients that were in each of the three runs of its run key before it; none where there are fewer.

    By runs_of_key, backwards, three steps per run, and run_clients' primary key.
    """
    before: dict[int, list[int]] = dict(connection.execute(_RUNS_BEFORE, {"runs": list(numbers)}).all())
    looked_at = {run for three in before.values() for run in three}
    rows = connection.execute(_TAGS, {"runs": list(looked_at)})
    tags = {run: _tag_set(text) for run, text in rows}
    return {run: frozenset.intersection(*(tags[one] for one in three)) for run, three in before.items()}


@functools.lru_cache(maxsize=4_096)
def _tag_set(text: str) -> frozenset[str]:
    # Most runs have the same clients; a tag has no blanks (documents.names.TAG).
    return frozenset(text.split(" "))
