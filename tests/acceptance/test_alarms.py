"""Alarms from DQM² to the webhook and the pages, with processes that are killed in between."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from dqmsquare.simulator import Simulator
from tests.postgres import TestPlace
from tests.programs import Mirror, mirror_on, wait_for
from tests.webhook_receiver import Receiver, receiving

FEW_HOSTS = ("bu-c2f11-09-01", "fu-c2f11-11-01")
SETTINGS = {
    "SERVER_URL_PREFIX": "/dqm/dqm-square",
    "SERVER_PUBLIC_URL": "https://cmsweb.example",
    "WEBHOOK_DEADLINE_SECONDS": "1",
    "WEBHOOK_TAKEOVER_SECONDS": "2",
    "BEHIND_AFTER_SECONDS": "4",
}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as made:
        yield made


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(production_hosts=FEW_HOSTS, play=True, history_runs=2) as made:
        yield made


@pytest.fixture
def mirror(place: TestPlace, simulator: Simulator, receiver: Receiver, tmp_path: Path) -> Iterator[Mirror]:
    with mirror_on(place, simulator, tmp_path, ALERT_WEBHOOK_URL=receiver.url, **SETTINGS) as made:
        yield made


def crash(place: TestPlace, simulator: Simulator, client: str = "csc") -> str:
    """Lets a client crash that the mirror knows as running; the key of its alarm."""
    tag = f"{client}_dqm_sourceclient-live"
    running = f"SELECT document_id FROM mirror.jobs WHERE tag = '{tag}' AND exit_code IS NULL"
    [(job_id,)] = wait_for(lambda: place.rows(running), f"{client} runs")
    assert simulator.crash(client)
    return f"production/JobCrashed/{job_id}"


def test_a_crash_reaches_the_webhook_and_the_pages_within_seconds(
    place: TestPlace, simulator: Simulator, receiver: Receiver, mirror: Mirror
):
    mirror.start_server()
    mirror.start("grabber.py", "production")
    key = crash(place, simulator)
    wait_for(lambda: key in receiver.keys, "the webhook was told", 8)
    [message] = [message for message in receiver.messages if key in message["text"]]
    job_id = key.rsplit("/", 1)[1]
    assert message["text"].startswith("**Job crashed** (production): csc crashed in run ")
    assert f"[Show](https://cmsweb.example/dqm/dqm-square/jobs/{job_id}?db=production)" in message["text"]
    listed = BeautifulSoup(mirror.get("/alarms?db=production")[1], "html.parser")
    assert key in [item["data-alarm"] for item in listed.select("[data-alarm][data-stands]")]
    assert not any("MirrorBehind" in key for key in receiver.keys)
    assert receiver.url not in mirror.output()
    assert "a-secret-key" not in "".join(path.read_text() for path in (mirror.folder / "log").rglob("*.log*"))


def test_a_grabber_that_is_killed_before_it_sends_neither_loses_nor_doubles_an_alarm(
    place: TestPlace, simulator: Simulator, receiver: Receiver, mirror: Mirror
):
    receiver.status = 503
    first = mirror.start("grabber.py", "production")
    key = crash(place, simulator)
    wait_for(lambda: place.rows(f"SELECT 1 FROM mirror.webhook_outbox WHERE alarm_key = '{key}'"), "it is queued")
    first.send_signal(signal.SIGKILL)
    first.wait()
    receiver.status = 200
    mirror.start("grabber.py", "production")
    wait_for(lambda: key in receiver.keys, "the second sends it", 20)
    assert place.rows(f"SELECT count(*) FROM mirror.alarms WHERE alarm_key = '{key}'") == [(1,)]
    keys = [key for (key,) in place.rows("SELECT alarm_key FROM mirror.alarms")]
    assert len(keys) == len(set(keys))
    wait_for(lambda: place.rows("SELECT bool_and(sent_at IS NOT NULL) FROM mirror.webhook_outbox") == [(True,)], "all")
    assert sorted(receiver.keys) == sorted(keys)


def test_a_server_tells_that_the_mirror_is_behind_when_its_grabber_hangs_and_when_it_is_over(
    place: TestPlace, receiver: Receiver, mirror: Mirror
):
    mirror.start_server()
    grabber = mirror.start("grabber.py", "production")
    wait_for(lambda: place.rows("SELECT 1 FROM mirror.cursors WHERE polled_at IS NOT NULL"), "it polls")
    os.kill(grabber.pid, signal.SIGSTOP)  # what hangs keeps its connections, and with them its locks
    try:
        wait_for(lambda: any("MirrorBehind/all" in key for key in receiver.keys), "the server tells", 20)
        assert [key.rsplit("/", 1)[0] for key in receiver.keys if "Behind" in key] == ["production/MirrorBehind/all"]
    finally:
        os.kill(grabber.pid, signal.SIGCONT)
    over = "SELECT 1 FROM mirror.alarms WHERE rule = 'MirrorBehind' AND resolved_at IS NOT NULL"
    wait_for(lambda: place.rows(over), "it is over")
