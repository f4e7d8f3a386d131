"""Runs × clients as of now: one state for all jobs of a client in a run, the worst one."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from dqmsquare.server import judging
from dqmsquare.server.judging import JudgedJob
from dqmsquare.server.watched import Connection
from dqmsquare.states import QUIET_AFTER, State, worst
from dqmsquare.storage import queries, run_cells
from dqmsquare.storage.rows import RunRow
from dqmsquare.storage.run_cells import ClientCell

_WORSE_THAN_OPEN = frozenset({State.CRASHED, State.FAILED})  # whatever the open jobs do


@dataclass(frozen=True, slots=True)
class TimelineRun:
    """A run with its cells by client's tag; a client that is missing has no jobs.

    `counts`: how many cells are in each state. `holds_until`: when the clock changes one of them; None: never.
    """

    run: RunRow
    cells: Mapping[str, ClientCell]
    counts: Counter[State]
    holds_until: datetime | None


def read_runs(
    connection: Connection, rows: Sequence[RunRow], *, now: datetime, stuck_after_seconds: float
) -> list[TimelineRun]:
    """The cells of these runs, in the runs' order. Jobs are read only where the clock still decides."""
    numbers = [row.run for row in rows]
    cells = run_cells.cells_of_runs(connection, numbers)
    expected = run_cells.expected_clients(connection, numbers)
    newest = queries.newest_run(connection)
    open_runs = [row.run for row in rows if row.n_open and is_undecided(cells[row.run], row.run == newest, now)]
    judged = _judge(connection, open_runs, newest, now, stuck_after_seconds) if open_runs else {}
    return [timeline_run(row, cells[row.run], expected.get(row.run, ()), judged.get(row.run, ())) for row in rows]


def is_undecided(cells: Iterable[ClientCell], is_newest: bool, now: datetime) -> bool:
    """Whether a run may have an open job that is not lost: in the newest run, or heard of a moment ago."""
    heard = (cell.open_heard_at for cell in cells if cell.open_heard_at is not None)
    return is_newest or any(now - at <= QUIET_AFTER for at in heard)


def _judge(
    connection: Connection, runs: Iterable[int], newest: int | None, now: datetime, stuck_after_seconds: float
) -> dict[int, list[JudgedJob]]:
    host_has_left = judging.hosts_that_left(connection)
    return {
        run: judging.judge_jobs(
            queries.jobs_of_run(connection, run),
            newest_run=newest,
            host_has_left=host_has_left,
            now=now,
            stuck_after_seconds=stuck_after_seconds,
        )
        for run in runs
    }


def timeline_run(
    run: RunRow, cells: Iterable[ClientCell], expected: Collection[str], judged: Collection[JudgedJob]
) -> TimelineRun:
    """One run. Open jobs that were not judged are lost: a newer run exists and they were silent for too long."""
    open_states: dict[str, list[State]] = defaultdict(list)
    for one in judged:
        open_states[one.job.tag].append(one.state)
    shown = {cell.tag: cell if cell.open_heard_at is None else _judged(cell, open_states) for cell in cells}
    for tag in expected:
        if tag not in shown:
            shown[tag] = ClientCell(run.run, tag, 0, State.MISSING, None, None, None)
    return TimelineRun(run, shown, Counter([cell.state for cell in shown.values()]), judging.hold_until(judged))


def _judged(cell: ClientCell, open_states: Mapping[str, Sequence[State]]) -> ClientCell:
    if cell.state in _WORSE_THAN_OPEN:
        return cell
    return cell._replace(state=worst(open_states.get(cell.tag, (State.LOST,))))
