"""Two grabbers on one host: one writes, the other takes over when the first is gone or hangs."""

import time

import psycopg2
import pytest

from dqmsquare.errors import LeaseLost, StoreUnavailable
from dqmsquare.grabber.keeper import LeaseKeeper
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.lease import Lease
from tests.examples import job_document
from tests.postgres import TestPlace

HOST = "hostid0000000001"


def _held_within(lease: Lease, seconds: float) -> bool:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if lease.hold():
            return True
        time.sleep(0.05)
    return False


def test_only_one_of_two_holds_a_host(place: TestPlace):
    first, second = (Lease(place.owner(), HOST, takeover_seconds=10) for _ in range(2))
    assert first.hold()
    assert not second.hold()
    with pytest.raises(LeaseLost), second.transaction():
        pass
    first.release()
    assert _held_within(second, 2)
    second.release()


def test_a_holder_that_stamps_keeps_the_host(place: TestPlace):
    first, second = (Lease(place.owner(), HOST, takeover_seconds=1.5) for _ in range(2))
    assert first.hold()
    keeper = LeaseKeeper(place.owner(), [first])
    keeper.start()
    try:
        assert not _held_within(second, 4)
    finally:
        keeper.stop()
        keeper.join()
        first.release()
        second.release()


def test_f33_a_holder_that_hangs_loses_its_connection_and_cannot_write_any_more(place: TestPlace):
    first = HostRecord(place.owner(), HOST, takeover_seconds=1)
    second = HostRecord(place.owner(), HOST, takeover_seconds=1)
    assert first.hold()
    assert _held_within(second.lease, 5)
    assert second.hold()
    with pytest.raises(StoreUnavailable):
        first.store([job_document()], head_rev=10)
    assert second.cursor.term == 2
    second.store([job_document()], head_rev=10)
    assert place.rows("SELECT rev FROM mirror.jobs") == [(10,)]
    second.release()


def test_f34_a_lost_connection_is_noticed_at_the_next_look(place: TestPlace):
    lease = Lease(place.owner(), HOST, takeover_seconds=10)
    assert lease.hold()
    place.rows("SELECT pg_terminate_backend(holder_pid) FROM mirror.leases")
    with pytest.raises(StoreUnavailable):
        lease.hold()
    assert not lease.held
    assert _held_within(lease, 2)
    lease.release()


def test_taking_a_host_over_raises_its_term(place: TestPlace):
    terms = []
    for _ in range(3):
        record = HostRecord(place.owner(), HOST, takeover_seconds=10)
        assert record.hold()
        terms.append(record.cursor.term)
        record.release()
    assert terms == [1, 2, 3]


def test_the_servers_role_can_read_and_not_write(place: TestPlace):
    with (
        psycopg2.connect(
            host=place.server.host, user="dqm_server", dbname=place.config.database_name("production")
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("SELECT count(*) FROM mirror.jobs")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            cursor.execute("DELETE FROM mirror.jobs")
