import contextlib
import gzip
import json
import resource
import socket
import struct
import threading
import time
import zlib

import pytest

from dqmsquare.config import parse_config
from dqmsquare.dqm2_http import Dqm2Session
from dqmsquare.errors import UpstreamError, UpstreamMalformed, UpstreamTimeout, UpstreamUnreachable
from dqmsquare.grabber.upstream import HostFeed, Newest
from tests.integration.dqm2_peer import answer, answering, dripping, endless, peer

DEADLINE_SECONDS = 0.4
PATIENCE_SECONDS = 1.5  # for a machine with other things to do
MEBIBYTE = 1024 * 1024


def config_of(url, **more):
    settings = {"CMSWEB_FRONTEND_PROXY_URL": url, "UPSTREAM_DEADLINE_SECONDS": str(DEADLINE_SECONDS), **more}
    return parse_config(settings, role="grabber", as_root=False)


def fetch(url, *, deadline_seconds=DEADLINE_SECONDS, cap_bytes=MEBIBYTE, **more):
    session = Dqm2Session(config_of(url))
    try:
        return session.fetch("GET", "/x", deadline_seconds=deadline_seconds, cap_bytes=cap_bytes, **more)
    finally:
        session.close()


@contextlib.contextmanager
def feed_of(server):
    config = config_of(server.url)
    session = Dqm2Session(config)
    try:
        yield HostFeed(session, config, "dqmfu-c2b03-45-01", "hostid")
    finally:
        session.close()


def hang(connection, _):
    connection.recv(1)  # which does not come


def after(sent, then):
    def behave(connection, asked):
        connection.sendall(sent)
        then(connection, asked)

    return behave


def reset(connection, _):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def close(connection, _):
    connection.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.mark.parametrize(
    "behave",
    [
        pytest.param(hang, id="no-answer-at-all"),
        pytest.param(dripping(b"HTTP/1.1 200 OK\r\nX: ", 0.05), id="status-line-drips"),
        pytest.param(after(HEAD, dripping(b"X: y\r\n", 0.05)), id="headers-drip"),
        pytest.param(after(HEAD + b"Content-Length: 99\r\n\r\n[", hang), id="body-hangs"),
        pytest.param(after(HEAD + b"Content-Length: 99\r\n\r\n", dripping(b" ", 0.05)), id="body-drips"),
        pytest.param(after(HEAD + b"\r\n[", dripping(b" ", 0.05)), id="body-without-length-drips"),
        pytest.param(after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", dripping(b"0", 0.05)), id="chunk-size-drips"),
        pytest.param(after(HEAD + b"Content-Length: 99\r\n\r\n<html>", dripping(b"x", 0.05)), id="page-drips"),
    ],
)
def test_f2_f3_the_deadline_holds_whatever_the_server_does(behave):
    with peer(behave) as server:
        started = time.monotonic()
        with pytest.raises(UpstreamTimeout, match=r"0\.4 s"):
            fetch(server.url)
        assert DEADLINE_SECONDS <= time.monotonic() - started + 0.01 < PATIENCE_SECONDS


def test_f2_requests_that_time_out_leave_no_threads_behind():
    with peer(hang) as server:
        session = Dqm2Session(config_of(server.url))
        counts = set()
        for _ in range(20):
            with pytest.raises(UpstreamTimeout):
                session.fetch("GET", "/x", deadline_seconds=0.05, cap_bytes=100)
            counts.add(threading.active_count() - len([t for t in server._threads if t.is_alive()]))
        session.close()
    assert len(counts) == 1


def test_f2_many_requests_at_once_each_end_at_their_own_deadline():
    lasted = {}

    def ask(url, seconds):
        started = time.monotonic()
        with contextlib.suppress(UpstreamTimeout):
            fetch(url, deadline_seconds=seconds)
        lasted[seconds] = time.monotonic() - started

    with peer(dripping(b"HTTP/1.1 200 OK\r\nX: ", 0.05)) as server:  # no wait for a byte is long
        threads = [threading.Thread(target=ask, args=(server.url, tenths / 10)) for tenths in (12, 2, 4, 3, 5)]
        for thread in threads:
            thread.start()
            time.sleep(0.05)  # the watchdog already waits for the first one's deadline
        for thread in threads:
            thread.join()
    assert {seconds: seconds - 0.01 <= took < seconds + 0.5 for seconds, took in lasted.items()} == dict.fromkeys(
        (0.2, 0.3, 0.4, 0.5, 1.2), True
    )


def test_f3_a_pause_within_the_deadline_may_be_too_long():
    with peer(after(HEAD + b"Content-Length: 99\r\n\r\n[", hang)) as server:
        started = time.monotonic()
        with pytest.raises(UpstreamTimeout, match="nothing came"):
            fetch(server.url, deadline_seconds=30, pause_seconds=0.2)
        assert time.monotonic() - started < PATIENCE_SECONDS


def test_f3_a_listing_that_drips_without_a_message_times_out_by_its_pause():
    with peer(after(HEAD + b'Content-Length: 999\r\n\r\n{"messages": [', dripping(b" ", 0.02))) as server:
        started = time.monotonic()
        with (
            feed_of(server) as feed,
            pytest.raises(UpstreamTimeout, match="no message") as caught,
            feed.headers(None, deadline_seconds=30, pause_seconds=0.2) as headers,
        ):
            list(headers)
        assert (time.monotonic() - started < PATIENCE_SECONDS, caught.value.host) == (True, "hostid")


def test_closing_a_session_ends_what_is_under_way_at_once():
    with peer(hang) as server:
        session = Dqm2Session(config_of(server.url))
        threading.Timer(0.2, session.close).start()
        started = time.monotonic()
        with pytest.raises(UpstreamError):
            session.fetch("GET", "/x", deadline_seconds=30, cap_bytes=100)
        assert time.monotonic() - started < PATIENCE_SECONDS


def test_f1_a_closed_port_is_unreachable():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UpstreamUnreachable, match="the connection was refused"):
        fetch(f"http://127.0.0.1:{port}")


def test_f1_a_name_that_does_not_resolve_is_unreachable_and_is_not_named():
    with pytest.raises(UpstreamUnreachable) as caught:
        fetch("http://no-such-host.invalid", deadline_seconds=20)
    assert str(caught.value) == "its name cannot be resolved"


@pytest.mark.parametrize(
    ("behave", "kind", "message"),
    [
        (close, UpstreamUnreachable, "the connection was broken off"),
        (reset, UpstreamUnreachable, "the connection was broken off"),
        (after(HEAD + b"Content-Length: 9\r\n\r\n[", reset), UpstreamUnreachable, "the connection was broken off"),
        (after(HEAD + b"Content-Length: 9\r\n\r\n[", close), UpstreamMalformed, "the answer ended early"),
        (
            after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2,\r\n", close),
            UpstreamMalformed,
            "the answer ended early",
        ),
        (after(b"SSH-2.0-OpenSSH_9.2\r\n", close), UpstreamMalformed, "the answer is not HTTP"),
        (
            answering(b"no gzip", headers="Content-Encoding: gzip\r\n"),
            UpstreamMalformed,
            "the answer cannot be decompressed",
        ),
    ],
)
def test_f1_f9_an_answer_that_breaks_off_says_how(behave, kind, message):
    with peer(behave) as server:
        with pytest.raises(UpstreamError) as caught:
            fetch(server.url, deadline_seconds=5)
        assert (type(caught.value), str(caught.value)) == (kind, message)


def message_of(first, n_headers, total_sent, total, padding=""):
    lines = [
        {"_id": f"d{rev}", "_rev": rev, "timestamp": 1.66e9, "hostname": "h", "type": "t", "tag": padding, "run": None}
        for rev in range(first, first + n_headers)
    ]
    fields = {"event": "update_headers", "sync_to_rev": total, "total_sent": total_sent, "total_avail": total}
    return json.dumps(json.dumps({**fields, "headers": lines}))


@pytest.mark.parametrize(
    ("then", "kind"), [(close, UpstreamMalformed), (reset, UpstreamUnreachable), (hang, UpstreamTimeout)]
)
def test_f12_messages_before_a_break_come_out_before_the_error(then, kind):
    sent = HEAD + b'Content-Length: 9999\r\n\r\n{"messages": [' + message_of(1, 2, 2, 4).encode() + b', "{'
    seen = []
    with peer(after(sent, then)) as server, feed_of(server) as feed:
        with pytest.raises(kind) as caught, feed.headers(0) as headers:
            seen.extend(headers)
        assert caught.value.host == "hostid"
        assert not headers.complete
    assert [header.rev for message in seen for header in message.headers] == [1, 2]


def test_the_newest_revision_is_known_while_the_answer_still_comes():
    sent = HEAD + b'Content-Length: 9999\r\n\r\n{"messages": [' + message_of(1, 2, 2, 4).encode() + b", "
    gone = threading.Event()

    def wait_for_the_end(connection, _):
        connection.recv(1)
        gone.set()

    with peer(after(sent, wait_for_the_end)) as server, feed_of(server) as feed:
        assert feed.newest() == Newest(4, 4)
        assert gone.wait(PATIENCE_SECONDS)  # dropped, not drained


@pytest.mark.parametrize("headers", ["", "Content-Encoding: gzip\r\n"])
def test_f4_an_endless_answer_is_dropped_at_the_cap(headers):
    chunk = gzip.compress(b"[" * MEBIBYTE) if headers else b"[" * MEBIBYTE
    with peer(endless(chunk, headers=headers)) as server:
        with pytest.raises(UpstreamMalformed) as caught:
            fetch(server.url, deadline_seconds=20, cap_bytes=4 * MEBIBYTE)
        assert caught.value.kind == "too-large"


@pytest.mark.parametrize("status", ["302 Found", "503 Service Unavailable", "404 Not Found"])
def test_f4_the_endless_body_of_what_is_no_answer_is_not_read(status):
    def behave(connection, _):
        connection.sendall(f"HTTP/1.1 {status}\r\nLocation: https://login.test/\r\n\r\n".encode())
        while True:
            connection.sendall(b"x" * MEBIBYTE)

    with peer(behave) as server:
        started = time.monotonic()
        with pytest.raises(UpstreamError, match=status[:3]):
            fetch(server.url, deadline_seconds=20)
        assert time.monotonic() - started < PATIENCE_SECONDS


def test_f4_a_gzip_bomb_is_dropped_while_it_is_small():
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = b"".join(squeezer.compress(b"[" * MEBIBYTE) for _ in range(128)) + squeezer.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with peer(answering(bomb, headers="Content-Encoding: gzip\r\n")) as server:
        with pytest.raises(UpstreamMalformed) as caught:
            fetch(server.url, deadline_seconds=20, cap_bytes=8 * MEBIBYTE)
        assert caught.value.kind == "too-large"
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 50  # MiB


def test_f4_compressed_data_that_never_gives_a_byte_ends_at_the_deadline():
    squeezer = zlib.compressobj(0, zlib.DEFLATED, 31)
    start = squeezer.compress(b"") + squeezer.flush(zlib.Z_SYNC_FLUSH)
    nothing = b"\x00\x00\x00\xff\xff" * 1_000  # stored blocks of length 0
    behave = after(
        HEAD + b"Content-Encoding: gzip\r\n\r\n" + start, lambda c, _: [c.sendall(nothing) for _ in range(10**6)]
    )
    with peer(behave) as server:
        started = time.monotonic()
        with pytest.raises(UpstreamTimeout):
            fetch(server.url)
        assert time.monotonic() - started < PATIENCE_SECONDS


def test_f4_a_header_message_without_end_is_dropped_at_two_mebibytes():
    def behave(connection, _):
        connection.sendall(HEAD + b'\r\n{"messages": ["')
        while True:
            connection.sendall(b"x" * MEBIBYTE)

    with (
        peer(behave) as server,
        feed_of(server) as feed,
        pytest.raises(UpstreamMalformed) as caught,
        feed.headers(0, deadline_seconds=20) as headers,
    ):
        list(headers)
    assert caught.value.kind == "too-large"


def test_f4_memory_stays_flat_while_200_megabytes_of_headers_pass():
    total = 60_000
    template = message_of(10**9, 500, 10**9 + 10**8, total, padding="x" * 3_300)

    def behave(connection, _):
        connection.sendall(HEAD + b'\r\n{"messages": [')
        for sent in range(500, total + 1, 500):
            counted = template.replace(f'"total_sent\\": {10**9 + 10**8}', f'"total_sent\\": {sent}')
            connection.sendall(counted.encode() + (b"]}" if sent == total else b", "))
        connection.close()

    assert len(template) * total / 500 > 200_000_000
    with peer(behave) as server, feed_of(server) as feed:
        n_headers, before = 0, 0
        with feed.headers(0, deadline_seconds=60, pause_seconds=30) as headers:
            for number, message in enumerate(headers):
                n_headers += len(message.headers)
                if number == 5:
                    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            assert headers.complete
    assert n_headers == total
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024 < 30  # MiB


def test_a_short_answer_is_read_whole_and_its_connection_kept():
    with peer(answering(b"[1]")) as server:
        session = Dqm2Session(config_of(server.url))
        for _ in range(5):
            assert session.fetch("GET", "/x", deadline_seconds=5, cap_bytes=100) == b"[1]"
        session.close()
        assert (len(server.asked), server.n_connections) == (5, 1)


def test_a_chunked_answer_keeps_its_connection_too():
    with peer(after(HEAD + b"Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n", lambda *_: None)) as server:
        session = Dqm2Session(config_of(server.url))
        for _ in range(3):
            assert session.fetch("GET", "/x", deadline_seconds=5, cap_bytes=100) == b"[1]"
        session.close()
        assert (len(server.asked), server.n_connections) == (3, 1)


def test_a_compressed_answer_is_decompressed():
    with peer(answering(gzip.compress(b"[1]"), headers="Content-Encoding: gzip\r\n")) as server:
        assert fetch(server.url) == b"[1]"
        assert server.asked[0].headers["accept-encoding"] == "gzip"


def closing_when_asked_again():
    """Answers the first request of each connection, and closes it upon the second, unless told that this is enough."""
    seen = set()

    def behave(connection, _):
        if connection in seen:
            connection.close()
        else:
            seen.add(connection)
            connection.sendall(answer(b"[1]"))

    return behave


def test_a_kept_connection_that_turns_out_dead_is_replaced_for_what_may_be_repeated():
    with peer(closing_when_asked_again()) as server:
        session = Dqm2Session(config_of(server.url))
        for _ in range(3):
            assert session.fetch("GET", "/x", deadline_seconds=5, cap_bytes=100, repeatable=True) == b"[1]"
        session.close()
        assert server.n_connections == 3


def test_what_may_not_be_repeated_is_asked_once():
    with peer(closing_when_asked_again()) as server:
        session = Dqm2Session(config_of(server.url))
        session.fetch("GET", "/x", deadline_seconds=5, cap_bytes=100)
        with pytest.raises(UpstreamUnreachable):
            session.fetch("GET", "/x", deadline_seconds=5, cap_bytes=100)
        session.close()
        assert len(server.asked) == 2
