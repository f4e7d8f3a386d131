"""Clients that are slow, many or talkative, on raw sockets: they are cut off, and nobody else waits for them."""

import concurrent.futures
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dqmsquare.server import slow_bodies
from dqmsquare.server.responses import Problem
from tests.control_room_client import SETTINGS
from tests.integration.server_process import ROOT, ServerProcess, running_server, wait_until
from tests.postgres import Server, copied_databases

# The server as it is, but for how long it waits for a request's head and body: two and three seconds instead of thirty.
IMPATIENT = (
    f"import runpy, sys; sys.path.insert(0, {str(ROOT)!r}); from dqmsquare.server import serve, slow_bodies; "
    "assert (serve._HEADERS_WITHIN_MS, slow_bodies.BODY_WITHIN_SECONDS) == (30_000, 30.0); "
    "serve._HEADERS_WITHIN_MS = 2_000; slow_bodies.BODY_WITHIN_SECONDS = 3.0; "
    f"runpy.run_path({str(ROOT / 'server.py')!r}, run_name='__main__')"
)
HEAD = b"GET /dqm/dqm-square/api?what=get_info HTTP/1.1\r\nHost: x\r\n"
POST = (
    b"POST /dqm/dqm-square/cr/login/ HTTP/1.1\r\nHost: x\r\nOrigin: http://x\r\n"
    b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: "
)
N_SLOW = 200


@pytest.fixture(scope="module")
def server(
    postgres_18: Server, templates_18: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("slow")
    with (
        copied_databases(postgres_18, templates_18, folder) as place,
        running_server(place, folder, "-c", IMPATIENT, **SETTINGS) as running,
    ):
        yield running


def connect(server: ServerProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.port), timeout=10)


def test_security_h6k_who_never_ends_a_requests_head_is_cut_off_and_keeps_nobody_waiting(server: ServerProcess):
    with ExitStack() as slow:
        sockets = [slow.enter_context(connect(server)) for _ in range(N_SLOW)]
        for each in sockets:
            each.sendall(HEAD + b"X-a: ")
        begun = time.monotonic()
        assert server.get("/api?what=get_info")[0] == 200
        assert time.monotonic() - begun < 2
        for _ in range(3):  # a byte now and then makes nothing longer
            time.sleep(0.5)
            sockets[0].sendall(b"b")
        assert [_rest(each) for each in sockets[:3]] == [b"", b"", b""]
        assert time.monotonic() - begun < 8


def _rest(connection: socket.socket) -> bytes:
    """What comes until the server closes; nothing but a refusal may."""
    try:
        received = connection.recv(65536)
        return b"" if received.startswith(b"HTTP/1.1 408") else received
    except ConnectionResetError:
        return b""


def test_security_h6k_slow_bodies_have_sixteen_places_and_the_rest_is_refused_unread(server: ServerProcess):
    with ExitStack() as slow:
        sockets = [slow.enter_context(connect(server)) for _ in range(20)]
        for each in sockets:
            each.sendall(POST + b"9\r\n\r\na")
        assert server.get("/status")[0] == 200
        answered, _, _ = select.select(sockets, [], [], 0)
        assert [each.recv(12) for each in answered] == [b"HTTP/1.1 503"] * 4


def test_security_h6k_a_body_that_takes_too_long_is_cut_off_and_gives_its_place_back(server: ServerProcess):
    whole = POST + b"3\r\n\r\na=b"
    with ExitStack() as slow:
        wait_until(lambda: server.raw(whole).startswith(b"HTTP/1.1 403"))  # no place is taken
        sockets = [slow.enter_context(connect(server)) for _ in range(17)]
        for each in sockets:
            each.sendall(POST + b"1000\r\n\r\n")
        begun = time.monotonic()
        [refused], _, _ = select.select(sockets, [], [], 2)
        sockets.remove(refused)
        while time.monotonic() - begun < 2.5:  # the first eight send a byte now and then, the others nothing at all
            for each in sockets[:8]:
                each.sendall(b"a")
            assert server.get("/api?what=get_info")[0] == 200
            time.sleep(0.5)
        assert server.raw(whole).startswith(b"HTTP/1.1 503")
        assert [each.recv(12) for each in sockets] == [b"HTTP/1.1 408"] * 16
        assert 3 < time.monotonic() - begun < 6
        assert server.raw(whole).startswith(b"HTTP/1.1 403")


def test_security_h6k_who_waits_for_an_answer_is_not_taken_for_who_sends_a_slow_body(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(slow_bodies, "BODY_WITHIN_SECONDS", 0.2)
    with ExitStack() as stack:
        listening = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        address = listening.getsockname()
        slow, patient = (stack.enter_context(socket.create_connection(address)) for _ in range(2))
        served, waiting = (stack.enter_context(listening.accept()[0]) for _ in range(2))
        source = stack.enter_context(served.makefile("rb", buffering=0))
        body = slow_bodies.Body(source, 5, address[1], slow_bodies.Readings())
        reader = stack.enter_context(concurrent.futures.ThreadPoolExecutor()).submit(body.read)
        time.sleep(1.2)
        assert not reader.done()  # which of the two connections is the body's cannot be told
        waiting.sendall(b"an answer")
        with pytest.raises(Problem) as refused:
            reader.result(timeout=2)
        assert refused.value.status_code == 408
        served.sendall(b"408")
        assert (slow.recv(9), patient.recv(9)) == (b"408", b"an answer")


def test_a_body_that_ends_before_its_length_is_not_taken_for_a_whole_one(server: ServerProcess):
    with connect(server) as connection:
        connection.sendall(POST + b"9\r\n\r\na=b")
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(12) == b"HTTP/1.1 400"


@pytest.mark.parametrize(
    ("name", "sent", "refused"),
    [
        ("many headers", HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(500)) + b"\r\n", True),
        ("large headers", HEAD + b"".join(b"X-%d: %s\r\n" % (n, b"y" * 4096) for n in range(40)) + b"\r\n", True),
        ("a long address", b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", True),
        ("a folded header", HEAD + b"X: a\r\n b\r\n\r\n", True),
        ("a blank before the colon", HEAD + b"Content-Length : 5\r\n\r\nabcde", True),
        ("a head of no lines", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", True),
        ("usual headers", HEAD + b"".join(b"X-%d: y\r\n" % number for number in range(50)) + b"\r\n", False),
    ],
)
def test_security_h6k_i1_odd_heads_are_refused_and_the_connection_ends(
    server: ServerProcess, name: str, sent: bytes, refused: bool
):
    received = server.raw(sent)
    assert received.startswith((b"HTTP/1.1 4", b"HTTP/1.0 4")) == refused, (name, received[:80])
    assert received.endswith(b"<still open>") != refused, name


def test_security_i1_a_second_request_is_answered_as_a_second_and_a_hidden_one_is_not(server: ServerProcess):
    two = server.raw(HEAD + b"\r\n" + HEAD + b"Connection: close\r\n\r\n")
    assert two.count(b"HTTP/1.1 200") == 2
    hidden = b"GET /hidden HTTP/1.1\r\nHost: x\r\n\r\n"
    length = b"Content-Length: %d\r\n\r\n" % len(hidden)
    for method in (b"POST", b"GET", b"PUT"):  # a body that nobody reads is no request
        received = server.raw(method + b" /dqm/dqm-square/api?what=get_info HTTP/1.1\r\nHost: x\r\n" + length + hidden)
        assert received.count(b"HTTP/1.1 ") == 1, method
