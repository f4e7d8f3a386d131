"""The lists that only the API asks for: page by page, nothing twice, nothing left out."""

from datetime import timedelta

import pytest
from sqlalchemy.dialects import postgresql

from dqmsquare.storage.api_queries import HostName, StatusRow, host, list_alarms, select_alarms, statuses_of_host
from tests.examples import NOW
from tests.postgres import TestPlace

HOST, OTHER = "hostid0000000001", "hostid0000000002"


@pytest.fixture
def filled(any_place: TestPlace) -> TestPlace:
    any_place.rows(
        f"INSERT INTO mirror.hosts VALUES ('{HOST}', 'fu..01', true), ('{OTHER}', 'fu..02', true) RETURNING 1"
    )
    any_place.rows(
        "INSERT INTO mirror.host_statuses (host_id, since, seen_at, is_up, message) "
        f"SELECT '{HOST}', timestamptz '{NOW}' + n * interval '1 min', timestamptz '{NOW}' + n * interval '1 min', "
        "n % 2 = 0, 'status ' || n FROM generate_series(0, 9) n RETURNING 1"
    )
    # Three at each instant: a list that went on by time alone would lose some.
    any_place.rows(
        "INSERT INTO mirror.alarms (alarm_key, rule, subject, words, host_id, raised_at, resolved_at) "
        "SELECT 'production/HostDown/' || n, 'HostDown', 's' || n, 'words', "
        f"CASE WHEN n % 3 = 0 THEN '{HOST}' END, timestamptz '{NOW}' + (n / 3) * interval '1 s', "
        f"CASE WHEN n % 2 = 0 THEN timestamptz '{NOW}' END FROM generate_series(0, 999) n RETURNING 1"
    )
    return any_place


def test_a_host_has_its_statuses_newest_first(filled: TestPlace):
    with filled.reader().reading() as connection:
        assert (host(connection, HOST), host(connection, "x")) == (HostName(host_id=HOST, label="fu..01"), None)
        first = statuses_of_host(connection, HOST, 4)
        rest = statuses_of_host(connection, HOST, 100, first[-1].since)
        assert statuses_of_host(connection, OTHER, 100) == []
    assert [row.message for row in (*first, *rest)] == [f"status {n}" for n in range(9, -1, -1)]
    newest = NOW + timedelta(minutes=9)
    assert first[0] == StatusRow(since=newest, seen_at=newest, is_up=False, message="status 9")


@pytest.mark.parametrize("standing_only", [False, True])
def test_the_pages_of_the_alarms_are_all_of_them(filled: TestPlace, standing_only: bool):
    found, before = [], None
    with filled.reader().reading() as connection:
        while page := list_alarms(connection, 70, before, standing_only=standing_only):
            found += page
            before = (page[-1].alarm.raised_at, page[-1].alarm.alarm_key)
    keys = [(row.alarm.raised_at, row.alarm.alarm_key) for row in found]
    assert keys == sorted(set(keys), reverse=True)
    assert len(keys) == (500 if standing_only else 1000)
    labels = {row.alarm.host_id: row.host_label for row in found}
    assert labels == {HOST: "fu..01", None: None}


def test_a_page_of_alarms_reads_no_more_than_the_page(filled: TestPlace):
    statement = select_alarms(50, (NOW + timedelta(seconds=200), "x"))
    sql = statement.compile(dialect=postgresql.dialect(), compile_kwargs={"literal_binds": True})
    plan = str(filled.rows(f"EXPLAIN {sql}"))
    assert "Index Scan Backward using alarms_raised" in plan
    assert "Seq Scan on alarms" not in plan
