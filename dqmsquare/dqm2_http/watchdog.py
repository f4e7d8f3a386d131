"""Ends requests at their deadline. A timeout of requests counts anew at each read, so that one byte a second never
trips it; here one thread for all requests shuts the socket, which also wakes a read that blocks.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator


class Deadline:
    """The time that one request may take in all, and whether it is over."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.at = time.monotonic() + seconds
        self.on_used_connection = False
        self._is_cut = False
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    @property
    def has_passed(self) -> bool:
        """True also for a request that was cut short."""
        return self._is_cut or time.monotonic() >= self.at

    def watch(self, connected: socket.socket, *, used_before: bool) -> None:
        """Names the socket that serves the request; `used_before` is for a kept-alive one."""
        with self._lock:
            self._socket = connected
            self.on_used_connection = used_before
            if self._is_cut:
                _shut(connected)

    def cut(self) -> None:
        """Ends the request now, from whichever thread."""
        with self._lock:
            self._is_cut = True
            if self._socket is not None:
                _shut(self._socket)


class Watchdog:
    """Cuts every request whose deadline has come. Its thread starts with the first request and stays."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._deadlines: set[Deadline] = set()
        self._thread: threading.Thread | None = None

    @contextlib.contextmanager
    def watching(self, deadline: Deadline) -> Iterator[None]:
        """Keeps an eye on `deadline` for as long as the block lasts."""
        with self._changed:
            self._deadlines.add(deadline)
            self._start()
            self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                self._deadlines.discard(deadline)

    def _start(self) -> None:
        # After a fork the child has the object but not the thread; is_alive() knows.
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="dqm2-deadlines", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._cut_those_due()
                soonest = min((deadline.at for deadline in self._deadlines), default=None)
                self._changed.wait(None if soonest is None else max(0.0, soonest - time.monotonic()))

    def _cut_those_due(self) -> None:
        now = time.monotonic()
        for deadline in [deadline for deadline in self._deadlines if deadline.at <= now]:
            self._deadlines.discard(deadline)
            deadline.cut()


def _shut(connected: socket.socket) -> None:
    # SSLSocket.shutdown would drop the TLS layer under the reader, which then took what is left for plain text.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
