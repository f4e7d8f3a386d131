"""One open page's stream of events: a bounded queue with a thread of the WSGI server waiting at its end."""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from dqmsquare.errors import MirrorError
from dqmsquare.server.events import FIRST_LINE

_QUEUED_MAX = 100


class StreamRefused(MirrorError):
    """No stream can be had: the process has as many as it may, or it ends."""


class StreamPlaces:
    """Counts the open streams of a process, over all clusters."""

    def __init__(self, places: int) -> None:
        self._places = places
        self._lock = threading.Lock()
        self._n_open = 0

    @property
    def n_open(self) -> int:
        """How many are taken."""
        return self._n_open

    def take(self) -> None:
        """Raises StreamRefused where none is left."""
        with self._lock:
            if self._n_open >= self._places:
                raise StreamRefused("all places for streams are taken")
            self._n_open += 1

    def give_back(self) -> None:
        """One is free again."""
        with self._lock:
            self._n_open -= 1


class Stream:
    """Iterates over bytes until it is ended. `on_close` is called once, whoever closes it."""

    def __init__(self, on_close: Callable[["Stream"], None]) -> None:
        self._on_close = on_close
        self._changed = threading.Condition()
        self._events: deque[tuple[int | None, bytes]] = deque([(None, FIRST_LINE)])
        self._seen = 0
        self._is_ended = self._is_closed = False

    def begin(self, events: Iterable[bytes], seen: int) -> None:
        """Puts what was missed first; what was queued meanwhile is left out up to the change `seen`."""
        with self._changed:
            first, *queued = self._events
            newer = [(number, event) for number, event in queued if number is None or number > seen]
            self._events = deque([first, *((None, event) for event in events), *newer])
            self._seen = seen

    def put(self, event: bytes, change_id: int | None) -> None:
        """Queues an event, at once. A page that does not keep up is ended: it comes back and is told what it missed."""
        with self._changed:
            if self._is_ended or (change_id is not None and change_id <= self._seen):
                return
            self._events.append((change_id, event))
            if len(self._events) > _QUEUED_MAX:
                self._events.clear()
                self._is_ended = True
            self._changed.notify()

    def end(self) -> None:
        """What is queued is still sent."""
        with self._changed:
            self._is_ended = True
            self._changed.notify()

    def close(self) -> None:
        """Called by the WSGI server when the page has gone, or the stream has ended."""
        with self._changed:
            was_closed, self._is_closed, self._is_ended = self._is_closed, True, True
            self._changed.notify()
        if not was_closed:
            self._on_close(self)

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._changed:
            while not self._events and not self._is_ended:
                self._changed.wait()
            ready = b"".join(event for _, event in self._events)
            self._events.clear()
        if not ready:
            self.close()
            raise StopIteration
        return ready
