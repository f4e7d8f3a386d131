"""The grabber as a process: killed, stopped, locked out, alone with a dead DQM²."""

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dqmsquare.identity import PublicIds
from dqmsquare.simulator import Simulator, Tls
from tests.certs.authority import Authority
from tests.postgres import KEY, TestPlace
from tests.programs import Mirror, mirror_on, wait_for

FU = "fu-c2f11-11-01"
FEW_HOSTS = ("bu-c2f11-09-01", FU)


def upstream_documents(simulator: Simulator, cluster: str) -> set[str]:
    ids = PublicIds(KEY, cluster)
    kept = ("dqm-source-state", "dqm-files", "dqm-stats", "dqm-diskspace", "dqm-playback", "dqm-release")
    return {
        ids.document(header["_id"])
        for name in simulator.clusters[cluster].hosts
        for header in simulator.stores[name].headers_from(None)
        if header["type"] in kept
    }


def mirrored_documents(place: TestPlace) -> set[str]:
    tables = ("jobs", "deliveries", "playbacks", "host_memory", "host_disks", "releases")
    union = " UNION ALL ".join(f"SELECT document_id FROM mirror.{name}" for name in tables)
    return {key for (key,) in place.rows(union)}


def resident_megabytes(pid: int) -> float:
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0]) / 1024


def test_f31_a_killed_grabber_loses_nothing_and_stays_small(place: TestPlace, tmp_path: Path):
    with (
        Simulator(production_hosts=FEW_HOSTS, history_runs=60) as simulator,
        mirror_on(place, simulator, tmp_path) as mirror,
    ):
        newest = max(header["run"] or 0 for header in simulator.stores[FU].headers_from(None))
        first = mirror.start("grabber.py", "production")
        wait_for(lambda: place.rows(f"SELECT 1 FROM mirror.runs WHERE run = {newest}"), "the newest run is there", 10)
        wait_for(lambda: place.rows("SELECT 1 FROM mirror.cursors WHERE tail_rev > 0"), "history is being filled in")
        first.send_signal(signal.SIGKILL)
        first.wait()
        assert mirrored_documents(place) < upstream_documents(simulator, "production"), "it was in the middle"
        second = mirror.start("grabber.py", "production")
        wait_for(
            lambda: place.rows("SELECT count(*) FROM mirror.cursors WHERE tail_rev = 0") == [(len(FEW_HOSTS),)],
            "history is complete",
            90,
        )
        assert mirrored_documents(place) == upstream_documents(simulator, "production")
        assert place.rows("SELECT * FROM mirror.quarantine") == []
        assert resident_megabytes(second.pid) < 200


def test_f33_the_second_of_two_grabbers_takes_over(place: TestPlace, tmp_path: Path):
    with Simulator(production_hosts=FEW_HOSTS) as simulator, mirror_on(place, simulator, tmp_path) as mirror:
        first = mirror.start("grabber.py", "production")
        wait_for(lambda: place.rows("SELECT 1 FROM mirror.cursors WHERE term = 1"), "the first has the hosts")
        mirror.start("grabber.py", "production")
        time.sleep(3)
        assert place.rows("SELECT DISTINCT term FROM mirror.cursors") == [(1,)]
        os.kill(first.pid, signal.SIGSTOP)  # what hangs keeps its connections
        try:
            wait_for(
                lambda: place.rows("SELECT DISTINCT term FROM mirror.cursors") == [(2,)], "the second took over", 15
            )
        finally:
            os.kill(first.pid, signal.SIGCONT)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_f32_a_signal_ends_it_within_ten_seconds_though_upstream_hangs(
    place: TestPlace, tmp_path: Path, number: signal.Signals
):
    with (
        Simulator(production_hosts=FEW_HOSTS, history_runs=1) as simulator,
        mirror_on(place, simulator, tmp_path) as mirror,
    ):
        simulator.faults.set("hang")
        process = mirror.start("grabber.py", "production")
        wait_for(simulator.requests.count, "it asks")
        process.send_signal(number)
        assert process.wait(10) == 0


@contextmanager
def _dead_upstream(port: int) -> Iterator[list[float]]:
    """Takes connections and drops them at once; answers with the times at which they came."""
    came: list[float] = []
    listener = socket.create_server(("127.0.0.1", port))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            came.append(time.monotonic())
            connection.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield came
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def test_f1_a_dead_upstream_is_left_in_peace_and_logged_once(place: TestPlace, tmp_path: Path):
    simulator = Simulator(production_hosts=FEW_HOSTS, play=True, speed=5)
    port = int(simulator.url.rsplit(":", 1)[1])
    simulator.start()
    with mirror_on(place, simulator, tmp_path, GRABBER_SLEEP_TIME_STATUS="2") as mirror:
        mirror.start("grabber.py")
        # A full listing that breaks off has a line of its own.
        compared = "SELECT count(*) FROM mirror.cursors WHERE compared_at IS NOT NULL"
        wait_for(lambda: place.rows(compared) == [(len(FEW_HOSTS),)], "every host is listed in full")
        simulator.stop()
        with _dead_upstream(port) as came:
            time.sleep(3)
            began, already = time.monotonic(), len(came)
            time.sleep(12)
            per_second = (len(came) - already) / (time.monotonic() - began)
        lines = [line for line in mirror.output().splitlines() if " WARNING " in line or " ERROR " in line]
        assert 0 < per_second < 1
        assert len([line for line in lines if "cannot be reached" in line]) == 1, lines
        assert len(lines) == 1, lines
        with Simulator(production_hosts=FEW_HOSTS, play=True, port=port):
            wait_for(lambda: "can be reached again" in mirror.output(), "it is back")
            time.sleep(1)
            assert mirror.output().count("can be reached again") == 1


def _tls_mirror(place: TestPlace, tmp_path: Path, simulator: Simulator, authority: Authority, pair) -> Mirror:
    return Mirror(
        place,
        simulator,
        tmp_path,
        CA_BUNDLE=str(authority.bundle),
        SERVER_GRID_CERT_PATH=str(pair.certificate),
        SERVER_GRID_KEY_PATH=str(pair.key),
        DQM_FFF_SECRET="a secret\n",
    )


def test_f7_over_tls_only_the_right_certificate_gets_documents(place: TestPlace, tmp_path: Path):
    authority, stranger = Authority(tmp_path), Authority(tmp_path, "stranger")
    at = authority.issue("server", hosts=["127.0.0.1"])
    tls = Tls(at.certificate, at.key, authority.bundle)
    with Simulator(production_hosts=FEW_HOSTS, history_runs=1, tls=tls, secret="asecret") as simulator:
        wrong = _tls_mirror(place, tmp_path, simulator, authority, stranger.issue("wrong"))
        try:
            wrong.start("grabber.py", "production")
            wait_for(lambda: "fails" in wrong.output() or "cannot be reached" in wrong.output(), "it is refused")
            time.sleep(1)
            assert place.rows("SELECT count(*) FROM mirror.jobs") == [(0,)]
        finally:
            wrong.stop()
        right = _tls_mirror(place, tmp_path, simulator, authority, authority.issue("right"))
        try:
            right.start("grabber.py", "production")
            wait_for(lambda: place.rows("SELECT 1 FROM mirror.jobs"), "jobs are there")
        finally:
            right.stop()


def test_wrong_settings_end_it_with_status_2_and_every_problem(place: TestPlace, tmp_path: Path):
    with Simulator() as simulator, mirror_on(place, simulator, tmp_path) as mirror:
        process = mirror.start(
            "grabber.py", "production", GRABBER_SLEEP_TIME_INFO="often", FFF_PRODUCTION_MACHINES=" ; "
        )
        assert process.wait(20) == 2
        assert "GRABBER_SLEEP_TIME_INFO" in mirror.output()


@pytest.mark.parametrize(
    ("version", "advice"), [("0000", "run `python db.py upgrade`"), ("9999", "use the program that made them")]
)
def test_f40_a_database_of_another_version_ends_it_with_status_78(
    place: TestPlace, tmp_path: Path, version: str, advice: str
):
    with Simulator() as simulator, mirror_on(place, simulator, tmp_path) as mirror:
        place.rows(f"UPDATE mirror.schema_version SET version_num = '{version}'")
        assert mirror.start("grabber.py", "production").wait(20) == 78
        [line] = mirror.output().splitlines()
        assert f"has tables of version {version}" in line
        assert advice in line


def test_another_key_ends_it_with_status_78(place: TestPlace, tmp_path: Path):
    with Simulator() as simulator, mirror_on(place, simulator, tmp_path) as mirror:
        other_key = mirror.start("grabber.py", "playback", PUBLIC_ID_KEY="another-key-of-32-bytes-or-more-too")
        assert other_key.wait(20) == 78
