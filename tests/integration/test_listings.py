"""What get_runs says of a run is made with the run's jobs, and is what the jobs say."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.listings import listings_between
from dqmsquare.storage.opening import upgrade
from tests.examples import RUN, job_document
from tests.postgres import TestPlace

SUMMER = datetime(2026, 6, 1, 12, 0, 0, 24707, tzinfo=UTC)
WINTER = datetime(2026, 1, 1, 23, 59, 59, tzinfo=UTC)


@pytest.fixture
def record(any_place: TestPlace) -> Iterator[HostRecord]:
    record = HostRecord(any_place.owner(), "hostid0000000001", takeover_seconds=10)
    assert record.hold()
    yield record
    record.release()


def listings(place: TestPlace, first: int = 0, last: int = 10**7) -> list[tuple[int, object]]:
    with place.reader().reading() as connection:
        return [(run, json.loads(body)) for run, body in listings_between(connection, first, last)]


def test_a_run_is_listed_as_its_jobs_are(any_place: TestPlace, record: HostRecord):
    unknown: dict[str, Any] = dict.fromkeys(
        ("n_events", "lumi", "fi_state", "exit_code", "reported_at", "run_key", "release")
    )
    record.store(
        [
            job_document("job0000000000003", tag="visualization-live", exit_code=0, cmssw_run=RUN - 1, at=WINTER),
            job_document("job0000000000002", host_label="fu..02", exit_code=-11, cmssw_run=None, at=SUMMER),
            job_document("job0000000000001", host_label='fu"1', cmssw_run=None, **unknown),
        ]
    )
    # In Geneva, with the offset of that day; without a fraction where there is none.
    beam = [
        ['fu"1', -1, -1, "", -1, ""],
        ["fu..02", 4000, 40, "0", -11, "2026-06-01T14:00:00.024707+02:00"],
    ]
    visualization = [["fu..01", 4000, 40, "0", 0, "2026-01-02T00:59:59+01:00"]]
    [(run, entry)] = listings(any_place)
    assert (run, entry) == (
        RUN,
        {
            "run_data": [RUN - 1, "pp_run", "15_0_4_47120"],
            "clients": {"beam": beam, "visualization-live": visualization},
        },
    )
    assert list(entry["clients"]) == ["beam", "visualization-live"]  # type: ignore[index]


def test_a_listing_follows_its_jobs(any_place: TestPlace, record: HostRecord):
    record.store([job_document(rev=10, lumi=40), job_document("job0000000000002", rev=11, run=RUN + 1)])
    record.store([job_document(rev=12, lumi=41)])
    [newer, (run, entry)] = listings(any_place)
    assert (newer[0], run, entry["clients"]["beam"][0][2]) == (RUN + 1, RUN, 41)  # type: ignore[index]
    assert [number for number, _ in listings(any_place, RUN, RUN)] == [RUN]
    record.store([job_document(rev=13, run=RUN + 1)])  # a process may overwrite the run it was started for
    assert [(number, len(entry["clients"]["beam"])) for number, entry in listings(any_place)] == [(RUN + 1, 2)]  # type: ignore[index]


def test_listings_are_read_a_few_at_a_time(any_place: TestPlace, record: HostRecord, monkeypatch: pytest.MonkeyPatch):
    runs = (RUN, RUN + 1, RUN + 2, RUN + 5, RUN + 9)
    record.store([job_document(f"job000000000000{run - RUN}", rev=run, run=run) for run in runs])
    for at_a_time in (1, 2, 5, 6):
        monkeypatch.setattr("dqmsquare.storage.listings._RUNS_AT_A_TIME", at_a_time)
        assert [run for run, _ in listings(any_place, RUN + 1, RUN + 9)] == [RUN + 9, RUN + 5, RUN + 2, RUN + 1]


def test_upgrading_lists_the_runs_that_are_there(any_place: TestPlace, record: HostRecord):
    record.store([job_document(at=SUMMER), job_document("job0000000000002", run=RUN + 1, exit_code=-6, at=WINTER)])
    before = listings(any_place)
    any_place.rows("DROP TABLE mirror.run_listings")
    any_place.rows("UPDATE mirror.schema_version SET version_num = '0006'")
    upgrade(any_place.config, any_place.place)
    assert len(before) == 2
    assert listings(any_place) == before
