"""Counting over many runs takes a connection and seconds: how much of it is done at once, and how long it is good."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from dqmsquare.server.responses import RETRY_SECONDS, Problem, problem

NO_RUN = 0  # for Snapshots: not made anew for each report of a run; COUNTS_HOLD says for how long it is good
COUNTS_HOLD = timedelta(seconds=30)

_AT_A_TIME = 2  # live pages come first
_IN_LINE = 16  # the pictures of two pages; whoever waits keeps a thread from everybody else
_WAIT_SECONDS = 30.0


class CountingPlaces:
    """The places of a process for such questions."""

    def __init__(self, places: int = _AT_A_TIME, wait_seconds: float = _WAIT_SECONDS) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._line = threading.BoundedSemaphore(places + _IN_LINE)
        self._wait_seconds = wait_seconds

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place; raises a 503 where none becomes free in time, and at once where too many wait already."""
        if not self._line.acquire(blocking=False):
            raise _busy()
        try:
            if not self._places.acquire(timeout=self._wait_seconds):
                raise _busy()
            try:
                yield
            finally:
                self._places.release()
        finally:
            self._line.release()


def _busy() -> Problem:
    return problem(503, "Other statistics are being counted; try again in a moment.", Retry_After=str(RETRY_SECONDS))
