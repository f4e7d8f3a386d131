"""What must not leave does not: a search by rules of its own over database, answers, pages, logs, metrics and errors."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dqmsquare.simulator import Simulator
from dqmsquare.simulator.documents import job_document
from dqmsquare.simulator.hostile import CHANGES
from tests.acceptance.everything_shown import api_answers, crawl, dump, fetch, logs, pushed
from tests.acceptance.leak_detector import LeakDetector, known_values
from tests.acceptance.poisoned import POISON, POISONED_RUN, USER, poisoned_documents
from tests.control_room_client import PASSWORD, SETTINGS, Client
from tests.postgres import TestPlace
from tests.programs import Mirror, free_port, mirror_on, wait_for

HOSTS = ("bu-c2f11-09-01", "fu-c2f11-11-01", "fu-c2f11-11-02")
SOME_RUN = 377_002
SICK = (  # what the feed does at first, each a few times
    "status:502", "html", "bad-utf8", "garbage:text", "foreign", "html-type", "cut:3000",
    "body:[\"fu-c2f11-11-02.cms at 10.176.60.24 by canary-body, /nfshome0/canary\"]",
)  # fmt: skip
QUICK = {
    "GRABBER_SLEEP_TIME_STATUS": "1", "GRABBER_DEBUG": "1", "SERVER_DEBUG": "1", "BACKOFF_MAX_SECONDS": "1",
    "DQM_FFF_SECRET": "canary-cookie-of-the-simulator", **SETTINGS,
}  # fmt: skip
ROOM = (
    "/cr/", "/cr/machines", "/cr/versions", "/cr/activity/?all=1", "/cr/activity.csv", "/cr/alarms/",
    "/cr/exe?what=get_dqm_machines", "/cr/exe?what=get_hltd_versions", "/cr/exe?what=get_cmssw_info",
    "/cr/exe?what=get_simulator_config", "/cr/exe?what=exec", "/cr/x", "/cr/session",
)  # fmt: skip


@pytest.fixture
def simulator(shared_data: Path) -> Iterator[Simulator]:
    """Recorded documents, a simulated run, and documents that are poisoned or hostile."""
    documents = shared_data / "p5_run358788.jsonl.gz"
    with Simulator(
        production_hosts=HOSTS, documents=[documents], history_runs=2, play=True, secret=QUICK["DQM_FFF_SECRET"]
    ) as simulator:
        for document in poisoned_documents(HOSTS[1]):
            simulator.upload(HOSTS[1], document)
        for number, name in enumerate(sorted(CHANGES.keys() - {"many-points", "many-lines"})):
            document = job_document(
                HOSTS[0], SOME_RUN, "csc_dqm_sourceclient-live", 500 + number, lumi=2, reported_at=1e9
            )
            simulator.upload(HOSTS[0], document | CHANGES[name](document))
        for name in SICK:
            simulator.faults.set(name, host=HOSTS[1], times=1)
        simulator.faults.set("down:ConnectionError('fu-c2f11-11-02.cms 10.176.60.24')", host=HOSTS[2])
        yield simulator


def known_to(simulator: Simulator, mirror: Mirror) -> set[str]:
    """Everything that may be nowhere, but for the databases' names and folders."""
    ids = {name: [header["_id"] for header in store.headers_from(None)] for name, store in simulator.stores.items()}
    documents = [document for name, store in simulator.stores.items() for document in store.documents(ids[name])]
    machines = {name for name in simulator.stores if len(name) > 6}
    return known_values(documents, mirror.environ) | machines | {USER, PASSWORD}


def has_all(place: TestPlace) -> bool:
    """Whether all that the reachable hosts of production list was read, to the last, and what was poisoned is there."""
    whole = "SELECT count(*) FROM mirror.cursors WHERE state = 'live' AND tail_rev = 0 AND n_behind = 0"
    poisoned = f"SELECT count(*) FROM mirror.jobs WHERE run = {POISONED_RUN}"
    enough = {whole: len(HOSTS) - 1, poisoned: 40, "SELECT count(*) FROM mirror.host_statuses": len(HOSTS) + 1}
    return all(place.rows(statement)[0][0] >= n for statement, n in enough.items())


def test_security_g1_nothing_that_must_not_leave_is_anywhere(place: TestPlace, simulator: Simulator, tmp_path: Path):
    ports = {name: free_port() for name in ("grabber", "server")}
    with mirror_on(place, simulator, tmp_path, **QUICK) as mirror:
        mirror.start("grabber.py", MONITORING_PORT=str(ports["grabber"]))
        mirror.start_server(MONITORING_PORT=str(ports["server"]))
        wait_for(lambda: has_all(place), "everything is there", 60)
        known = known_to(simulator, mirror)
        assert len(known) > 500, "the search looks for something"
        detector = LeakDetector(known)
        assert detector.found(POISON), "and it finds it where it is"
        found = {where: detector.found(text) for where, text in shown_to_anybody(mirror, ports).items()}
        in_the_room = LeakDetector(known, machines=simulator.stores)
        found |= {f"Control Room {path}": in_the_room.found(text) for path, text in shown_in_the_room(mirror).items()}
        found["logs"] = detector.found(logs(mirror))  # last: they tell of all that was asked
        assert {where: leaks[:20] for where, leaks in found.items() if leaks} == {}
        assert "siPixelDigis@cpu" in dump(mirror, "production"), "what experts read is still there"


def shown_to_anybody(mirror: Mirror, ports: dict[str, int]) -> dict[str, str]:
    """Every text by where it is."""
    shown = crawl(mirror)
    assert len(shown) > 40, sorted(shown)
    for cluster in ("production", "playback"):
        shown |= api_answers(mirror, cluster)
        shown |= {f"database {cluster}": dump(mirror, cluster), f"pushed {cluster}": pushed(mirror, cluster)}
    shown |= {f"metrics of the {name}": fetch(f"http://127.0.0.1:{port}/metrics") for name, port in ports.items()}
    return shown


def shown_in_the_room(mirror: Mirror) -> dict[str, str]:
    """What an operator sees there after some commands, good and bad."""
    client = Client(base=mirror.url("").rstrip("/"))
    assert client.log_in().status == 303
    client.step_up()
    machine = mirror.simulator.clusters["playback"].hosts[1]
    client.act(what="restart_hltd", host=machine)
    client.act(what="restart_hltd", host=f"{machine};cat /nfshome0/canary-operator/.secret")
    pages = {path: client.get(path).text for path in ROOM}
    links = {link for page in pages.values() for link in _links_of(page)}
    pages |= {
        f"exe {what}": client.ask(f"what={what}&host={machine}").text for what in ("get_fff_logs", "get_dqm_clients")
    }
    assert any("/cr/logs/" in link for link in links)
    pages |= {link: client.get(link).text for link in sorted(links)[:20]}
    return {path: page.replace(client.token, "") for path, page in pages.items()}  # the page's own


def _links_of(page: str) -> list[str]:
    return list(re.findall(r'href="(/cr/(?:logs|activity)/[^"?]+)"', page))


def test_the_search_finds_what_is_there(shared_data: Path):
    poisoned = list(poisoned_documents(HOSTS[1]))
    assert len(poisoned) > 100
    assert all(LeakDetector().found(json.dumps(document)) for document in poisoned)
