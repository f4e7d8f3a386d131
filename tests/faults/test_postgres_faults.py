"""Rows F34 to F38 of the fault table: PostgreSQL gone, crashed, read-only, full, busy, or silent after a COMMIT."""

import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
import pytest

from dqmsquare.errors import StoreUnavailable
from tests.chaos.lossy_proxy import LossyProxy
from tests.faults.nursery_stage import NurseryStage, nursery_stage
from tests.postgres import PrivateServer, TestPlace, copied_databases
from tests.programs import wait_for

REFUSE = """
    CREATE FUNCTION mirror.refuse() RETURNS trigger LANGUAGE plpgsql AS
      $$ BEGIN RAISE 'refused' USING ERRCODE = '{state}'; END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON mirror.runs FOR EACH ROW EXECUTE FUNCTION mirror.refuse();
"""


@pytest.fixture
def stage(place: TestPlace, tmp_path: Path) -> Iterator[NurseryStage]:
    with nursery_stage(place, tmp_path) as stage:
        yield stage


@pytest.fixture
def breakable(
    breakable_postgres: tuple[PrivateServer, dict[str, str]], tmp_path: Path
) -> Iterator[tuple[PrivateServer, NurseryStage]]:
    """A stage on a PostgreSQL that may be broken."""
    private, templates = breakable_postgres
    with copied_databases(private.server, templates, tmp_path) as place, nursery_stage(place, tmp_path) as stage:
        yield private, stage


def assert_nothing_lost(stage: NurseryStage) -> None:
    stage.settle()
    verdict = stage.compare()
    assert verdict.differences == [], verdict
    assert verdict.quarantine == {}


def test_f34_a_lease_whose_connection_dies_is_taken_anew_before_anything_is_written(stage: NurseryStage):
    grabber = stage.start()
    wait_for(lambda: stage.terms() == [1, 1, 1], "it has the hosts")
    with stage.producing():
        for term in (2, 3):
            stage.place.rows("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
            wait_for(partial(stage.has_terms, term), "they were taken anew", 10)
    assert_nothing_lost(stage)
    assert "Traceback" not in grabber.said()


def test_f35_crashes_of_postgresql_under_load_lose_nothing(breakable: tuple[PrivateServer, NurseryStage]):
    private, stage = breakable
    grabber = stage.start()
    with stage.producing():
        for mode in ("immediate", "fast"):
            wait_for(lambda: stage.place.rows("SELECT 1 FROM mirror.cursors WHERE state = 'live'"), "it polls")
            private.stop(mode)
            private.start()
            wait_for(partial(stage.is_beyond, stage.heads()), "it stores again")
    assert_nothing_lost(stage)
    assert "Traceback" not in grabber.said()


def test_f36_a_database_that_became_read_only_is_left_and_come_back_to(breakable: tuple[PrivateServer, NurseryStage]):
    private, stage = breakable
    grabber = stage.start()
    wait_for(lambda: stage.place.rows("SELECT 1 FROM mirror.cursors WHERE state = 'live'"), "it polls")

    def say(how: str) -> None:
        private.server.execute(f"ALTER SYSTEM SET default_transaction_read_only = {how}")
        private.server.execute("SELECT pg_reload_conf()")

    with stage.producing():
        say("on")
        try:
            wait_for(partial(grabber.has_said, "ReadOnlySqlTransaction 25006"), "it notices")
            with pytest.raises(StoreUnavailable, match="OperationalError"), stage.place.owner().reading():
                pass  # who writes takes no connection to it
            time.sleep(1)
            standing = stage.heads()
            assert stage.place.rows("SELECT count(*) FROM mirror.jobs") > [(0,)], "people still read"
        finally:
            say("off")
        wait_for(partial(stage.is_beyond, standing), "it stores again")
    assert_nothing_lost(stage)
    assert "Traceback" not in grabber.said()


def test_f37_a_commit_whose_answer_is_lost_is_repeated_without_harm(stage: NurseryStage):
    sockets = Path(tempfile.mkdtemp(prefix="lossy-"))
    try:
        with LossyProxy(sockets, stage.place.server.host) as proxy:
            grabber = stage.start(POSTGRES_HOST=str(sockets))
            with stage.producing():
                for n in range(1, 6):
                    proxy.lose(1, of_batches=True)
                    wait_for(partial(proxy.has_lost, n), "an answer is lost")
            assert_nothing_lost(stage)
            assert "Traceback" not in grabber.said()
            grabber.signal(signal.SIGTERM)
            assert grabber.wait(10) == 0
    finally:
        shutil.rmtree(sockets)


@pytest.mark.parametrize(
    ("state", "words"),
    [("53100", "DiskFull"), ("57014", "QueryCanceled"), ("40P01", "DeadlockDetected"), ("55P03", "LockNotAvailable")],
)  # fmt: skip
def test_f38_a_batch_that_postgresql_cannot_take_now_is_tried_again(stage: NurseryStage, state: str, words: str):
    grabber = stage.start()
    stage.settle()
    stage.place.rows(REFUSE.format(state=state))
    with stage.producing():
        wait_for(partial(grabber.has_said, f"{words} {state}"), "it says what is wrong")
        with stage.place.reader().reading() as connection:
            assert connection.exec_driver_sql("SELECT count(*) FROM mirror.jobs").scalar_one() > 0
        stage.place.rows("DROP TRIGGER refuse ON mirror.runs")
    assert_nothing_lost(stage)
    assert "Traceback" not in grabber.said()


def test_f38_without_a_connection_to_be_had_it_waits(breakable: tuple[PrivateServer, NurseryStage]):
    private, stage = breakable
    grabber = stage.start()
    stage.settle()
    taken: list[Any] = []
    try:
        with suppress(psycopg2.OperationalError):
            while len(taken) < 500:
                taken.append(psycopg2.connect(host=private.server.host, user="postgres", dbname="postgres"))
                if len(taken) == 80:
                    with taken[0].cursor() as cursor:
                        cursor.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'")
        assert len(taken) > 80
        stage.produce(20)
        wait_for(partial(grabber.has_said, "PostgreSQL cannot be used"), "it says what is wrong")
    finally:
        for connection in taken:
            connection.close()
    assert_nothing_lost(stage)
    assert "Traceback" not in grabber.said()
