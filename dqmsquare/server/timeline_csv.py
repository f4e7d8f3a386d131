"""What the timeline shows as CSV: a line per run and client, read some runs at a time, so that memory stays flat."""

import csv
import io
from collections.abc import Callable, Iterator
from datetime import datetime

from dqmsquare.documents import client_name
from dqmsquare.server.timeline_cells import TimelineRun, read_runs
from dqmsquare.server.timeline_choice import Choice
from dqmsquare.server.watched import ReadableDatabase
from dqmsquare.storage import run_list

COLUMNS = ("run", "run_key", "release", "client", "state", "jobs", "events", "lumisection")
_RUNS_PER_PIECE = 100


def csv_in_pieces(
    database: ReadableDatabase, choice: Choice, clock: Callable[[], datetime], stuck_after_seconds: float
) -> Iterator[bytes]:
    """The head, then the lines, newest run first: a reader who takes his time holds no connection.

    Raises StoreUnavailable; at the first piece that can still be told, later the answer breaks off.
    """
    before, n_left = choice.before, choice.last
    lines: list[tuple[object, ...]] = [COLUMNS]
    while True:
        limit = _RUNS_PER_PIECE if n_left is None else min(n_left, _RUNS_PER_PIECE)
        with database.reading() as connection:
            rows = run_list.list_runs(connection, choice.chosen, limit, before)
            shown = read_runs(connection, rows, now=clock(), stuck_after_seconds=stuck_after_seconds)
        lines += (line for one in shown for line in _lines(one))
        yield _written(lines)
        n_left = None if n_left is None else n_left - len(rows)
        if len(rows) < limit or n_left == 0:
            return
        before, lines = rows[-1].run, []


def _lines(one: TimelineRun) -> Iterator[tuple[object, ...]]:
    run = one.run
    for tag, cell in sorted(one.cells.items()):
        client = f"'{client_name(tag)}" if tag.startswith("-") else client_name(tag)  # no formula for a spreadsheet
        yield run.run, run.run_key, run.release, client, cell.state, cell.n_jobs, cell.n_events, cell.lumi


def _written(lines: list[tuple[object, ...]]) -> bytes:
    written = io.StringIO()
    csv.writer(written).writerows(lines)
    return written.getvalue().encode()
