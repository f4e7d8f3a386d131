"""How long things are kept: logs of jobs, the quarantine."""

import pytest

from dqmsquare.storage import queries
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.store import Refused
from dqmsquare.storage.upkeep import clear_out
from tests.examples import job_document
from tests.postgres import TestPlace

OLD, YOUNG = "job0000000000001", "job0000000000002"


@pytest.fixture
def record(place: TestPlace):
    record = HostRecord(place.owner(), "hostid0000000001", takeover_seconds=10)
    assert record.hold()
    yield record
    record.release()


def kept_logs(place: TestPlace) -> dict[str, bool]:
    with place.reader().reading() as connection:
        return {job: queries.log_of_job(connection, job) is not None for job in (OLD, YOUNG)}


def test_security_g4_logs_go_after_their_days_and_the_jobs_stay(place: TestPlace, record: HostRecord):
    record.store([job_document(OLD, rev=1), job_document(YOUNG, rev=2)])
    place.rows("UPDATE mirror.jobs SET heard_at = now() - interval '6 days'")
    place.rows(f"UPDATE mirror.jobs SET heard_at = now() - interval '8 days' WHERE document_id = '{OLD}'")
    with place.owner().writing() as connection:
        clear_out(connection, log_retention_days=0, quarantine_retention_days=90)
    assert kept_logs(place) == {OLD: True, YOUNG: True}
    with place.owner().writing() as connection:
        clear_out(connection, log_retention_days=7, quarantine_retention_days=90)
    assert kept_logs(place) == {OLD: False, YOUNG: True}
    assert place.rows("SELECT document_id, has_log FROM mirror.jobs ORDER BY 1") == [(OLD, False), (YOUNG, True)]
    assert place.rows(f"SELECT body FROM mirror.job_logs WHERE document_id = '{OLD}'") == [(None,)]


def test_security_g4_the_quarantine_forgets_after_its_days(place: TestPlace, record: HostRecord):
    record.store((), [Refused("odd", "a reason", f"document{number}", number) for number in (1, 2)])
    place.rows("UPDATE mirror.quarantine SET at = now() - interval '91 days' WHERE rev = 1")
    with place.owner().writing() as connection:
        clear_out(connection, log_retention_days=0, quarantine_retention_days=90)
    assert place.rows("SELECT document_id FROM mirror.quarantine") == [("document2",)]
