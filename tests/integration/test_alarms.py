"""Alarms in the database: stored once, announced, queued for the webhook, resolved, cleared out."""

import threading
from datetime import UTC, datetime

import psycopg2
import pytest

from dqmsquare.alarm_names import Rule
from dqmsquare.grabber.alarms import AlarmWatch
from dqmsquare.storage.alarm_queries import alarms_of, open_alarms, recent_alarms
from dqmsquare.storage.alarms import NewAlarm, forget_old_alarms, raise_alarms
from dqmsquare.storage.change_queries import changes_after
from dqmsquare.storage.cursors import register_hosts
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.lease import Lease
from dqmsquare.storage.rows import Change
from dqmsquare.storage.statuses import SeenStatus, record_statuses
from tests.examples import disk_document, job_document
from tests.postgres import TestPlace

HOST = "hostid0000000001"
CRASH = NewAlarm(rule=Rule.JOB_CRASHED, subject="job1", words="beam crashed", run=398220, job_id="job1")
DOWN = NewAlarm(rule=Rule.HOST_DOWN, subject=HOST, begin="100", words="fu..01 is down", host_id=HOST)
CRASH_KEY, DOWN_KEY = (alarm.key("production") for alarm in (CRASH, DOWN))


def raise_them(place: TestPlace, *found: NewAlarm, resolved=(), is_queued=True) -> list[str]:
    with place.owner().writing() as connection:
        return raise_alarms(connection, "production", found, is_queued=is_queued, resolved=resolved)


def test_an_alarm_is_stored_queued_and_announced_once(any_place: TestPlace):
    assert sorted(raise_them(any_place, CRASH, DOWN)) == sorted([CRASH_KEY, DOWN_KEY])
    assert raise_them(any_place, DOWN, CRASH) == []
    assert any_place.rows("SELECT alarm_key, n_tries, sent_at FROM mirror.webhook_outbox ORDER BY 1") == [
        (DOWN_KEY, 0, None),
        (CRASH_KEY, 0, None),
    ]
    with any_place.reader().reading() as connection:
        assert changes_after(connection, 0) == [
            Change(1, "alarm", None, DOWN_KEY),
            Change(2, "alarm", None, CRASH_KEY),
        ]
        [row] = alarms_of(connection, [CRASH_KEY, "another"])
    assert (row.rule, row.words, row.run, row.job_id, row.resolved_at) == (
        "JobCrashed",
        "beam crashed",
        398220,
        "job1",
        None,
    )


def test_without_a_webhook_nothing_is_queued(any_place: TestPlace):
    raise_them(any_place, CRASH, is_queued=False)
    assert any_place.rows("SELECT count(*) FROM mirror.webhook_outbox") == [(0,)]


def test_what_is_over_is_announced_and_the_next_time_has_a_key_of_its_own(any_place: TestPlace):
    raise_them(any_place, DOWN)
    again = NewAlarm(rule=Rule.HOST_DOWN, subject=HOST, begin="200", words="fu..01 is down", host_id=HOST)
    assert raise_them(any_place, again) == []  # it is down already
    assert raise_them(any_place, resolved=[DOWN_KEY]) == []
    assert raise_them(any_place, DOWN) == []  # the same fact, seen late
    assert raise_them(any_place, again) == [again.key("production")]
    with any_place.reader().reading() as connection:
        assert [change.alarm_key for change in changes_after(connection, 0)] == [
            DOWN_KEY,
            DOWN_KEY,
            again.key("production"),
        ]
        assert [alarm.alarm_key for alarm in open_alarms(connection)] == [again.key("production")]
        assert [alarm.alarm_key for alarm in recent_alarms(connection, 10)] == [again.key("production"), DOWN_KEY]
        assert len(recent_alarms(connection, 1)) == 1


def test_of_several_that_find_the_same_one_stores_it(any_place: TestPlace):
    found = [
        NewAlarm(rule=Rule.JOB_CRASHED, subject=f"job{n}", words="crashed", job_id=f"job{n}", run=1) for n in range(50)
    ]
    stored: list[str] = []
    failed: list[Exception] = []
    together = threading.Barrier(6)

    def find(order: int) -> None:
        try:
            together.wait()
            stored.extend(raise_them(any_place, *(found if order % 2 else reversed(found))))
        except Exception as error:  # noqa: BLE001  (whatever it is)
            failed.append(error)

    threads = [threading.Thread(target=find, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(stored) == len(set(stored)) == 50
    assert any_place.rows("SELECT count(*) FROM mirror.alarms") == [(50,)]
    assert any_place.rows("SELECT count(*) FROM mirror.changes") == [(50,)]


def test_old_alarms_that_are_over_and_the_old_outbox_are_cleared_out(any_place: TestPlace):
    raise_them(any_place, CRASH, DOWN)
    raise_them(any_place, resolved=[DOWN_KEY])
    any_place.rows(
        "UPDATE mirror.alarms SET raised_at = now() - interval '9 days', resolved_at = resolved_at - interval '9 days'"
    )
    any_place.rows("UPDATE mirror.webhook_outbox SET queued_at = now() - interval '8 days'")
    any_place.rows(f"UPDATE mirror.webhook_outbox SET sent_at = now() WHERE alarm_key = '{CRASH_KEY}'")
    with any_place.owner().writing() as connection:
        assert forget_old_alarms(connection, 10) == 1
        assert forget_old_alarms(connection, 8) == 0
    assert any_place.rows("SELECT alarm_key FROM mirror.alarms") == [(CRASH_KEY,)]
    assert any_place.rows("SELECT count(*) FROM mirror.webhook_outbox") == [(0,)]


def test_the_servers_role_may_raise_alarms_and_mark_them_sent_and_nothing_else(any_place: TestPlace):
    with any_place.reader().writing() as connection:
        assert raise_alarms(connection, "production", [DOWN], is_queued=True) == [DOWN_KEY]
    for forbidden in (
        "UPDATE mirror.alarms SET resolved_at = now()",
        "DELETE FROM mirror.alarms",
        "UPDATE mirror.webhook_outbox SET alarm_key = 'x'",
        "DELETE FROM mirror.webhook_outbox",
        "UPDATE mirror.changes SET run = 1",
        "INSERT INTO mirror.jobs DEFAULT VALUES",
        "UPDATE mirror.leases SET holder_pid = 1",
    ):
        with (
            psycopg2.connect(
                host=any_place.server.host, user="dqm_server", dbname=any_place.config.database_name("production")
            ) as plain,
            plain.cursor() as cursor,
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
        ):
            cursor.execute(forbidden)


class Grabber:
    """A host's record, and the watch over the alarms that belongs to it."""

    def __init__(self, place: TestPlace) -> None:
        self.place = place
        with place.owner().writing() as connection:
            register_hosts(connection, {HOST: "fu..01"})
        self.record = HostRecord(place.owner(), HOST, takeover_seconds=10)
        assert self.record.hold()
        self.watch = self.new_watch()

    def new_watch(self) -> AlarmWatch:
        lease = Lease(self.place.owner(), "cluster", takeover_seconds=10)
        return AlarmWatch(self.place.owner(), lease, self.place.config, lambda: None)

    def status(self, *, is_up: bool | None) -> None:
        with self.place.owner().writing() as connection:
            record_statuses(connection, "production", [SeenStatus(HOST, "fu..01", is_up, None)])


@pytest.fixture
def grabber(any_place: TestPlace):
    made = Grabber(any_place)
    yield made
    made.record.release()


def test_what_is_stored_is_found_and_a_watch_that_starts_anew_finds_nothing_new(grabber: Grabber):
    now = datetime.now(UTC)
    assert grabber.watch.step() == []
    grabber.record.store([job_document(at=now, exit_code=-11), disk_document(at=now, used_bytes=31 * 10**9)])
    grabber.status(is_up=False)
    keys = grabber.watch.step()
    assert [key.rsplit("/", 1)[0] for key in sorted(keys)] == [
        f"production/HostDown/{HOST}",
        "production/JobCrashed",
        f"production/RamdiskFull/{HOST}",
    ]
    assert grabber.watch.step() == []
    assert grabber.new_watch().step() == []
    grabber.status(is_up=True)
    grabber.watch.step()
    assert [row for (row,) in grabber.place.rows("SELECT rule FROM mirror.alarms WHERE resolved_at IS NOT NULL")] == [
        "HostDown"
    ]
    grabber.status(is_up=False)
    assert len(grabber.watch.step()) == 1
    assert grabber.place.rows("SELECT count(*) FROM mirror.alarms WHERE rule = 'HostDown'") == [(2,)]


def test_a_run_of_long_ago_raises_nothing(grabber: Grabber):
    grabber.record.store([job_document(exit_code=-11)])
    assert grabber.watch.step() == []


def test_changes_to_old_runs_are_no_reason_to_look(grabber: Grabber, monkeypatch: pytest.MonkeyPatch):
    now = datetime.now(UTC)
    grabber.record.store([job_document("new1", at=now, run=398300), job_document("new2", at=now, run=398299)])
    looked: list[int] = []
    monkeypatch.setattr(grabber.watch, "_tell", lambda *_: looked.append(1))
    grabber.watch.step()
    grabber.record.store([job_document("old", run=390000)])
    grabber.watch.step()
    assert len(looked) == 1
    grabber.record.store([job_document("new1", 11, at=now, run=398300)])
    grabber.watch.step()
    assert len(looked) == 2


def test_the_mirror_is_no_longer_behind_when_the_host_is_polled(grabber: Grabber):
    behind = NewAlarm(rule=Rule.MIRROR_BEHIND, subject=HOST, begin="1", words="not polled", host_id=HOST)
    raise_them(grabber.place, behind)
    grabber.watch.step()
    with grabber.place.reader().reading() as connection:
        assert [alarm.rule for alarm in open_alarms(connection)] == ["MirrorBehind"]
    grabber.record.report("live")
    grabber.watch.step()
    with grabber.place.reader().reading() as connection:
        assert open_alarms(connection) == []
