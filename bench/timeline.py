"""The timeline's server time, uncached: 100 and 1,000 rows, each filter, with 2,000 and 20,000 runs behind it.

Time is what the server's thread and PostgreSQL's process were busy: on a machine with nothing else to do that is how
long it takes, and on one that is shared it is still the same. By itself, with the plans: python -m bench.timeline
"""

import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Select, text
from sqlalchemy.dialects import postgresql

from bench.figures import Figure, table
from bench.filled import fill
from dqmsquare.monitoring import Heartbeats
from dqmsquare.server.application import Application, make_application
from dqmsquare.server.wiring import Worker, collect_garbage_seldom, make_site
from dqmsquare.storage import run_cells, run_list
from dqmsquare.storage.run_list import RunFilter
from tests.postgres import TestPlace, fresh_place
from tests.unit.server.server_fakes import ask

SIZES = {"production": 20_000, "playback": 2_000}  # each in a database of its own
LIMITS_MS = {100: 50.0, 1_000: 300.0}  # rows, and what they may take
_NO_MORE_THAN = 1.2  # times the small database
_N_SAMPLES = 9
_PLAN_WIDTH = 140


@dataclass(frozen=True)
class _Asked:
    what: str
    query: str
    chosen: RunFilter


FILTERS = (
    _Asked("all runs", "", RunFilter()),
    _Asked("one run key", "&run_key=hi_run", RunFilter(run_key="hi_run")),
    _Asked("bad only", "&bad_only=1", RunFilter(bad_only=True)),
    _Asked("with lumisections", "&ls=1", RunFilter(with_lumis=True)),
    _Asked(
        "all of these", "&run_key=hi_run&bad_only=1&ls=1", RunFilter(run_key="hi_run", bad_only=True, with_lumis=True)
    ),
    _Asked("an unknown run key", "&run_key=none", RunFilter(run_key="none")),
)


def measure(place: TestPlace, folder: Path) -> list[Figure]:
    """Fills both databases; then for each filter and number of rows the median, and large beside small.

    Both sizes are asked in turn, so that what else the machine does hits both alike.
    """
    for cluster, n_runs in SIZES.items():
        fill(place.owner(cluster), n_runs)
    worker = Worker(place.config, place.place, Heartbeats(folder))
    application = make_application(make_site(place.config, worker))
    collect_garbage_seldom()
    figures = []
    for n_rows, limit in LIMITS_MS.items():
        for asked in FILTERS:
            seen = _in_turn(application, place, worker, f"last={n_rows}{asked.query}")
            what = f"timeline, {n_rows:,} rows, {asked.what}"
            (large, n_large), (small, n_small) = seen["production"], seen["playback"]
            figures.append(Figure(what=f"{what}, 20,000 runs", unit="ms", seen=large, is_cost=True, less_than=limit))
            if n_large == n_small:  # else the small database has fewer runs of that kind
                figures.append(
                    Figure(what=f"{what}, beside 2,000 runs", unit="times", seen=large / small, less_than=_NO_MORE_THAN)
                )
    return figures


def _in_turn(application: Application, place: TestPlace, worker: Worker, query: str) -> dict[str, tuple[float, int]]:
    """Per cluster the median in ms, and how many rows there were."""
    samples: dict[str, list[float]] = {cluster: [] for cluster in SIZES}
    n_shown = dict.fromkeys(SIZES, 0)
    for _ in range(_N_SAMPLES):
        for cluster, taken in samples.items():
            worker.clusters[cluster].snapshots.clear()
            before = time.thread_time() + _database_seconds(place, cluster)
            answer = ask(application, f"/timeline/?db={cluster}&{query}")
            taken.append(1000 * (time.thread_time() + _database_seconds(place, cluster) - before))
            assert answer.status == 200
            n_shown[cluster] = answer.body.count(b'<tr id="run-')
    return {cluster: (statistics.median(taken), n_shown[cluster]) for cluster, taken in samples.items()}


def _database_seconds(place: TestPlace, cluster: str) -> float:
    """How long the processes behind the server's connections have been busy."""
    pids = place.rows(
        "SELECT pid FROM pg_stat_activity WHERE application_name = 'dqmsquare server' AND datname = current_database()",
        cluster,
    )
    return sum(int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) for (pid,) in pids) / 1e9


def plans(place: TestPlace) -> str:
    """How PostgreSQL finds what the page shows, with 20,000 runs."""
    with place.reader().reading() as connection:
        return "\n".join(_plans(connection))


def _plans(connection: Connection) -> Iterator[str]:
    for asked in FILTERS:
        yield f"\n100 runs, {asked.what}"
        yield from _explained(connection, run_list.select_runs(asked.chosen, 100))
    numbers = [row.run for row in run_list.list_runs(connection, RunFilter(), 100)]
    for what, statement in run_cells.STATEMENTS.items():
        yield f"\n{what} of 100 runs"
        yield from _explained(connection, statement.params(runs=numbers))


def _explained(connection: Connection, statement: Select) -> Iterator[str]:
    sql = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    explain = "EXPLAIN (ANALYZE, COSTS OFF, BUFFERS OFF)"
    for line in connection.execute(text(f"{explain} {sql}")).scalars():
        yield f"  {line}" if len(line) < _PLAN_WIDTH else f"  {line[:_PLAN_WIDTH]}…"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name, fresh_place(Path(name)) as filled:
        print(table(measure(filled, Path(name))))
        print(plans(filled))
