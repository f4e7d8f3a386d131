"""Statistics in SQL: a few runs whose every number is written out."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from dqmsquare.errors import TooManyRuns
from dqmsquare.storage import statistics_rates, statistics_selection
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.statistics import ClientEnds, RunGroup, client_ends, runs_by_key, runs_by_release
from dqmsquare.storage.statistics_rates import (
    ClientRate,
    RateOfLumis,
    RateOfRuns,
    client_rates,
    rates_by_lumis,
    rates_by_run,
)
from dqmsquare.storage.statistics_runs import RunFacts, run_facts
from dqmsquare.storage.statistics_selection import Selection, select_runs
from tests.examples import job_document
from tests.known_runs import ENDED_AT, HOST, STARTED_AT, store_known_runs
from tests.postgres import TestPlace, copied_databases

STUCK_AFTER = 900.0
SIGMA: Any = pytest.approx(6.75**0.5)  # of 4, 6, 10 and 10 s
BEAM, DT, ECAL = (f"{client}_dqm_sourceclient-live" for client in ("beam", "dt", "ecal"))


@pytest.fixture(scope="module", params=[18, 15])
def filled(request: pytest.FixtureRequest, tmp_path_factory) -> Iterator[TestPlace]:
    server, templates = (request.getfixturevalue(f"{name}_{request.param}") for name in ("postgres", "templates"))
    with copied_databases(server, templates, tmp_path_factory.mktemp("statistics")) as place:
        store_known_runs(place)
        yield place


def choose(place: TestPlace, **wanted) -> Selection | None:
    with place.reader().reading() as connection:
        return select_runs(connection, stuck_after_seconds=STUCK_AFTER, **wanted)


def rows(place: TestPlace, question, **wanted) -> list:
    with place.reader().reading() as connection:
        selection = select_runs(connection, stuck_after_seconds=STUCK_AFTER, **wanted)
        return question(connection, selection) if selection else []


def rounded(rates: list) -> list:
    """Rates as tuples, without what a whole number of events leaves behind the point."""
    values = ([getattr(rate, name) for name in rate.__slots__] for rate in rates)
    return [tuple(round(value, 2) if isinstance(value, float) else value for value in one) for one in values]


def test_each_job_counts_once_and_one_whose_files_were_gone_is_no_crash(filled: TestPlace):
    nothing = dict.fromkeys(
        ("n_finished", "n_stopped", "n_crashed", "n_failed", "n_stuck", "n_input_gone", "n_open"), 0
    )
    found = rows(filled, client_ends)
    assert found == [
        ClientEnds(
            tag=DT, n_runs=3, n_bad_runs=2, n_jobs=3, **nothing | {"n_crashed": 1, "n_stopped": 1, "n_stuck": 1}
        ),
        ClientEnds(
            tag=BEAM, n_runs=3, n_bad_runs=1, n_jobs=4, **nothing | {"n_failed": 1, "n_finished": 2, "n_input_gone": 1}
        ),
        ClientEnds(
            tag=ECAL, n_runs=3, n_bad_runs=1, n_jobs=3, **nothing | {"n_stuck": 1, "n_input_gone": 1, "n_open": 1}
        ),
    ]
    assert all(sum(getattr(one, name) for name in nothing) == one.n_jobs for one in found)


def test_runs_are_counted_by_run_key_and_by_release(filled: TestPlace):
    collisions: dict[str, Any] = {"kind": "collisions", "n_runs": 2, "n_bad_runs": 2, "n_lumis": 250, "n_jobs": 7}
    cosmics: dict[str, Any] = {"kind": "cosmics", "n_runs": 1, "n_bad_runs": 1, "n_lumis": 10, "n_jobs": 3}
    assert rows(filled, runs_by_key) == [
        RunGroup(name="pp_run", first_run=100, last_run=102, **collisions),
        RunGroup(name="cosmic_run", first_run=101, last_run=101, **cosmics),
    ]
    assert rows(filled, runs_by_release) == [
        RunGroup(name="15_0_4_47120", first_run=100, last_run=102, **collisions),
        RunGroup(name="15_0_5", first_run=101, last_run=101, **cosmics),
    ]


def test_rates_are_of_each_client_cosmics_and_collisions_apart(filled: TestPlace):
    assert list(ClientRate.__slots__) == ["kind", "tag", "n_runs", "mean_hz", "sigma_hz", "lowest_hz", "highest_hz"]
    assert rounded(rows(filled, client_rates)) == [
        ("collisions", BEAM, 2, 25.0, 5.0, 20.0, 30.0),
        ("collisions", DT, 2, 12.0, 2.0, 10.0, 14.0),
        ("collisions", ECAL, 2, 6.0, 1.0, 5.0, 7.0),
        ("cosmics", BEAM, 1, 2.0, 0.0, 2.0, 2.0),
        ("cosmics", DT, 1, 1.0, 0.0, 1.0, 1.0),
        ("cosmics", ECAL, 1, 1.0, 0.0, 1.0, 1.0),
    ]


def test_rates_follow_the_runs_and_their_length(filled: TestPlace):
    assert list(RateOfRuns.__slots__) == ["kind", "tag", "first_run", "last_run", "n_runs", "mean_hz", "sigma_hz"]
    assert rounded(rows(filled, rates_by_run, run_key="pp_run")) == [
        ("collisions", BEAM, 100, 100, 1, 20.0, 0.0),
        ("collisions", BEAM, 102, 102, 1, 30.0, 0.0),
        ("collisions", DT, 100, 100, 1, 10.0, 0.0),
        ("collisions", DT, 102, 102, 1, 14.0, 0.0),
        ("collisions", ECAL, 100, 100, 1, 5.0, 0.0),
        ("collisions", ECAL, 102, 102, 1, 7.0, 0.0),
    ]
    assert list(RateOfLumis.__slots__) == ["kind", "tag", "first_lumi", "last_lumi", "n_runs", "mean_hz", "sigma_hz"]
    assert rounded(rows(filled, rates_by_lumis)) == [
        ("collisions", BEAM, 100, 199, 2, 25.0, 5.0),
        ("collisions", DT, 50, 99, 1, 10.0, 0.0),
        ("collisions", DT, 100, 199, 1, 14.0, 0.0),
        ("collisions", ECAL, 100, 199, 2, 6.0, 1.0),
        ("cosmics", BEAM, 10, 19, 1, 2.0, 0.0),
        ("cosmics", DT, 1, 9, 1, 1.0, 0.0),
        ("cosmics", ECAL, 10, 19, 1, 1.0, 0.0),
    ]


def test_neighbouring_runs_share_a_point_where_there_are_many(filled: TestPlace, monkeypatch):
    monkeypatch.setattr(statistics_rates, "GROUPS_OF_RUNS", 1)
    assert rounded(rows(filled, rates_by_run, run_key="pp_run"))[0] == ("collisions", BEAM, 100, 102, 2, 25.0, 5.0)


def test_the_facts_of_each_run(filled: TestPlace):
    nothing = dict.fromkeys(("mean_delay_seconds", "sigma_delay_seconds", "n_events", "n_bytes"))
    assert rows(filled, run_facts) == [
        RunFacts(
            run=102, run_key="pp_run", release="15_0_4_47120", started_at=ENDED_AT - timedelta(minutes=30),
            start_estimated=True, stopped_at=ENDED_AT, last_lumi=150, n_jobs=4, n_crashed=0, n_failed=1, n_stuck=1,
            n_input_gone=0, **nothing,
        ),
        RunFacts(
            run=101, run_key="cosmic_run", release="15_0_5", started_at=ENDED_AT - timedelta(minutes=20),
            start_estimated=True, stopped_at=ENDED_AT, last_lumi=10, n_jobs=3, n_crashed=0, n_failed=0, n_stuck=1,
            n_input_gone=1, **nothing,
        ),
        RunFacts(
            run=100, run_key="pp_run", release="15_0_4_47120", started_at=STARTED_AT, start_estimated=False,
            stopped_at=ENDED_AT, mean_delay_seconds=7.5, sigma_delay_seconds=SIGMA, last_lumi=100,
            n_events=1500, n_bytes=6 * 10**9, n_jobs=3, n_crashed=1, n_failed=0, n_stuck=0, n_input_gone=1,
        ),
    ]  # fmt: skip


def test_runs_are_chosen_by_number_by_how_many_and_by_run_key(filled: TestPlace, monkeypatch):
    def numbers(**wanted) -> tuple[int, int, int] | None:
        chosen = choose(filled, **wanted)
        return (chosen.first, chosen.last, chosen.n_runs) if chosen else None

    assert numbers() == (100, 102, 3)
    assert numbers(first=101) == (101, 102, 2)
    assert numbers(last=101) == (100, 101, 2)
    assert numbers(newest=2) == (101, 102, 2)
    assert numbers(newest=2, run_key="pp_run") == (100, 102, 2)
    assert [run.run for run in rows(filled, run_facts, newest=2, run_key="pp_run")] == [102, 100]
    assert (numbers(first=103), numbers(run_key="hi_run")) == (None, None)
    monkeypatch.setattr(statistics_selection, "RUNS_MAX", 2)
    assert numbers(newest=2) == (101, 102, 2)
    with pytest.raises(TooManyRuns, match="more than 2 runs"):
        choose(filled)


def test_what_a_log_said_once_holds_when_a_later_one_has_lost_it(any_place: TestPlace):
    record = HostRecord(any_place.owner(), HOST, takeover_seconds=10)
    assert record.hold()
    counts = "SELECT n_failed, n_input_gone, n_crashed, n_crashed_input_gone FROM mirror.run_clients"
    record.store([job_document(rev=10, input_gone=True)])
    assert any_place.rows(counts) == [(0, 0, 0, 0)]
    record.store([job_document(rev=11, exit_code=139)])
    assert any_place.rows(counts) == [(0, 1, 1, 1)]
    record.store([job_document(rev=12, exit_code=65)])
    assert any_place.rows(counts) == [(1, 1, 0, 0)]
    record.release()
