"""Lists of runs and the timeline over a real PostgreSQL: the worst state, paging, filters, CSV, and the plans."""

import csv
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Select, text
from sqlalchemy.dialects import postgresql

from dqmsquare.monitoring import Heartbeats
from dqmsquare.server.application import make_application
from dqmsquare.server.timeline_cells import read_runs
from dqmsquare.server.wiring import Worker, make_site
from dqmsquare.states import State
from dqmsquare.storage import queries
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.run_cells import STATEMENTS, expected_clients
from dqmsquare.storage.run_list import RunFilter, list_runs, run_keys, select_runs
from tests.examples import job_document
from tests.postgres import TestPlace
from tests.unit.server.server_fakes import ask

NOW = datetime.now(UTC)
HOST = "hostid0000000001"
BEAM, PIXEL, CSC = (f"{client}_dqm_sourceclient-live" for client in ("beam", "pixel", "csc"))


class Writer:
    """Stores jobs as a grabber would; each gets an id of its own."""

    def __init__(self, place: TestPlace) -> None:
        self.record = HostRecord(place.owner(), HOST, takeover_seconds=10)
        assert self.record.hold()
        self._n = 0

    def job(self, run: int, tag: str = BEAM, *, at: datetime = NOW, **fields):
        self._n += 1
        values = {"run_key": "pp_run", "fi_state": 0, "lumi": 40, **fields}
        return job_document(f"job{self._n:013}", rev=self._n, at=at, run=run, tag=tag, **values)

    def store(self, *jobs) -> None:
        self.record.store(list(jobs))


@pytest.fixture
def writer(place: TestPlace):
    writer = Writer(place)
    yield writer
    writer.record.release()


@pytest.fixture
def application(place: TestPlace, tmp_path: Path):
    worker = Worker(place.config, place.place, Heartbeats(tmp_path))
    yield make_application(make_site(place.config, worker))
    for cluster in worker.clusters.values():
        cluster.hub.stop()


def cells_of(place: TestPlace, run: int) -> dict[str, tuple]:
    """Per client the state, the number of jobs, events and the lumisection."""
    with place.reader().reading() as connection:
        [row] = list_runs(connection, RunFilter(first=run, last=run), 1)
        [shown] = read_runs(connection, [row], now=NOW, stuck_after_seconds=900)
    return {tag: (cell.state, cell.n_jobs, cell.n_events, cell.lumi) for tag, cell in shown.cells.items()}


def numbers(place: TestPlace, chosen: RunFilter, limit: int = 100, before: int | None = None) -> list[int]:
    with place.reader().reading() as connection:
        return [row.run for row in list_runs(connection, chosen, limit, before)]


def test_a_crash_does_not_hide_behind_a_running_job(place, writer):
    writer.store(
        writer.job(9, BEAM, exit_code=-11, n_events=7),
        writer.job(9, BEAM, n_events=4000),
        writer.job(9, PIXEL, at=NOW - timedelta(minutes=20), exit_code=0),
        writer.job(9, PIXEL, at=NOW - timedelta(minutes=20)),
        writer.job(9, CSC),
    )
    assert cells_of(place, 9) == {
        BEAM: (State.CRASHED, 2, 4000, 40),
        PIXEL: (State.STUCK, 2, 4000, 40),
        CSC: (State.RUNNING, 1, 4000, 40),
    }


def test_open_jobs_of_older_runs_are_lost_once_they_are_silent(place, writer):
    writer.store(
        writer.job(7, BEAM, at=NOW - timedelta(days=1)),
        writer.job(7, PIXEL, at=NOW - timedelta(days=1)),
        writer.job(7, PIXEL, at=NOW - timedelta(days=1), exit_code=-11),
        writer.job(8, BEAM),  # the run was overtaken a moment ago
        writer.job(8, PIXEL, at=NOW - timedelta(minutes=3)),
        writer.job(9, BEAM),
    )
    states = [{tag: cell[0] for tag, cell in cells_of(place, run).items()} for run in (7, 8, 9)]
    assert states == [
        {BEAM: State.LOST, PIXEL: State.CRASHED},
        {BEAM: State.RUNNING, PIXEL: State.LOST},
        {BEAM: State.RUNNING},
    ]


def test_who_is_expected_is_as_the_live_page_has_it(any_place):
    writer = Writer(any_place)
    writer.store(
        *(writer.job(run, BEAM, exit_code=0) for run in range(1, 9)),
        *(writer.job(run, PIXEL, exit_code=0) for run in (1, 2, 3, 5, 6, 7)),
        *(writer.job(run, CSC, exit_code=0, run_key="hi_run") for run in range(20, 25)),
        writer.job(30, CSC, run_key=None),
    )
    with any_place.reader().reading() as connection:
        runs = [row.run for row in list_runs(connection, RunFilter(), 100)]
        expected = expected_clients(connection, runs)
        assert queries.expected_tags(connection, 8) == [BEAM, PIXEL]  # the live page's
        assert queries.expected_tags(connection, 3) == []
    writer.record.release()
    both, beam, csc = frozenset({BEAM, PIXEL}), frozenset({BEAM}), frozenset({CSC})
    assert expected == {4: both, 5: beam, 6: beam, 7: beam, 8: both, 23: csc, 24: csc}
    assert cells_of(any_place, 8)[PIXEL][0] is State.MISSING


def test_pages_leave_no_run_out_and_tell_none_twice_while_new_ones_begin(place, writer):
    writer.store(*(writer.job(run, exit_code=0) for run in range(1, 11)))
    seen = numbers(place, RunFilter(), 4)
    writer.store(writer.job(11), writer.job(12))
    while page := numbers(place, RunFilter(), 4, seen[-1]):
        seen += page
    assert seen == list(range(10, 0, -1))


@pytest.mark.parametrize(
    ("chosen", "found"),
    [
        (RunFilter(), [6, 5, 4, 3, 2, 1]),
        (RunFilter(first=2, last=4), [4, 3, 2]),
        (RunFilter(run_key="hi_run"), [4, 2]),
        (RunFilter(bad_only=True), [5, 4]),
        (RunFilter(with_lumis=True), [6, 5, 2, 1]),
        (RunFilter(run_key="hi_run", bad_only=True), [4]),
        (RunFilter(run_key="hi_run", bad_only=True, with_lumis=True), []),
    ],
)
def test_each_filter_leaves_what_it_says(place, writer, chosen, found):
    writer.store(
        writer.job(1, exit_code=-15),  # stopped on request is not bad
        writer.job(2, exit_code=0, run_key="hi_run"),
        writer.job(3, exit_code=0, lumi=0),
        writer.job(4, exit_code=86, run_key="hi_run", lumi=None),
        writer.job(5, exit_code=-11),
        writer.job(6),
    )
    assert numbers(place, chosen) == found
    with place.reader().reading() as connection:
        assert run_keys(connection) == ["hi_run", "pp_run"]


def test_the_csv_has_everything_that_is_chosen_in_pieces(place, writer, application):
    writer.store(*(writer.job(run, tag, exit_code=0) for run in range(1, 241) for tag in (BEAM, PIXEL)))
    writer.store(writer.job(240, BEAM, exit_code=-11, n_events=12))
    answer = ask(application, "/timeline/runs.csv?from=5&pin=crashed")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert "content-length" not in answer.headers
    rows = list(csv.reader(answer.text.splitlines()))
    assert rows[:3] == [
        ["run", "run_key", "release", "client", "state", "jobs", "events", "lumisection"],
        ["240", "pp_run", "15_0_4_47120", "beam", "crashed", "2", "4000", "40"],
        ["240", "pp_run", "15_0_4_47120", "pixel", "finished", "1", "4000", "40"],
    ]
    assert [int(row[0]) for row in rows[1:]] == [run for run in range(240, 4, -1) for _ in (BEAM, PIXEL)]
    assert ask(application, "/timeline/runs.csv?last=120&bad_only=1").text.count("\r\n") == 3
    assert ask(application, "/timeline/runs.csv?last=120").text.count("\r\n") == 241


def test_the_worst_job_is_behind_a_cell(place, writer, application):
    crashed = writer.job(9, BEAM, at=NOW - timedelta(hours=1), exit_code=-11)
    writer.store(writer.job(9, BEAM), crashed, writer.job(9, BEAM, at=NOW - timedelta(hours=2), exit_code=-11))
    answer = ask(application, f"/timeline/9/{BEAM}?palette=classic")
    assert (answer.status, answer.headers["location"]) == (
        303, f"/jobs/{crashed.document_id}?db=production&palette=classic",
    )  # fmt: skip
    assert ask(application, f"/timeline/9/{PIXEL}").status == 404
    assert ask(application, "/timeline/9/%3Cscript%3E").status == 404


def plan(connection, statement: Select, **values) -> str:
    sql = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    return json.dumps(connection.execute(text(f"EXPLAIN (FORMAT JSON) {sql}")).scalar_one())


def test_the_plans_go_by_indexes(any_place):
    """Not by a stop-watch: what reads an index backwards costs the same at any size."""
    any_place.rows("""
        INSERT INTO mirror.runs (run, run_key, n_jobs, n_open, n_finished, n_stopped, n_failed, n_crashed, last_lumi,
            n_input_gone, n_crashed_input_gone)
        SELECT run, (ARRAY['pp_run', 'hi_run', 'cosmic_run'])[1 + run / 100 % 3], 9, 0, 9, 0, 0,
            CASE WHEN run % 25 = 0 THEN 1 ELSE 0 END, CASE WHEN run % 3 = 0 THEN 0 ELSE 99 END, 0, 0
        FROM generate_series(1, 5000) AS run
    """)
    any_place.rows("""
        INSERT INTO mirror.run_clients (run, tag, n_jobs, n_open, n_finished, n_stopped, n_failed, n_crashed,
            n_input_gone, n_crashed_input_gone)
        SELECT run, 'client' || number, 1, 0, 1, 0, 0, 0, 0, 0
        FROM generate_series(1, 5000) AS run, generate_series(1, 9) AS number
    """)
    any_place.rows("ANALYZE mirror.runs, mirror.run_clients")
    used = {
        "runs_pkey": RunFilter(),
        "runs_of_key": RunFilter(run_key="hi_run"),
        "runs_bad": RunFilter(bad_only=True),
    }
    with any_place.owner().reading() as connection:
        plans = {index: plan(connection, select_runs(chosen, 100)) for index, chosen in used.items()}
        rare = plan(connection, select_runs(RunFilter(run_key="hi_run", bad_only=True, with_lumis=True), 100))
        newest = list(range(4901, 5001))
        others = [plan(connection, statement.params(runs=newest)) for statement in STATEMENTS.values()]
    assert {index: f'"Index Name": "{index}"' in found for index, found in plans.items()} == dict.fromkeys(used, True)
    assert not [found for found in (*plans.values(), rare, *others) if "Seq Scan" in found]
    assert not [found for found in plans.values() if '"Sort"' in found]
