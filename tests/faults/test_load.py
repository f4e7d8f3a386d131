"""Much at once: a host with a hundred times the traffic, all hosts back after a long break, two hundred pages."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from dqmsquare.errors import StoreUnavailable
from dqmsquare.simulator import Simulator
from dqmsquare.storage import engine
from dqmsquare.storage.engine import server_database
from dqmsquare.storage.host_record import HostRecord
from tests.examples import RUN, job_document
from tests.faults.pages import application_on
from tests.faults.wire import HOST, raw_disk
from tests.integration.server_process import running_server
from tests.postgres import TestPlace
from tests.programs import mirror_on, wait_for
from tests.unit.server.server_fakes import ask

OTHER = "fu-c2f11-11-02"
SLOW = """
    CREATE FUNCTION mirror.slow() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END $$;
    CREATE TRIGGER slow BEFORE INSERT OR UPDATE ON mirror.host_disks FOR EACH ROW WHEN (NEW.used_bytes < 1000000000)
      EXECUTE FUNCTION mirror.slow();
"""


def test_f47_a_host_with_a_hundred_times_the_traffic_delays_no_other(place: TestPlace, tmp_path: Path):
    """The flood's documents take long to store, so that its host's turn never ends."""
    with (
        Simulator(production_hosts=[HOST, OTHER], playback_hosts=[]) as simulator,
        mirror_on(place, simulator, tmp_path) as mirror,
    ):
        mirror.start("grabber.py", "production")
        simulator.upload(OTHER, raw_disk(0, 10**9, OTHER))
        wait_for(lambda: place.rows("SELECT 1 FROM mirror.host_disks"), "it grabs")
        place.rows(SLOW)
        stop = threading.Event()

        def flood() -> None:
            number = 0
            while not stop.wait(0.05):
                for _ in range(20):
                    number += 1
                    simulator.upload(HOST, raw_disk(number % 2000, number))

        flooding = threading.Thread(target=flood)
        flooding.start()
        lags = []
        try:
            for number in range(5):
                simulator.upload(OTHER, raw_disk(number, 10**9 + number + 1, OTHER))
                begun = time.monotonic()
                stored = f"SELECT 1 FROM mirror.host_disks WHERE used_bytes = {10**9 + number + 1}"
                wait_for(partial(place.rows, stored), "the other host's document is stored")
                lags.append(time.monotonic() - begun)
        finally:
            stop.set()
            flooding.join()
        assert place.rows("SELECT count(*) > 400 FROM mirror.host_disks") == [(True,)], "the flood came through"
    # Two polls of a second each, and what a busy machine needs to see it.
    assert sorted(lags)[len(lags) // 2] < 2.5, lags


@pytest.mark.slow
def test_f48_hosts_that_all_come_back_after_a_long_break_are_caught_up_with_while_pages_answer(
    place: TestPlace, tmp_path: Path
):
    """A small one: `make bench` has the 50,000 headers, and the times."""
    hosts = (HOST, OTHER)
    with (
        Simulator(production_hosts=hosts, playback_hosts=[], history_runs=1) as simulator,
        mirror_on(place, simulator, tmp_path, GRABBER_SLEEP_TIME_INFO="0.3", BACKOFF_MAX_SECONDS="1") as mirror,
    ):
        mirror.start("grabber.py", "production")
        mirror.start_server()
        level = "SELECT count(*) FROM mirror.cursors WHERE tail_rev = 0 AND n_behind = 0"
        wait_for(lambda: place.rows(level) == [(2,)], "it grabs")
        simulator.faults.set("break", path="/redirect")
        wait_for(lambda: "cannot be reached" in mirror.output(), "all are away")
        for host in hosts:
            for number in range(1200):
                simulator.upload(host, raw_disk(number, number, host))
        total = sum(len(simulator.stores[host]) for host in hosts)
        tables = ("jobs", "deliveries", "host_memory", "host_disks", "releases")
        counts = " + ".join(f"(SELECT count(*) FROM mirror.{name})" for name in tables)
        simulator.faults.clear()
        took: list[float] = []

        def is_caught_up() -> bool:
            begun = time.monotonic()
            assert mirror.get("/")[0] == 200
            took.append(time.monotonic() - begun)
            return place.rows(f"SELECT {counts}") == [(total,)]

        wait_for(is_caught_up, "it catches up", 60)
        wait_for(lambda: place.rows(level) == [(2,)], "and says so")
        assert place.rows("SELECT count(*) FROM mirror.quarantine") == [(0,)]
    assert sorted(took)[int(0.95 * len(took))] < 1.0, "0.3 s where nothing else runs"


def test_f50_who_finds_no_connection_within_two_seconds_is_told_so(place: TestPlace, tmp_path: Path):
    database = server_database(place.config, "production", place.server.host, pool_size=1)
    with database.reading():
        begun = time.monotonic()
        with pytest.raises(StoreUnavailable), database.reading():
            pass
        assert 1.9 < time.monotonic() - begun < 4
    database.close()
    application = application_on(place, tmp_path)
    for cluster in application._site.clusters.values():
        cluster.database._database = Taken()
    answer = ask(application, "/")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


class Taken:
    """A pool without a free connection."""

    def reading(self) -> Any:
        raise StoreUnavailable("no connection within 2 s")


def test_f50_a_question_that_takes_too_long_is_ended_by_the_database(place: TestPlace, monkeypatch: pytest.MonkeyPatch):
    with place.reader().reading() as connection:
        assert connection.execute(text("SHOW statement_timeout")).scalar_one() == "5s"
    monkeypatch.setattr(engine, "_SERVER_STATEMENT_MS", 200)
    begun = time.monotonic()
    with pytest.raises(StoreUnavailable, match="57014"), place.reader().reading() as connection:
        connection.execute(text("SELECT pg_sleep(10)"))
    assert time.monotonic() - begun < 3


def test_f50_two_hundred_pages_at_once_are_all_answered_from_one_rendering(place: TestPlace, tmp_path: Path):
    record = HostRecord(place.owner(), "hostid0000000001", takeover_seconds=10)
    record.hold()
    record.store([job_document()])
    with running_server(place, tmp_path) as server:
        status, headers, body = server.get(f"/?run={RUN}")
        assert (status, b"beam" in body) == (200, True)
        record.store([job_document(rev=11, lumi=41)])

        def look(number: int) -> int:
            has_it = {"If_None_Match": headers["etag"]} if number % 2 else {}
            return int(server.get(f"/?run={RUN}", **has_it)[0])

        user = place.config.postgres_server_username
        waiting = f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}' AND wait_event_type = 'Lock'"
        with ThreadPoolExecutor(200) as pages:
            with place.owner().writing() as connection:  # no page can be made meanwhile
                connection.exec_driver_sql("LOCK TABLE mirror.jobs")
                answers = pages.map(look, range(200))
                wait_for(lambda: place.rows(waiting) > [(0,)], "one is being made")
                time.sleep(0.5)
                [(n_waiting,)] = place.rows(waiting)
            assert set(answers) <= {200, 304}
        assert n_waiting <= 2, "who comes meanwhile waits for that one"
        [(n_connections,)] = place.rows(f"SELECT count(*) FROM pg_stat_activity WHERE usename = '{user}'")
        assert n_connections <= 2 * 12, "a pool for each cluster, whoever looks"
    record.release()
