"""The monitoring port of both programs, what can be scraped there, and that alerts and dashboard ask for nothing else."""

import json
import os
import re
import shutil
import signal
import subprocess
import time
import urllib.request
from functools import partial
from pathlib import Path

import pytest
import yaml

from dqmsquare.identity import PublicIds
from dqmsquare.simulator import Simulator
from tests.certs.authority import Authority
from tests.faults.wire import raw_disk
from tests.postgres import KEY, TestPlace
from tests.programs import Mirror, fetch, free_port, mirror_on, wait_for

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ("bu-c2f11-09-01", "fu-c2f11-11-01")
MONITORING = ROOT / "monitoring"
NAMES = {
    "up", "lag_headers", "last_success_seconds", "last_new_rev", "backoff_seconds", "docs_total", "quarantine_rows",
    "resyncs_total", "epoch", "lease_held", "cert_expiry_seconds", "batch_seconds",
}  # fmt: skip


def ask(port: int, path: str) -> tuple[int, str]:
    return fetch(f"http://127.0.0.1:{port}{path}")


def answers(port: int, path: str) -> bool:
    return ask(port, path)[0] == 200


def value(text: str, name: str, **labels: str) -> float | None:
    """The value of a metric with these labels among others; None where there is none."""
    for line in text.splitlines():
        found = re.fullmatch(rf"{name}(?:{{(.*)}})? (\S+)", line)
        if found and all(f'{key}="{wanted}"' in (found[1] or "") for key, wanted in labels.items()):
            return float(found[2])
    return None


def families(text: str) -> set[str]:
    return set(re.findall(r"^# TYPE (\S+) ", text, flags=re.MULTILINE))


def start_grabber(mirror: Mirror, cluster: str = "production", **settings: str) -> int:
    port = free_port()
    mirror.start("grabber.py", cluster, MONITORING_PORT=str(port), **settings)
    wait_for(lambda: ask(port, "/readyz")[0] == 200, f"the grabber is ready: {mirror.output()}")
    return port


@pytest.fixture
def mirror(place: TestPlace, tmp_path: Path):
    authority = Authority(tmp_path)
    robot = authority.issue("robot")
    pair = {"SERVER_GRID_CERT_PATH": str(robot.certificate), "SERVER_GRID_KEY_PATH": str(robot.key)}
    with (
        Simulator(production_hosts=HOSTS, playback_hosts=HOSTS[:1], history_runs=2) as simulator,
        mirror_on(place, simulator, tmp_path, **pair) as made,
    ):
        yield made


def test_a_grabber_says_how_each_host_stands(mirror: Mirror) -> None:
    port = start_grabber(mirror)
    host = PublicIds(KEY, "production").host(HOSTS[1])
    labels = {"cluster": "production", "host": host}

    wait_for(lambda: value(ask(port, "/metrics")[1], "dqm_grabber_docs_total", result="stored", **labels), "it stores")
    wait_for(lambda: value(ask(port, "/metrics")[1], "dqm_grabber_quarantine_rows") == 0, "the quarantine is counted")
    text = ask(port, "/metrics")[1]

    # Counters lose their _total in the TYPE line.
    of_each = {f"dqm_grabber_{name.removesuffix('_total')}" for name in NAMES - {"cert_expiry_seconds"}}
    shown = {name.removesuffix("_total") for name in families(text)}
    assert of_each | {"dqm_grabber_protocol_errors"} <= shown
    for name, expected in (("up", 1), ("lease_held", 1), ("epoch", 1), ("backoff_seconds", 0)):
        assert value(text, f"dqm_grabber_{name}", **labels) == expected, name
    assert time.time() - (value(text, "dqm_grabber_last_success_seconds", **labels) or 0) < 10
    newest = max(header["_rev"] for header in mirror.simulator.stores[HOSTS[1]].headers_from(None))
    wait_for(
        lambda: value(ask(port, "/metrics")[1], "dqm_grabber_last_new_rev", **labels) == newest, "it is up to date"
    )
    assert (value(text, "dqm_grabber_batch_seconds_count", **labels) or 0) >= 1


def test_no_label_names_a_host(mirror: Mirror) -> None:
    port = start_grabber(mirror)
    wait_for(lambda: value(ask(port, "/metrics")[1], "dqm_grabber_docs_total", result="stored"), "it stores")

    text = ask(port, "/metrics")[1]

    assert not [part for part in ("c2f11", "fu-", "bu-", "dqmrubu") if part in text]


def test_a_standby_says_that_it_holds_nothing_and_is_ready(mirror: Mirror) -> None:
    first = start_grabber(mirror)
    wait_for(lambda: value(ask(first, "/metrics")[1], "dqm_grabber_lease_held") == 1, "the first has the hosts")

    second = start_grabber(mirror)

    text = ask(second, "/metrics")[1]
    assert value(text, "dqm_grabber_lease_held") == 0
    assert value(text, "dqm_grabber_up") is None
    assert ask(second, "/healthz")[0] == 200


def test_a_host_that_fails_is_counted_by_what_was_wrong(mirror: Mirror) -> None:
    port = start_grabber(mirror)
    wait_for(lambda: value(ask(port, "/metrics")[1], "dqm_grabber_up") == 1, "it answers")

    mirror.simulator.faults.set("garbage")

    wait_for(lambda: value(ask(port, "/metrics")[1], "dqm_grabber_up") == 0, "it fails")
    wait_for(lambda: "dqm_grabber_protocol_errors_total{" in ask(port, "/metrics")[1], "it is counted")
    wait_for(lambda: (value(ask(port, "/metrics")[1], "dqm_grabber_backoff_seconds") or 0) > 0, "it waits")


def test_f35_a_database_that_is_away_is_waited_for_and_nobody_is_started_again_for_it(mirror: Mirror) -> None:
    place, names = mirror.place, [mirror.place.config.database_name(name) for name in ("production", "playback")]

    def reachable(allowed: str) -> None:
        for name in names:
            place.server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}")
            if allowed == "false":
                place.server.execute(
                    f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()"
                )

    reachable("false")
    try:
        ports = {"grabber.py": free_port(), "server.py": free_port()}
        processes = [mirror.start(program, MONITORING_PORT=str(port)) for program, port in ports.items()]
        for port in ports.values():
            wait_for(partial(answers, port, "/healthz"), "it is alive")
            assert ask(port, "/readyz")[0] == 503
    finally:
        reachable("true")
    for port in ports.values():
        wait_for(partial(answers, port, "/readyz"), f"it is ready: {mirror.output()}")
    reachable("false")
    try:
        wait_for(lambda: ask(ports["grabber.py"], "/readyz")[0] == 503, "the grabber is not ready", 25)
        assert [ask(port, "/healthz")[0] for port in ports.values()] == [200, 200]
    finally:
        reachable("true")
    wait_for(lambda: ask(ports["grabber.py"], "/readyz")[0] == 200, "it is ready again")
    assert [process.poll() for process in processes] == [None, None]
    assert mirror.output().count("waiting for the database") == 2


def test_f32_a_signal_ends_a_grabber_that_waits_for_its_database(mirror: Mirror) -> None:
    process = mirror.start("grabber.py", POSTGRES_HOST="127.0.0.1", POSTGRES_PORT=str(free_port()))
    wait_for(lambda: "waiting for the database" in mirror.output(), "it waits")

    process.send_signal(signal.SIGTERM)

    assert process.wait(10) == 0


def test_a_port_that_is_taken_is_told(mirror: Mirror) -> None:
    port = start_grabber(mirror)

    process = mirror.start("grabber.py", "playback", MONITORING_PORT=str(port))

    assert process.wait(20) == 1
    assert f"MONITORING_PORT {port} cannot be used" in mirror.output()


# ---------------------------------------------------------------------------------------------- alerts and dashboard


def asked_for() -> set[str]:
    """The metrics that the rules and the dashboard's panels name, without what a histogram adds."""
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    expressions = [rule["expr"] for rule in rules] + [target["expr"] for panel in panels for target in panel["targets"]]
    names = {name for text in expressions for name in re.findall(r"\b(?:dqm_grabber|dqmsquare|process)_\w+", text)}
    return {re.sub(r"_(bucket|total)$", "", name) for name in names}


def test_what_alerts_and_dashboard_ask_for_can_be_scraped(mirror: Mirror) -> None:
    over_tls = {"CMSWEB_FRONTEND_PROXY_URL": f"https://127.0.0.1:{free_port()}"}  # nobody there: the certificate counts
    grabber, playback = start_grabber(mirror), start_grabber(mirror, "playback", **over_tls)
    port = free_port()
    mirror.start_server(MONITORING_PORT=str(port))
    wait_for(lambda: value(ask(port, "/metrics")[1], "dqmsquare_database_up") == 1, "the server counts")
    wait_for(lambda: value(ask(grabber, "/metrics")[1], "dqm_grabber_docs_total", result="stored"), "it stores")

    with urllib.request.urlopen(mirror.url("/api/v1/clusters/production/events"), timeout=10):
        mirror.simulator.upload(HOSTS[1], raw_disk(1, 1, HOSTS[1]))
        wait_for(lambda: value(ask(port, "/metrics")[1], "dqmsquare_events_total"), "an event is counted")
        streams = ask(port, "/metrics")[1]
    assert value(streams, "dqmsquare_streams", cluster="production") == 1
    scraped = set().union(*(families(ask(each, "/metrics")[1]) for each in (grabber, playback, port)))

    assert asked_for() - {name.removesuffix("_total") for name in scraped} == set()
    expiry = value(ask(playback, "/metrics")[1], "dqm_grabber_cert_expiry_seconds")
    assert expiry is not None
    assert 29 < (expiry - time.time()) / 86400 < 31


def test_every_alert_is_explained() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    rules = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"][0]["rules"]
    explained = set(re.findall(r"^\| `(Mirror\w+)` \|", text, flags=re.MULTILINE))

    assert {rule["alert"] for rule in rules} == explained
    for rule in rules:
        assert rule["labels"].keys() == {"severity", "tag", "service", "host", "action", "env"}
        assert rule["labels"]["tag"] == "cmsweb"


def test_every_metric_of_the_grabber_is_explained() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()

    assert {f"dqm_grabber_{name}" for name in NAMES | {"protocol_errors_total"}} <= set(re.findall(r"`(\w+)`", text))


def test_prometheus_takes_the_rules_and_they_go_off_when_they_should() -> None:
    environ = {**os.environ, "PATH": f"{ROOT / 'tmp' / 'tools'}:{os.environ['PATH']}"}
    if shutil.which("promtool", path=environ["PATH"]) is None:
        pytest.skip("promtool is not here; as root: .ci/need prometheus")

    for arguments in (["check", "rules", "alerts.yaml"], ["test", "rules", "alerts_test.yaml"]):
        ended = subprocess.run(
            ["promtool", *arguments], cwd=MONITORING, env=environ, capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
