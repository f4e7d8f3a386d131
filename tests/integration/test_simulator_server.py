"""The simulator over real sockets: its protocol, its faults, its certificates, its end."""

import contextlib
import gzip
import http.client
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dqmsquare.simulator import Simulator, Tls
from dqmsquare.simulator.documents import job_document
from tests.certs.authority import Authority

HOST = "dqmfu-c2b03-45-01"
GATEWAY = "dqmrubu-c2a06-03-01"


def sync(known_rev: int | None = None) -> dict:
    return {"event": "sync_request", "known_rev": known_rev}


class Client:
    """One kept-alive connection to a simulator, without manners: no redirects, no cookies."""

    def __init__(self, url: str, context: ssl.SSLContext | None = None) -> None:
        parts = urlsplit(url)
        assert parts.hostname
        self.prefix = parts.path
        if parts.scheme == "https":
            self.http: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.hostname, parts.port, timeout=5, context=context
            )
        else:
            self.http = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)

    def post(self, path: str, *inner: Any, cookie: str = "") -> http.client.HTTPResponse:
        body = json.dumps({"messages": [json.dumps(message) for message in inner]})
        self.http.request("POST", self.prefix + path, body, {"Cookie": cookie})
        return self.http.getresponse()

    def messages(self, *inner: Any, host: str = HOST) -> list[dict]:
        answer = json.loads(self.post(f"/redirect?path={host}&port=9215", *inner).read())
        return [json.loads(message) for message in answer["messages"]]

    def get(self, path: str) -> bytes:
        self.http.request("GET", self.prefix + path)
        return self.http.getresponse().read()


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator(prefix="/dqm/dqm-square-origin", inner_timeout_seconds=0.2) as running:
        for n in range(2500):
            running.upload(HOST, {"_id": f"document {n}", "type": "dqm-other", "padding": "x" * 100})
        yield running


@pytest.fixture
def client(simulator: Simulator) -> Iterator[Client]:
    client = Client(simulator.url)
    with contextlib.closing(client.http):
        yield client


def test_a_listing_comes_in_messages_of_a_thousand_and_documents_by_their_ids(client: Client) -> None:
    messages = client.messages(sync())
    assert [(len(m["headers"]), m["total_sent"], m["total_avail"]) for m in messages] == [
        (1000, 1000, 2500), (1000, 2000, 2500), (500, 2500, 2500),
    ]  # fmt: skip
    newest = messages[-1]["headers"][-1]
    (answer,) = client.messages({"event": "request_documents", "ids": [newest["_id"], "gone"]})
    assert [(document["_id"], document["_rev"]) for document in answer["documents"]] == [
        (newest["_id"], newest["_rev"])
    ]


def test_the_gateway_answers_for_itself_under_the_prefix_only(simulator: Simulator, client: Client) -> None:
    simulator.upload(GATEWAY, {"_id": "mine"})
    assert b"mine" in client.post("/sync_proxy", sync()).read()
    client.prefix = ""
    answer = client.post("/sync_proxy", sync())
    assert (answer.status, b"<html>" in answer.read()) == (404, True)


def test_a_port_that_is_closed_and_opened_again_is_the_same_one(simulator: Simulator, client: Client) -> None:
    assert client.messages(sync())
    simulator.close_port()
    with pytest.raises(OSError), socket.create_connection(("127.0.0.1", client.http.port)):  # noqa: PT011  (refused)
        pass
    simulator.open_port()
    simulator.open_port()  # two faults that end one after the other
    client.http.close()
    assert client.messages(sync())


def test_a_malformed_question_comes_back_as_html_with_status_200_through_the_proxy(client: Client) -> None:  # U9
    answer = client.post(f"/redirect?path={HOST}&port=9215", {"event": "sync_request", "known_rev": "x"})
    assert (answer.status, answer.read()[:15]) == (200, b"<!DOCTYPE html>")


def test_a_large_listing_is_streamed_while_it_is_made(simulator: Simulator, client: Client) -> None:
    for n in range(20_000):
        simulator.upload("dqmfu-c2b04-45-01", {"_id": f"document {n} {'of a long name ' * 8}"})
    answer = client.post("/redirect?path=dqmfu-c2b04-45-01&port=9215", sync())
    assert answer.getheader("Transfer-Encoding") == "chunked"
    messages = [json.loads(message) for message in json.loads(answer.read())["messages"]]
    assert sum(len(message["headers"]) for message in messages) == 20_000


def test_an_http_1_0_client_gets_the_same_without_chunks(simulator: Simulator) -> None:
    parts = urlsplit(simulator.url)
    body = json.dumps({"messages": [json.dumps(sync(8_002_490))]})
    with socket.create_connection((parts.hostname, parts.port), timeout=5) as raw:
        head = f"POST {parts.path}/redirect?path={HOST}&port=9215 HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n"
        raw.sendall(head.encode() + body.encode())
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert len(json.loads(json.loads(answer.split(b"\r\n\r\n", 1)[1])["messages"][0])["headers"]) == 10


def test_requests_and_connections_are_counted(simulator: Simulator, client: Client) -> None:
    for _ in range(3):
        client.messages(sync(8_002_499))
    client.get("/cr/exe?what=get_cluster_status&cluster=production")
    assert simulator.requests.count("/redirect", HOST, "sync_request") == 3
    assert simulator.requests.count("/cr/exe") == 1
    assert simulator.requests.n_connections == 1


def test_a_hanging_host_never_answers_and_holds_nobody_else_up(simulator: Simulator, client: Client) -> None:
    simulator.faults.set("hang", host=HOST)
    client.http.timeout = 0.3
    with pytest.raises(TimeoutError):
        client.messages(sync())
    client.http.close()
    assert client.messages(sync(), host="dqmfu-c2b04-45-01") == []


def test_a_drip_keeps_the_connection_busy_byte_by_byte(simulator: Simulator, client: Client) -> None:
    simulator.faults.set("drip:50", host=HOST)
    answer = client.post(f"/redirect?path={HOST}&port=9215", sync(8_002_499))
    begun = time.monotonic()
    assert len(answer.read(10)) == 10
    assert time.monotonic() - begun > 0.1


def test_an_answer_that_was_cut_ends_early(simulator: Simulator, client: Client) -> None:
    simulator.faults.set("cut:1000", host=HOST, times=1)
    with pytest.raises(http.client.IncompleteRead) as cut:
        client.messages(sync())
    assert len(cut.value.partial) == 1000


def test_a_broken_connection_is_reset(simulator: Simulator, client: Client) -> None:
    simulator.faults.set("break", path="/redirect")
    with pytest.raises(ConnectionError):
        client.messages(sync())


def test_an_endless_answer_can_be_left(simulator: Simulator, client: Client) -> None:
    simulator.faults.set("stream-forever", host=HOST)
    answer = client.post(f"/redirect?path={HOST}&port=9215", sync())
    assert len(answer.read(20_000_000)) == 20_000_000
    client.http.close()


def test_a_gzip_bomb_says_that_it_is_packed(simulator: Simulator, client: Client) -> None:
    simulator.faults.set("gzipbomb:2", host=HOST)
    answer = client.post(f"/redirect?path={HOST}&port=9215", sync())
    assert answer.getheader("Content-Encoding") == "gzip"
    assert len(gzip.decompress(answer.read())) > 2_000_000


def test_the_proxy_gives_up_on_a_slow_host(simulator: Simulator, client: Client) -> None:
    simulator.faults.set("inner-timeout", host=HOST)
    begun = time.monotonic()
    assert b"Read timed out" in client.post(f"/redirect?path={HOST}&port=9215", sync()).read()
    assert time.monotonic() - begun >= 0.2


def test_a_host_that_is_down_says_so_in_cluster_status_and_is_dead_behind_the_proxy(
    simulator: Simulator, client: Client
) -> None:
    simulator.faults.set("down", host=HOST)
    status = json.loads(client.get("/cr/exe?what=get_cluster_status&cluster=production"))
    assert (status[f"{HOST}.cms"]["up"], status["dqmfu-c2b04-45-01.cms"]) == (False, {"up": True, "msg": None})
    assert b"Max retries exceeded" in client.post(f"/redirect?path={HOST}&port=9215", sync()).read()


def test_the_cookie_is_asked_for_and_a_redirect_is_not_followed_by_itself() -> None:
    with Simulator(secret="s3cret") as simulator:
        client = Client(simulator.url)
        with contextlib.closing(client.http):
            refused = client.post("/sync_proxy", sync())
            assert (refused.status, refused.getheader("Location"), refused.read()) == (302, "/auth/login", b"")
            assert client.post("/sync_proxy", sync(), cookie="selenium-secret-secret=s3cret").status == 200
            assert simulator.requests.count("/auth/login") == 0


def control(simulator: Simulator, **command: Any) -> Any:
    request = urllib.request.Request(simulator.control_url, json.dumps(command).encode())
    with urllib.request.urlopen(request, timeout=5) as answer:
        return json.loads(answer.read())["result"]


def test_everything_can_be_done_from_another_process(simulator: Simulator, client: Client) -> None:
    control(simulator, do="fault", name="status:503", host=HOST, times=1)
    assert client.post(f"/redirect?path={HOST}&port=9215", sync()).status == 503
    client.http.close()
    assert control(simulator, do="drop", host=HOST, newest=1) == ["document 2499"]
    assert control(simulator, do="reuse", host=HOST) == 8_002_498
    assert client.messages(sync(8_002_498))[0]["headers"][0]["_id"] == "document 24989"
    control(simulator, do="reset", host=HOST)
    assert client.messages(sync()) == []
    assert control(simulator, do="upload", host=HOST, document={"_id": "new"}) == 1
    assert control(simulator, do="status")["hosts"][HOST] == {"documents": 1, "newest_rev": 1}


def test_documents_are_uploaded_over_http(simulator: Simulator, client: Client) -> None:
    client.http.request("POST", f"/_upload?host={GATEWAY}", json.dumps({"docs": [{"_id": "a"}]}))
    assert json.loads(client.http.getresponse().read()) == {"revs": [8_000_000]}
    assert simulator.stores[GATEWAY].newest_ids(1) == ["a"]


def test_a_play_can_be_paused_resumed_killed_and_made_to_crash() -> None:
    with Simulator(play=True, speed=100.0, playback_hosts=[GATEWAY]) as simulator:
        store = simulator.stores[HOST]
        simulator.pause()
        time.sleep(0.2)
        rev = store.newest_rev
        time.sleep(0.2)
        assert store.newest_rev == rev
        simulator.resume()
        _wait_for(lambda: store.newest_rev > rev)
        assert control(simulator, do="crash", tag="csc", exit_code=-8) is True
        simulator.kill()
        rev = store.newest_rev
        time.sleep(0.2)
        assert store.newest_rev == rev
    crashed = [simulator.stores[host].documents([h["_id"]])[0] for host in simulator.stores
               for h in simulator.stores[host].headers_from(None) if (h["tag"] or "").startswith("csc")]  # fmt: skip
    assert -8 in [document.get("exit_code") for document in crashed]


def _wait_for(condition: Any) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_stopping_ends_connections_that_hang_or_drip(simulator: Simulator) -> None:
    simulator.faults.set("hang", host=HOST)
    waiting = Client(simulator.url)
    waiting.http.timeout = 30

    def ask() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            waiting.messages(sync())

    thread = threading.Thread(target=ask)
    thread.start()
    _wait_for(lambda: simulator.requests.count("/redirect"))
    begun = time.monotonic()
    simulator.stop()
    thread.join(timeout=5)
    assert not thread.is_alive()
    assert time.monotonic() - begun < 2
    waiting.http.close()
    assert not [t for t in threading.enumerate() if "process_request" in t.name]


def test_a_simulator_that_never_started_can_be_stopped() -> None:
    Simulator().stop()


# Certificates


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Simulator, Authority]]:
    authority = Authority(tmp_path)
    pair = authority.issue("server", hosts=["127.0.0.1"])
    with Simulator(tls=Tls(pair.certificate, pair.key, authority.bundle)) as simulator:
        yield simulator, authority


def context_of(authority: Authority, pair: Any = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.bundle)
    if pair:
        context.load_cert_chain(pair.certificate, pair.key)
    return context


def test_a_client_with_the_right_certificate_is_served(secured: tuple[Simulator, Authority]) -> None:
    simulator, authority = secured
    simulator.upload(GATEWAY, {"_id": "a"})
    client = Client(simulator.url, context_of(authority, authority.issue("robot")))
    with contextlib.closing(client.http):
        assert client.post("/sync_proxy", sync()).status == 200
    assert simulator.url.startswith("https://127.0.0.1:")


def test_a_client_without_or_with_a_wrong_certificate_is_refused(
    secured: tuple[Simulator, Authority], tmp_path: Path
) -> None:
    simulator, authority = secured
    (tmp_path / "other").mkdir()
    stranger = Authority(tmp_path / "other").issue("robot")
    for pair in (None, stranger):
        client = Client(simulator.url, context_of(authority, pair))
        with contextlib.closing(client.http), pytest.raises((ssl.SSLError, ConnectionError, http.client.HTTPException)):
            client.post("/sync_proxy", sync())
    _wait_for(lambda: simulator.requests.n_refused == 2)
    assert simulator.requests.count() == 0


# As a process


@contextlib.contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "dqmsquare.simulator", *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"}
    ) as child:
        assert child.stdout
        try:
            yield child, child.stdout.readline().strip()
        finally:
            child.kill()


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_prints_its_address_plays_and_ends_cleanly(signal_number: int) -> None:
    hosts = "bu-c2f11-09-01;fu-c2f11-11-01;fu-c2f11-11-02"
    with process("--production-hosts", hosts, "--prefix", "dqm/origin", "--history-runs", "2") as (child, url):
        client = Client(url)
        with contextlib.closing(client.http):
            status = json.loads(client.get("/cr/exe?what=get_cluster_status&cluster=production"))
            (message,) = client.messages(sync(), host="fu-c2f11-11-01")
        assert list(status) == ["bu-c2f11-09-01.cms", "fu-c2f11-11-01.cms", "fu-c2f11-11-02.cms"]
        assert len({header["run"] for header in message["headers"]} - {None}) == 3
        child.send_signal(signal_number)
        assert (child.wait(timeout=10), child.stderr.read() if child.stderr else "") == (0, "")


def test_a_file_of_documents_is_replayed_beside_or_instead_of_plays(tmp_path: Path) -> None:
    document = job_document("fu-x", 7, "beam_dqm_sourceclient-live", 5, lumi=3, reported_at=1_700_000_000.0)
    path = tmp_path / "documents.jsonl.gz"
    with gzip.open(path, "wt") as lines:
        lines.write(json.dumps({"host": "fu-x", "doc": document}) + "\n")
    with process("--no-play", "--documents", str(path)) as (_, url):
        client = Client(url)
        with contextlib.closing(client.http):
            (message,) = client.messages(sync(), host="fu-x")
            assert message["headers"][0]["_id"] == document["_id"]
            assert "fu-x.cms" in json.loads(client.get("/cr/exe?what=get_cluster_status&cluster=production"))
            assert client.messages(sync()) == []


def test_arguments_that_do_not_go_together_are_refused() -> None:
    for arguments in (["--cert", "a.pem"], ["--speed", "0"], ["--documents", "/nowhere"]):
        command = [sys.executable, "-m", "dqmsquare.simulator", *arguments]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
        assert (ended.returncode, "error:" in ended.stderr, "Traceback" in ended.stderr) == (2, True, False)
