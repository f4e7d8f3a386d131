"""The server as people run it: what it answers, pushes, and how it ends."""

import concurrent.futures
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from dqmsquare.storage.host_record import HostRecord
from tests.examples import RUN, job_document
from tests.integration.server_process import ROOT, EventReader, ServerProcess, running_server, wait_until
from tests.postgres import TestPlace

HOST = "hostid0000000001"
PROMISED_SECONDS = 10  # also while somebody keeps asking for more
ENDS_WITHIN_SECONDS = 5  # 0.5 on an idle machine; where streams are not ended, Granian kills after 8


@pytest.fixture
def server(place: TestPlace, tmp_path):
    with running_server(place, tmp_path) as running:
        yield running


@pytest.fixture
def record(place: TestPlace):
    """The grabber's hand on a host."""
    record = HostRecord(place.owner(), HOST, takeover_seconds=10)
    assert record.hold()
    yield record
    record.release()


def jobs(server: ServerProcess):
    return json.loads(server.get(f"/api?what=get_run&run={RUN}&db=production")[2])[1][1]


def test_what_the_grabber_writes_is_pushed_and_answered_at_once(server, record):
    reader = EventReader(server)
    headers = {name.lower(): value for name, value in reader.answer.getheaders()}
    assert reader.answer.status == 200
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (headers["x-accel-buffering"], headers["cache-control"]) == ("no", "no-store")
    assert "content-security-policy" in headers
    record.store([job_document(exit_code=-11)])
    wrote_at = time.monotonic()
    wait_until(lambda: reader.of("change"))
    assert time.monotonic() - wrote_at < 1
    _, event_id, data = reader.of("change")[0]
    assert (data["run"], data["kind"], data["newest"], data["after"]) == (RUN, "run", RUN, event_id)
    assert data["counts"]["crashed"] == 1
    assert [job[3] for job in jobs(server)] == [-11]
    reader.leave()


def test_a_page_that_comes_back_is_told_what_it_missed(server, record):
    reader = EventReader(server)
    record.store([job_document(rev=10)])
    wait_until(lambda: reader.of("change"))
    seen = reader.of("change")[0][1]
    reader.leave()
    record.store([job_document(rev=11, lumi=41)])
    back = EventReader(server, after="0-0", Last_Event_ID=seen)
    wait_until(lambda: back.of("change"))
    assert [data["run"] for _, _, data in back.of("change")] == [RUN]
    newest = back.of("change")[0][1]
    back.leave()
    nothing_new = EventReader(server, after=newest)
    elsewhere = EventReader(server, after="0ther-1")
    not_yet = EventReader(server, after=newest.partition("-")[0] + "-99999999")
    for page in (elsewhere, not_yet):
        wait_until(lambda page=page: page.of("reload"))
        page.leave()
    time.sleep(0.3)
    assert nothing_new.of("change", "reload") == []
    nothing_new.leave()


def test_a_beat_comes_every_five_seconds(server, place, record):
    record.store([job_document()])
    reader = EventReader(server)
    wait_until(lambda: len(reader.of("beat")) >= 2, 12)
    _, event_id, data = reader.of("beat")[-1]
    assert event_id == ""
    assert data.keys() == {"hosts", "behind", "unavailable_since", "now"}
    assert abs(data["now"] - time.time()) < 5
    assert data["unavailable_since"] is None
    reader.leave()


def test_a_page_that_leaves_gives_its_place_back(place, tmp_path):
    with running_server(place, tmp_path, SERVER_STREAMS_MAX="2") as server:
        first, second = EventReader(server), EventReader(server, "playback")
        status, headers, _ = server.get("/api/v1/clusters/production/events")
        assert (status, headers["retry-after"]) == (503, "5")
        first.leave()
        wait_until(lambda: server.get("/api/v1/clusters/production/events", "HEAD")[0] == 200)
        wait_until(lambda: _can_stream(server), 12)  # noticed at the next beat
        second.leave()


def _can_stream(server: ServerProcess) -> bool:
    reader = EventReader(server)
    reader.leave()
    return reader.answer.status == 200


@pytest.mark.parametrize("n_streams", [0, 200])
def test_at_sigterm_streams_end_and_requests_in_flight_are_answered(place, tmp_path, record, n_streams):
    record.store([job_document()])
    with running_server(place, tmp_path, SERVER_STREAMS_MAX="300") as server:
        readers = [EventReader(server, "production" if number % 2 else "playback") for number in range(n_streams)]
        assert all(reader.answer.status == 200 for reader in readers)
        with place.owner().writing() as holding, concurrent.futures.ThreadPoolExecutor(10) as pool:
            # A lock that the question waits for: in flight while the server is told to end.
            holding.exec_driver_sql("LOCK TABLE mirror.runs IN ACCESS EXCLUSIVE MODE")
            waiting = [pool.submit(server.get, "/api?what=get_info&db=production") for _ in range(10)]
            time.sleep(0.5)
            begun = time.monotonic()
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            holding.rollback()
            answers = [each.result(5) for each in waiting]
        server.process.wait(10)
        assert time.monotonic() - begun < ENDS_WITHIN_SECONDS
        assert {(status, body) for status, _, body in answers} == {(200, b"[%d,%d]" % (RUN, RUN))}
        for reader in readers:
            assert reader.has_ended.wait(2)
        assert server.process.returncode == 0


def test_at_sigterm_no_new_stream_begins(server):
    reader = EventReader(server)
    taken = threading.Event()

    def ask_for_streams():
        while not taken.is_set():
            try:
                if server.get("/api/v1/clusters/production/events", "HEAD")[0] != 200:
                    taken.set()
            except OSError:
                taken.set()

    asking = threading.Thread(target=ask_for_streams)
    asking.start()
    assert server.end() < PROMISED_SECONDS
    asking.join(5)
    assert reader.has_ended.wait(2)


def test_security_h5k_no_secret_is_left_in_the_environment_of_a_request(place, tmp_path):
    """Granian copies os.environ into every request: what is gone before it starts is not in it."""
    code = (
        "import os, runpy, sys; from dqmsquare.server import serve; "
        "serve.Server = lambda **options: sys.exit(print(dict(os.environ))); "
        "sys.argv = ['server.py']; runpy.run_path('server.py', run_name='__main__')"
    )
    settings = {"DQM_FFF_SECRET": "canary-secret", "DQM_CR_USERNAMES": "shifter:canary-password"}
    environ = {**place.environ, **settings, "MONITORING_PORT": "0", "TMP_DIR": str(tmp_path), "LOG_DIR": str(tmp_path)}
    command = [sys.executable, "-c", code]
    left = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "POSTGRES_HOST" in left
    assert "canary" not in left
    assert place.environ["PUBLIC_ID_KEY"] not in left


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_security_g3_health_and_metrics_are_on_their_own_port(server):
    assert [server.monitoring(path) for path in ("/healthz", "/readyz", "/metrics", "/x")] == [200, 200, 200, 404]
    assert [server.get(path)[0] for path in ("/healthz", "/readyz", "/metrics")] == [404, 404, 404]
    server.get("/api?what=canary")
    text = server.get("/metrics", port=server.monitoring_port)[2].decode()
    assert 'dqmsquare_http_requests_total{route="/api",status="404"} 1.0' in text
    assert "canary" not in text


def test_a_worker_that_dies_is_replaced(server):
    [worker] = _children(server.process.pid)
    time.sleep(6)  # Granian gives up on one that dies within 5.5 s of its start
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: _children(server.process.pid) not in ([], [worker]), 10)
    wait_until(lambda: server.monitoring("/readyz") == 200, 10)
    assert server.get("/api?what=get_info")[0] == 200


POST = b"POST /dqm/dqm-square/api HTTP/1.1\r\nHost: x\r\n"
REFUSED = {
    "chunked": (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    "chunked and a length": (POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"400"),
    "two lengths": (POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
    "unknown coding": (POST + b"Transfer-Encoding: gzip, foo\r\n\r\nabcd", b"400"),
    "no coding": (POST + b"Transfer-Encoding: identity\r\nContent-Length: 4\r\n\r\nabcd", b"400"),
    "too large": (POST + b"Content-Length: 70000\r\n\r\nabcd", b"413"),
    "NUL": (b"GET /dqm/dqm-square/a\x00b HTTP/1.1\r\nHost: x\r\n\r\n", b"400"),
    "large header": (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 1_000_000 + b"\r\n\r\n", b"431"),
}
SMUGGLED = b"GET /dqm/dqm-square/api?what=get_info HTTP/1.1\r\nHost: x\r\n\r\n"


def test_security_i1_a_request_that_may_be_two_is_refused_and_the_connection_closed(server):
    for name, (sent, status) in REFUSED.items():
        received = server.raw(sent + SMUGGLED)
        assert received.startswith(b"HTTP/1.1 " + status), name
        assert received.count(b"HTTP/1.1 ") == 1, name
        assert not received.endswith(b"<still open>"), name


def test_security_b4_other_methods_are_not_served(server):
    for method in (b"PUT", b"DELETE", b"TRACE", b"OPTIONS", b"PATCH", b"FOO"):
        received = server.raw(method + b" /dqm/dqm-square/api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert received.startswith(b"HTTP/1.1 405"), method
        assert b"content-security-policy" in received, method


def test_security_d5_no_path_leads_elsewhere(server):
    up = ("/static/..%2f..%2fserver.py", "/static/%2e%2e/server.py", "/static/../server.py", "/static//etc/passwd")
    for path in (*up, "/static/%00", "/%E4%B8%AD", "/%ff", "/%c0%af"):
        status, headers, body = server.get(path, Accept="text/html")
        assert (status, b"There is no such" in body) == (404, True), path
        assert "content-security-policy" in headers, path


def test_lines_go_to_the_log_folder(server, tmp_path):
    wait_until(lambda: "listening at" in (tmp_path / "log" / "server.log").read_text())


def test_each_worker_answers_with_what_a_reader_already_knows_of(place, tmp_path, record):
    with running_server(place, tmp_path, SERVER_WORKERS="2") as server:
        reader = EventReader(server)
        for rev in range(10, 20):
            record.store([job_document(rev=rev, lumi=rev)])
            wait_until(lambda: len(reader.of("change")) > 0)
            event_id = reader.of("change")[-1][1]
            seen = [server.get(f"/live/partial?run={RUN}&after={event_id}")[2] for _ in range(6)]
            shown = [int(number) for body in seen for number in re.findall(rb'data-after="[0-9a-f]+-([0-9]+)"', body)]
            assert len(shown) >= 6
            assert min(shown) >= int(event_id.partition("-")[2])
            reader.events.clear()
        reader.leave()


def test_f35_security_h4k_while_the_database_is_gone_the_last_there_was_is_shown_and_since_when(
    place, tmp_path, record
):
    record.store([job_document()])
    with running_server(place, tmp_path) as server:
        reader = EventReader(server)
        whole = server.get(f"/?run={RUN}", Accept="text/html")
        assert whole[0] == 200
        names = [place.config.database_name(cluster) for cluster in ("production", "playback")]
        record.release()
        for name in names:
            place.server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS false")
            place.server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        time.sleep(0.2)
        status, headers, body = server.get(f"/live/partial?run={RUN}", Accept="text/html")
        assert (status, b"Database unavailable since" in body) == (503, True)  # never seen: nothing to show
        wait_until(lambda: server.get(f"/?run={RUN}", Accept="text/html")[0] == 503, 10)
        status, headers, body = server.get(f"/?run={RUN}", Accept="text/html")
        assert b"Database unavailable since" in body
        assert b"beam" in body
        assert headers["database-unavailable-since"]
        wait_until(lambda: server.monitoring("/readyz") == 503, 15)
        assert server.monitoring("/healthz") == 200
        wait_until(lambda: reader.of("beat") and reader.of("beat")[-1][2]["unavailable_since"], 12)
        for name in names:
            place.server.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS true")
        wait_until(lambda: reader.of("reload"), 10)
        wait_until(lambda: server.get(f"/?run={RUN}", Accept="text/html")[0] == 200, 5)
        wait_until(lambda: server.monitoring("/readyz") == 200, 15)
        reader.leave()
