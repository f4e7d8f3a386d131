"""Rows F31 to F33 of the fault table: the grabber killed, told to stop, doubled and paused, at any point."""

import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dqmsquare.errors import StoreUnavailable
from dqmsquare.storage.engine import Database, owner_database
from dqmsquare.storage.failpoints import EXIT_STATUS, Failpoint, install
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.store import Refused
from tests.chaos.kills import kill_again_and_again
from tests.examples import delivery_document, disk_document, job_document, memory_document, playback_document
from tests.faults.nursery_stage import NurseryStage, nursery_stage
from tests.postgres import TestPlace
from tests.programs import wait_for

HOST = "hostid0000000001"
_TABLES = (
    "cursors", "jobs", "job_series", "job_logs", "deliveries", "playbacks", "host_memory", "host_disks", "quarantine",
    "runs", "run_clients",
)  # fmt: skip
POINTS = (
    "before:update-cursors", "after:insert-jobs", "after:insert-job_logs", "after:lock", "after:insert-runs",
    "after:notify", "before:commit", "after:commit",
)  # fmt: skip


@pytest.fixture
def stage(place: TestPlace, tmp_path: Path) -> Iterator[NurseryStage]:
    with nursery_stage(place, tmp_path) as stage:
        yield stage


def _store(record: HostRecord) -> None:
    """A batch with something of everything, in which a job moves to another run."""
    documents: list[Any] = [job_document(rev=11, run=398221), job_document("job0000000000002"), delivery_document()]
    documents += [memory_document(), disk_document(), playback_document()]
    record.store(documents, [Refused("missing", document_id="job0000000000003", rev=12)], head_rev=40, tail_rev=0)


def _held(database: Database) -> HostRecord:
    record = HostRecord(database, HOST, takeover_seconds=10)
    while not record.hold():  # the connection of the one before is ending
        time.sleep(0.005)
    return record


def _prepared(place: TestPlace, database: Database) -> HostRecord:
    """A host with one job, before the batch."""
    place.rows("; ".join(f"DELETE FROM mirror.{name}" for name in _TABLES))
    record = _held(database)
    record.store([job_document()], head_rev=10)
    return record


def _content(place: TestPlace) -> list[tuple]:
    left_out = "- 'term' - 'at' - 'quarantine_id' - 'polled_at'"
    selects = (f"SELECT '{name}', (to_jsonb(t) {left_out})::text AS row FROM mirror.{name} t" for name in _TABLES)
    return place.rows(" UNION ALL ".join(selects) + " ORDER BY 1, 2")


class Killed(BaseException):
    """Nothing catches it, as nothing catches SIGKILL."""


def _die() -> None:
    raise Killed


def test_f31_a_death_at_any_point_of_a_batch_leaves_it_whole_or_absent(place: TestPlace):
    failpoint, database = Failpoint("", _die), place.owner()
    record = _prepared(place, database)
    absent = _content(place)
    install(database.engine, failpoint)
    _store(record)
    record.release()
    whole = _content(place)
    points = list(dict.fromkeys(failpoint.passed))
    assert len(points) >= 28
    assert set(POINTS) <= set(points)
    for point in points:
        failpoint.point = ""
        record = _prepared(place, database)
        failpoint.point, failpoint.is_spent = point, False
        with pytest.raises((Killed, StoreUnavailable)):  # SQLAlchemy closes the connection, as a death does
            _store(record)
        record.release()
        assert _content(place) == (whole if point == "after:commit" else absent), point
        again = _held(database)
        _store(again)
        again.release()
        assert _content(place) == whole, point


def test_f31_a_process_that_ends_at_a_point_is_made_up_for_by_the_next(stage: NurseryStage):
    for point in POINTS:
        dying = stage.start(DQMSQUARE_FAILPOINT=f"{point}:exit")
        stage.produce(10)
        assert dying.wait() == EXIT_STATUS, dying.said()
    stage.start()
    stage.settle()
    assert stage.compare().differences == []


def test_f31_outside_development_there_are_no_failpoints(place: TestPlace, tmp_path: Path):
    config = replace(place.config, env="production", failpoint="before:update-cursors:raise")
    record = HostRecord(owner_database(config, "production", place.server.host, name="test"), HOST, takeover_seconds=10)
    assert record.hold()
    _store(record)
    record.release()


def test_f31_killed_twenty_times_at_random_instants_it_loses_nothing(stage: NurseryStage):
    kill_again_and_again(stage, 20)
    verdict = stage.compare()
    assert verdict.differences == [], verdict
    assert verdict.quarantine == {}
    assert not list((stage.folder / "tmp").glob("*")), "a file is left that nobody owns"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_f32_told_to_stop_at_any_point_it_ends_with_the_batch_whole_or_absent(
    stage: NurseryStage, number: signal.Signals
):
    for point in POINTS[:: 2 if number == signal.SIGTERM else 3]:
        told = stage.start(DQMSQUARE_FAILPOINT=f"{point}:sleep")
        stage.produce(10)
        wait_for(partial(told.has_said, "failpoint"), f"it is at {point}")
        told.signal(number)
        assert told.wait(10) == 0, told.said()
        wait_for(lambda: stage.n_locks() == 0, "the leases were given back", 2)
    stage.start()
    stage.settle()
    assert stage.compare().differences == []


@pytest.mark.parametrize("phase", ["start", "sleep"])
def test_f32_told_to_stop_while_it_starts_or_waits_it_gives_its_hosts_back(stage: NurseryStage, phase: str):
    told = stage.start(GRABBER_SLEEP_TIME_INFO="3600")
    if phase == "start":
        wait_for(partial(told.has_said, "taken"), "it takes its hosts")
    else:
        wait_for(lambda: stage.place.rows("SELECT 1 FROM mirror.cursors WHERE state = 'live'"), "it has polled")
    told.signal(signal.SIGTERM)
    assert told.wait(10) == 0
    wait_for(lambda: stage.n_locks() == 0, "the leases were given back", 2)


def test_f33_a_paused_grabber_that_wakes_up_cannot_write(stage: NurseryStage):
    stage.place.rows("CREATE TABLE mirror.writers (host_id text, term bigint, pid integer, n serial)")
    stage.place.rows(
        "CREATE FUNCTION mirror.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO mirror.writers "
        "VALUES (NEW.host_id, NEW.term, pg_backend_pid()); RETURN NEW; END $$"
    )
    stage.place.rows("CREATE TRIGGER note AFTER UPDATE ON mirror.cursors FOR EACH ROW EXECUTE FUNCTION mirror.note()")
    first = stage.start()
    wait_for(lambda: stage.terms() == [1, 1, 1], "the first has the hosts")
    second = stage.start()
    with stage.producing():
        time.sleep(1)
        assert stage.terms() == [1, 1, 1], "the second stands by"
        first.signal(signal.SIGSTOP)
        try:
            wait_for(lambda: stage.terms() == [2, 2, 2], "the second took over", 15)
            time.sleep(0.5)
        finally:
            first.signal(signal.SIGCONT)
        time.sleep(2)
    stage.settle()
    assert stage.terms() == [2, 2, 2], "the first one is the standby now"
    written = stage.place.rows(
        "SELECT host_id, array_agg(term ORDER BY n), count(DISTINCT pid) FROM mirror.writers GROUP BY 1"
    )
    for host_id, terms, n_writers in written:
        assert terms == sorted(terms), f"somebody wrote host {host_id} under a term that was over"
        assert (len(set(terms)), n_writers) == (2, 2)
    assert stage.compare().differences == []
    for grabber in (first, second):
        grabber.signal(signal.SIGTERM)
        assert grabber.wait(10) == 0
