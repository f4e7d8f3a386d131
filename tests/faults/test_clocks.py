"""Clocks that are wrong: Point 5's, ours when it is set, and the hour that comes twice in October."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from dqmsquare.config import parse_config
from dqmsquare.errors import UpstreamTimeout
from dqmsquare.grabber import pace as pace_module
from dqmsquare.grabber import supervisor, worker
from dqmsquare.grabber.pace import Outage, Pace
from dqmsquare.logs import OneLine
from dqmsquare.monitoring import Heartbeats, prepare_folder
from dqmsquare.server import formats
from dqmsquare.server.judging import judge_jobs
from dqmsquare.states import State
from dqmsquare.storage import host_record, queries
from dqmsquare.storage.host_queries import poll_ages
from dqmsquare.storage.host_record import HostRecord
from tests.examples import RUN, job_document
from tests.faults.pages import application_on
from tests.faults.test_documents import JOB_ID, now_job
from tests.faults.wire import HOST, Wire
from tests.postgres import TestPlace
from tests.unit.server.server_fakes import ask

HOUR = 3600.0
# On 2026-10-25 it is 02:30 in Geneva twice: at 00:30 and at 01:30 UTC.
FIRST = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
AGAIN = datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_f21_a_documents_clock_decides_neither_age_nor_order(wire: Wire, tmp_path: Path):
    now = datetime.now(UTC).timestamp()
    stamps: dict[str, Any] = {
        "ahead": now + 7200, "long-ago": now - 10 * 365 * 86_400, "1e18": 1e18, "nan": float("nan"), "none": None,
        "right": now,
    }  # fmt: skip
    for name, stamp in stamps.items():
        times = {"report_timestamp": stamp, "timestamp": stamp, "update_timestamp": "", "exit_code": None}
        wire.simulator.upload(HOST, now_job({"_id": f"{JOB_ID}-{name}", "tag": f"{name}-live", "run": 358788} | times))
    wire.settle()
    with wire.place.reader().reading() as connection:
        jobs = queries.jobs_of_run(connection, 358788)
    flagged = {job.tag.removesuffix("-live") for job in jobs if "clock" in job.flags}
    assert flagged == {"ahead", "1e18", "nan"}
    latest = max(job.received_at for job in jobs)
    assert all(job.heard_at <= latest for job in jobs), "clamped to when it came"
    later = latest + timedelta(seconds=30)
    judged = judge_jobs(jobs, newest_run=358788, host_has_left={}, now=later, stuck_after_seconds=900)
    states = {one.job.tag.removesuffix("-live"): one.state for one in judged}
    assert states == dict.fromkeys(stamps, State.RUNNING) | {"long-ago": State.STUCK}
    # An hour later it has been silent for an hour, whatever its clock had said.
    judged = judge_jobs(
        jobs, newest_run=358788, host_has_left={}, now=latest + timedelta(hours=1), stuck_after_seconds=900
    )
    assert {one.state for one in judged} == {State.STUCK}
    application = application_on(wire.place, tmp_path)
    for order in ("client", "state", "updated"):
        page = ask(application, f"/?run=358788&sort={order}")
        assert (page.status, page.text.count('id="job-') >= 6) == (200, True)


class Stepping:
    """A wall clock that somebody sets at each look."""

    def __init__(self) -> None:
        self.now, self.step = 1.8e9, HOUR

    def __call__(self) -> float:
        self.now += self.step
        self.step = -self.step
        return self.now


def test_f22_no_pace_follows_the_wall_clock(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(time, "time", Stepping())
    config = parse_config({}, role="database", as_root=False)
    pace = Pace("host", 1.0, config, Outage(3.0, time.monotonic), time.monotonic)
    pace.succeeded()
    assert 0 < pace.seconds_left() <= 1.0
    pace.failed(UpstreamTimeout("late"))
    assert 0 < pace.seconds_left() <= 1.2


@pytest.mark.parametrize("module", [pace_module, worker, supervisor])
def test_f22_what_waits_in_the_grabber_never_asks_for_the_wall_clock(module: Any):
    source = Path(module.__file__).read_text()
    assert "time.time(" not in source
    assert source.count("datetime.now(") == source.count("lambda: datetime.now(UTC), count_odd")  # when a document came


def test_f22_a_worker_goes_on_polling_while_its_clock_is_set(wire: Wire, monkeypatch: pytest.MonkeyPatch):
    wire.upload(1)
    wire.settle()
    monkeypatch.setattr(time, "time", Stepping())
    n_listings = wire.simulator.requests.count(event="sync_request")
    for number in range(2, 7):
        wire.upload(number)
        wire.cycle()
    assert wire.simulator.requests.count(event="sync_request") - n_listings == 5, "no break was seen, nothing relisted"
    wire.settle()


def test_f22_a_clock_that_is_set_makes_nobody_look_dead_and_nobody_who_hangs_alive(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    beats = Heartbeats(prepare_folder(tmp_path, "heartbeats"))
    beats.beat(is_ready=True)
    for step in (HOUR, -HOUR):
        monkeypatch.setattr(time, "time", lambda step=step: 1.8e9 + step)
        assert beats.all_alive()
    hung = Heartbeats(tmp_path / "heartbeats", lambda: time.monotonic() + 31)
    assert not hung.all_alive()


def test_f22_ages_are_counted_by_the_databases_clock_alone(place: TestPlace, monkeypatch: pytest.MonkeyPatch):
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Ahead":
            return cls.fromtimestamp(time.time() + HOUR, tz)

    monkeypatch.setattr(host_record, "datetime", Ahead)
    record = HostRecord(place.owner(), "hostid0000000001", takeover_seconds=10)
    record.hold()
    record.report("live")
    record.release()
    place.rows("INSERT INTO mirror.hosts (host_id, label, is_configured) VALUES ('hostid0000000001', 'fu..01', true)")
    with place.reader().reading() as connection:
        age = poll_ages(connection)["hostid0000000001"]
    assert age is not None
    assert 0 <= age < 60


@pytest.fixture
def in_geneva(monkeypatch: pytest.MonkeyPatch):
    """A machine, and a PostgreSQL, whose own time is Geneva's."""
    monkeypatch.setenv("TZ", "Europe/Zurich")
    time.tzset()
    yield
    monkeypatch.delenv("TZ")
    time.tzset()


@pytest.mark.usefixtures("in_geneva")
def test_f22_the_hour_that_comes_twice_is_two_hours(place: TestPlace, tmp_path: Path):
    name = place.config.database_name("production")
    place.server.execute(f"ALTER DATABASE {name} SET timezone TO 'Europe/Zurich'")
    assert time.localtime(FIRST.timestamp())[:5] == time.localtime(AGAIN.timestamp())[:5]
    record = HostRecord(place.owner(), "hostid0000000001", takeover_seconds=10)
    record.hold()
    for number, at in enumerate((FIRST, AGAIN)):
        record.store([job_document(f"job{number}", rev=number, at=at, tag=f"client{number}")])
    record.store([job_document("job1", rev=7, at=FIRST, tag="client1")])  # a newer revision, by a clock an hour behind
    record.release()
    with place.reader().reading() as connection:
        heard = {job.job_id: job.heard_at for job in queries.jobs_of_run(connection, RUN)}
    assert heard == {"job0": FIRST, "job1": FIRST}
    assert all(at.utcoffset() == timedelta(0) for at in heard.values())
    assert formats.full_time(FIRST).split(" · ") == ["2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00Z"]
    assert formats.full_time(AGAIN).split(" · ") == ["2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"]
    answer = ask(application_on(place, tmp_path), f"/api?what=get_run&run={RUN}")
    assert answer.status == 200


@pytest.mark.usefixtures("in_geneva")
def test_f22_lines_of_the_log_do_not_repeat_an_hour():
    import logging

    lines = []
    for at in (FIRST, AGAIN):
        record = logging.LogRecord("x", logging.INFO, "", 0, "line", None, None)
        record.created, record.msecs = at.timestamp(), 0
        lines.append(OneLine().format(record)[:20])
    assert lines == ["2026-10-25T00:30:00.", "2026-10-25T01:30:00."]
