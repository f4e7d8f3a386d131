"""Cluster status: a row per change, not per question."""

from dqmsquare.storage.cursors import register_hosts
from dqmsquare.storage.host_queries import hosts_of_cluster, poll_ages
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.statuses import SeenStatus, record_check, record_statuses
from tests.examples import disk_document, memory_document
from tests.postgres import TestPlace

UP = SeenStatus("hostid0000000001", "fu..01", True, None)
DOWN = SeenStatus("hostid0000000002", "fu..02", False, "ConnectionError([address])")


def _record(place: TestPlace, *seen: SeenStatus) -> int:
    with place.owner().writing() as connection:
        return record_statuses(connection, "production", list(seen))


def test_f46_the_same_answer_again_adds_no_row(any_place: TestPlace):
    assert _record(any_place, UP, DOWN) == 2
    assert _record(any_place, UP, DOWN) == 0
    assert any_place.rows("SELECT host_id, is_up, seen_at > since FROM mirror.host_statuses ORDER BY 1") == [
        (UP.host_id, True, True),
        (DOWN.host_id, False, True),
    ]
    assert any_place.rows("SELECT kind, run FROM mirror.changes") == [("host", None)]


def test_f46_a_change_adds_one_and_a_failed_question_none(any_place: TestPlace):
    _record(any_place, UP)
    _record(any_place, SeenStatus(UP.host_id, UP.label, False, "gone"))
    with any_place.owner().writing() as connection:
        record_check(connection, "production", error="UpstreamTimeout")
    assert any_place.rows("SELECT is_up, message FROM mirror.host_statuses ORDER BY since") == [
        (True, None),
        (False, "gone"),
    ]
    assert any_place.rows("SELECT error, checked_at IS NOT NULL FROM mirror.status_checks") == [
        ("UpstreamTimeout", True)
    ]


def test_f45_hosts_are_shown_with_all_that_is_known_of_them(any_place: TestPlace):
    with any_place.owner().writing() as connection:
        register_hosts(connection, {UP.host_id: UP.label, "hostid0000000003": "fu..03"})
    _record(any_place, UP, DOWN)
    record = HostRecord(any_place.owner(), UP.host_id, takeover_seconds=10)
    record.hold()
    record.store([memory_document(), disk_document()])
    record.report("live", n_behind=3)
    record.release()
    with any_place.reader().reading() as connection:
        found = {host.host_id: host for host in hosts_of_cluster(connection)}
        ages = poll_ages(connection)
    assert sorted(found) == [UP.host_id, DOWN.host_id, "hostid0000000003"]
    up, down, never_asked = (found[key] for key in sorted(found))
    assert (up.is_configured, up.is_up, up.grabber_state, up.n_behind, up.epoch) == (True, True, "live", 3, 1)
    assert (up.memory_total_bytes, up.disk_used_bytes, up.disk_rename_percent) == (64 * 10**9, 8 * 10**9, 60.0)
    assert (down.is_configured, down.is_up, down.message, down.grabber_state) == (False, False, DOWN.message, None)
    assert (never_asked.is_configured, never_asked.is_up, never_asked.polled_at) == (True, None, None)
    assert ages["hostid0000000003"] is None
    assert 0 <= (ages[UP.host_id] or 0) < 60


def test_f46_a_host_that_cluster_status_no_longer_names_has_left_and_is_forgotten_after_a_day(any_place: TestPlace):
    _record(any_place, UP, DOWN)
    any_place.rows(
        "UPDATE mirror.host_statuses SET since = since - interval '2 days', seen_at = now() - interval '1 hour'"
    )
    _record(any_place, UP)
    with any_place.reader().reading() as connection:
        assert {host.host_id: host.has_left for host in hosts_of_cluster(connection)} == {
            UP.host_id: False,
            DOWN.host_id: True,
        }
    any_place.rows(
        f"UPDATE mirror.host_statuses SET seen_at = now() - interval '25 hours' WHERE host_id = '{DOWN.host_id}'"
    )
    with any_place.reader().reading() as connection:
        assert [host.host_id for host in hosts_of_cluster(connection)] == [UP.host_id]
