"""Ends the reading of a body that takes too long: Granian has a time for a request's head and none for its body.

Whoever reads a body sleeps until its bytes are there; only the end of the connection wakes him, and Granian does not
say which connection is a request's. But it ends one on which no request is under way after the time for a head. So what
has been sent nothing for longer waits for an answer; where just as many do as bodies are overdue, these are theirs.
"""

import os
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from dqmsquare.server.responses import problem

BODY_WITHIN_SECONDS = 30.0  # as for a head in serve.py, and never less: see above

_GRACE_SECONDS = 0.5  # so that the connection of an overdue body has surely been sent nothing for as long
_AGAIN_SECONDS = 0.25
_ESTABLISHED = 1  # Linux: struct tcp_info begins with the state;
_LAST_DATA_SENT = 44  # here it says how many milliseconds ago something was sent, or the connection was made


class Body:
    """A `wsgi.input` that is read whole or not at all."""

    def __init__(self, source: Any, n_bytes: int, port: int, readings: "Readings") -> None:
        self.port = port
        self.is_cut = False
        self._source, self._n_left, self._readings = source, n_bytes, readings

    def read(self, size: int = -1) -> bytes:
        """Raises a 408 where it takes too long, a 400 where the sender ends before what the Content-Length says."""
        wanted = self._n_left if size < 0 else min(size, self._n_left)
        piece = b""
        with self._readings.under_way(self):
            while len(piece) < wanted and (more := self._source.read(wanted - len(piece))):
                piece += more
        if self.is_cut:
            raise problem(408, "The request's body took too long.", Connection="close")
        if len(piece) < wanted:
            raise problem(400, "The body is shorter than its Content-Length.", Connection="close")
        self._n_left -= wanted
        return piece


class Readings:
    """The bodies that are being read in this process."""

    def __init__(self) -> None:
        self._within_seconds = BODY_WITHIN_SECONDS
        self._begun: dict[Body, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def under_way(self, body: Body) -> Iterator[None]:
        """While this body is read. Afterwards it `is_cut` where its connection was ended meanwhile."""
        timer = threading.Timer(self._within_seconds + _GRACE_SECONDS, self._end, [body])
        timer.daemon = True
        with self._lock:
            self._begun[body] = time.monotonic()
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            with self._lock:
                del self._begun[body]

    def _end(self, body: Body) -> None:
        """Until it is no longer read. Others may be handled for as long; what cannot be told from them waits."""
        while True:
            with self._lock:
                if body not in self._begun:
                    return
                if body is next(iter(self._begun)):  # the oldest looks for all
                    self._cut_overdue(body.port)
            time.sleep(_AGAIN_SECONDS)

    def _cut_overdue(self, port: int) -> None:
        latest = time.monotonic() - self._within_seconds - _GRACE_SECONDS
        overdue = [body for body, begun in self._begun.items() if begun <= latest]
        with ExitStack() as stack:
            waiting = [stack.enter_context(each) for each in _waiting(port, self._within_seconds)]
            if len(waiting) != len(overdue):
                return
            for body in overdue:
                body.is_cut = True
            for connection in waiting:
                connection.shutdown(socket.SHUT_RD)  # the answer can still be sent


def _waiting(port: int, seconds: float) -> Iterator[socket.socket]:
    """Second handles of the connections to `port` on which nothing has been sent for so long. None but on Linux."""
    try:
        names = os.listdir("/proc/self/fd")  # noqa: PTH208  (numbers, not paths)
    except OSError:
        return
    for name in names:
        try:
            connection = socket.fromfd(int(name), socket.AF_INET, socket.SOCK_STREAM)
        except OSError:
            continue  # closed meanwhile
        if _is_waiting(connection, port, seconds):
            yield connection
        else:
            connection.close()


def _is_waiting(connection: socket.socket, port: int, seconds: float) -> bool:
    try:
        info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_DATA_SENT + 4)
        silent_ms: int = struct.unpack_from("=I", info, _LAST_DATA_SENT)[0]
        is_ours = info[0] == _ESTABLISHED and connection.getsockname()[1] == port
    except OSError:
        return False  # no connection, a file
    return is_ours and silent_ms >= seconds * 1000
