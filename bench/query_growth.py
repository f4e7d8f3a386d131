"""What each question costs with 1,000, 10,000 and 50,000 runs behind it: that many more must not make it dearer."""

import functools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Connection, event

from bench.figures import Figure
from bench.filled import FIRST_RUN, fill
from bench.timing import best_in_turn
from dqmsquare.server.first_api_runs import whole_answer
from dqmsquare.server.first_api_shapes import JobFilter
from dqmsquare.storage import alarm_queries, change_queries, client_queries, host_queries, queries, run_cells, run_list
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.run_list import RunFilter
from tests.examples import job_document
from tests.postgres import TestPlace

SIZES = (1_000, 10_000)
FULL_SIZES = (*SIZES, 50_000)
_NO_MORE_THAN = 1.5  # times the smallest, and what a busy machine adds to a fraction of a millisecond
_GRACE_MS = 0.3
_TAG = "beam_dqm_sourceclient-live"

Question = Callable[[Connection, int], object]
QUESTIONS: dict[str, Question] = {
    "first and last run": lambda connection, _: queries.run_range(connection),
    "newest run": lambda connection, _: queries.newest_run(connection),
    "neighbours of a run": queries.neighbours,
    "summary of a run": queries.run_summary,
    "jobs of a run": queries.jobs_of_run,
    "clients expected in a run": queries.expected_tags,
    "the newest 20 runs": lambda connection, _: queries.recent_runs(connection),
    "files of a run": queries.delivery_of_run,
    "playback of a run": queries.playback_of_run,
    "a client's last runs": lambda connection, run: client_queries.client_history(connection, _TAG, run),
    "clients in 100 runs": lambda connection, run: queries.tags_between(connection, run - 99, run),
    "get_runs of 100 runs": lambda connection, run: whole_answer(connection, run - 99, run, JobFilter()),
    "100 rows of the timeline": lambda connection, run: _timeline(connection, run, RunFilter()),
    "40 bad runs of the timeline": lambda connection, run: _timeline(connection, run, RunFilter(bad_only=True), 40),
    "run keys": lambda connection, _: run_list.run_keys(connection),
    "hosts": lambda connection, _: host_queries.hosts_of_cluster(connection),
    "open alarms": lambda connection, _: alarm_queries.open_alarms(connection),
    "newest change": lambda connection, _: change_queries.newest_change_id(connection),
    "what changed": lambda connection, _: change_queries.changes_after(
        connection, change_queries.newest_change_id(connection) - 1
    ),
}


def measure(place: TestPlace, folder: Path, *, sizes: Sequence[int] = SIZES) -> list[Figure]:  # noqa: ARG001
    """The same questions about the newest run to a small database and to one that grows, in turn."""
    small, *larger = sizes
    fill(place.owner("playback"), small)
    figures, n_runs = [], 0
    for size in larger:
        newest = fill(place.owner(), size - n_runs, first=FIRST_RUN + n_runs)[-1]
        n_runs = size
        figures += _compared(place, (small, FIRST_RUN + small - 1), (size, newest), is_first=size == larger[0])
    return figures


def _compared(place: TestPlace, small: tuple[int, int], large: tuple[int, int], *, is_first: bool) -> list[Figure]:
    """Size and newest run of both."""
    figures = []
    with place.reader("playback").reading() as one, place.reader().reading() as other:
        for what, ask in QUESTIONS.items():
            took = best_in_turn([functools.partial(ask, one, small[1]), functools.partial(ask, other, large[1])], 25)
            by = read_by(other, functools.partial(ask, other, large[1]))
            figures += _figures(what, (small[0], large[0]), took, by, is_first=is_first)
    with _reporting(place, "playback", small[1]) as one, _reporting(place, "production", large[1]) as other:
        took = best_in_turn([one, other], 25)
        figures += _figures("storing a report of a job", (small[0], large[0]), took, "", is_first=is_first)
    return figures


def _figures(what: str, sizes: Sequence[int], took: Sequence[float], by: str, *, is_first: bool) -> list[Figure]:
    small, large = took
    most = _NO_MORE_THAN * small + _GRACE_MS
    figures = [Figure(what=f"{what}, {sizes[0]:,} runs", unit="ms", seen=small, is_cost=True)] if is_first else []
    what = f"{what}, {sizes[1]:,} runs"
    return [*figures, Figure(what=what, unit="ms", seen=large, is_cost=True, less_than=most, note=by)]


def _timeline(connection: Connection, run: int, chosen: RunFilter, n_rows: int = 100) -> object:
    rows = run_list.list_runs(connection, chosen, n_rows, run + 1)
    return run_cells.cells_of_runs(connection, [row.run for row in rows])


@contextmanager
def _reporting(place: TestPlace, cluster: str, run: int) -> Iterator[Callable[[], object]]:
    """What stores one more report of one job."""
    record = HostRecord(place.owner(cluster), "hostid0000000001", takeover_seconds=10)
    assert record.hold()
    yield lambda: record.store([job_document(rev=time.time_ns(), run=run)])
    record.release()


@contextmanager
def _listening(connection: Connection, statements: list[tuple[str, Any]]) -> Iterator[None]:
    def note(_connection: Any, _cursor: Any, statement: str, parameters: Any, _context: Any, _many: bool) -> None:
        statements.append((statement, parameters))

    event.listen(connection.engine, "before_cursor_execute", note)
    try:
        yield
    finally:
        event.remove(connection.engine, "before_cursor_execute", note)


def read_by(connection: Connection, ask: Callable[[], object]) -> str:
    """Names of the indexes by which PostgreSQL answers, and of tables that it reads from end to end."""
    statements: list[tuple[str, Any]] = []
    with _listening(connection, statements):
        ask()
    found: dict[str, None] = {}
    for statement, parameters in statements:
        plan = connection.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
        found |= dict.fromkeys(_names(plan if isinstance(plan, list) else orjson.loads(plan)))
    return ", ".join(found)


def _names(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _names(one)
    elif isinstance(node, dict):
        if "Index Name" in node:
            yield node["Index Name"]
        elif node.get("Node Type") == "Seq Scan":
            yield f"all of {node['Relation Name']}"
        for value in node.values():
            yield from _names(value)
