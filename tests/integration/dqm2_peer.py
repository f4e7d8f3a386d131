"""A server for one test that does to its connections what the test says: answer, hang, drip, cut, lie."""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"


@dataclass(frozen=True)
class Asked:
    """A request as it came over the wire."""

    line: str
    headers: dict[str, str]
    body: bytes


Behaviour = Callable[[socket.socket, Asked], None]


class Peer:
    """Serves each connection in a thread of its own, a request after the other, until `behave` closes it."""

    def __init__(self, behave: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self.asked: list[Asked] = []
        self.n_connections = 0
        self.stopped = threading.Event()
        self._behave = behave
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self._listener.getsockname()[1]}"

    def stop(self) -> None:
        self.stopped.set()
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.n_connections += 1
                self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
                self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.add(connection)
            while (asked := _read_request(connection)) is not None:
                self.asked.append(asked)
                self._behave(connection, asked)
        except OSError:  # the client went away, or TLS did not come about
            pass
        finally:
            connection.close()


@contextlib.contextmanager
def peer(behave: Behaviour, tls: ssl.SSLContext | None = None) -> Iterator[Peer]:
    server = Peer(behave, tls)
    try:
        yield server
    finally:
        server.stop()


def answer(body: bytes, *, status: str = "200 OK", headers: str = "") -> bytes:
    """A whole answer; the connection may be kept."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{headers}\r\n".encode() + body


def answering(body: bytes, *, status: str = "200 OK", headers: str = "") -> Behaviour:
    return lambda connection, _: connection.sendall(answer(body, status=status, headers=headers))


def dripping(what: bytes, every_seconds: float) -> Behaviour:
    """Sends `what` byte by byte, over and over."""

    def behave(connection: socket.socket, _: Asked) -> None:
        while True:
            for value in what:
                connection.sendall(bytes([value]))
                time.sleep(every_seconds)

    return behave


def endless(chunk: bytes, *, headers: str = "") -> Behaviour:
    def behave(connection: socket.socket, _: Asked) -> None:
        connection.sendall(f"HTTP/1.1 200 OK\r\n{headers}Connection: close\r\n\r\n".encode())
        while True:
            connection.sendall(chunk)

    return behave


def _read_request(connection: socket.socket) -> Asked | None:
    received = b""
    while HEAD_END not in received:
        more = connection.recv(65_536)
        if not more:
            return None
        received += more
    head, _, body = received.partition(HEAD_END)
    line, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.strip().lower(): value.strip() for name, _, value in (one.partition(":") for one in lines)}
    while len(body) < int(headers.get("content-length", "0")):
        body += connection.recv(65_536)
    return Asked(line, headers, body)
