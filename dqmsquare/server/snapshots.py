"""The answers of one cluster, rendered once and served as bytes until the data or the clock makes them wrong."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable
from concurrent.futures import Future
from datetime import datetime

from dqmsquare.errors import StoreUnavailable
from dqmsquare.server.rendered import EventId, Rendered, Snapshot, change_of, event_id
from dqmsquare.server.watched import Connection, WatchedDatabase, utc_now
from dqmsquare.storage import change_queries

__all__ = ["EventId", "Make", "Rendered", "Snapshot", "Snapshots"]

_MAX_BYTES = 64 * 2**20  # per cluster
_MAX_SNAPSHOTS = 1_000

Make = Callable[[Connection, EventId], Rendered]


class _Entry:
    """A key's place: what was made, from which change on it must have been made, and who is making it."""

    __slots__ = ("flight", "needed", "run", "snapshot")

    def __init__(self, run: int | None) -> None:
        self.run = run
        self.needed = 0
        self.snapshot: Snapshot | None = None
        self.flight: Future[Snapshot] | None = None


class Snapshots:
    """Safe to use from many threads. `max_bytes` bounds what is kept."""

    def __init__(
        self,
        database: WatchedDatabase,
        clock: Callable[[], datetime] = utc_now,
        *,
        position: Callable[[Connection], tuple[str, int]] = change_queries.position,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        self._database = database
        self._clock = clock
        self._position = position
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._n_bytes = 0

    def get(self, key: Hashable, make: Make, *, run: int | None, after: EventId | int | None = None) -> Snapshot:
        """The answer for `key`, made anew where it is missing or wrong; one makes it, the others wait for that one.

        `run`: the run it is about; with None any change makes it wrong. `after`: an event's id (as text) or the number
        of a change; an answer made before that change is made anew. An id of another database is passed over.
        `make` gets a connection and the event id to write into the page (`data-after`). Where the database is gone,
        the last answer there was is returned with `stale_since` set; raises StoreUnavailable where there was none.
        """
        while True:
            with self._lock:
                entry = self._entry(key, run)
                if entry.snapshot is not None and self._is_good(entry, entry.snapshot, after):
                    return entry.snapshot
                flight, mine = entry.flight, entry.flight is None
                if flight is None:
                    flight = entry.flight = Future()
            if mine:
                return self._make(key, entry, flight, make)
            made = flight.result()
            if made.stale_since is not None or _is_new_enough(entry, made, after):
                return made

    def at_hand(self, key: Hashable, after: EventId | int | None = None) -> Snapshot | None:
        """What get() would return without making it or waiting for it; None where it would have to."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.snapshot is None or not self._is_good(entry, entry.snapshot, after):
                return None
            self._entries.move_to_end(key)
            return entry.snapshot

    def forget(self, runs: Iterable[int | None], change_id: int) -> None:
        """Answers about these runs, and those about no run, are wrong unless they were made at `change_id` or later.

        A None among the runs stands for a change that is not about one run: every answer is wrong.
        """
        changed = set(runs)
        with self._lock:
            for entry in self._entries.values():
                if None in changed or entry.run is None or entry.run in changed:
                    entry.needed = max(entry.needed, change_id)

    def clear(self) -> None:
        """Nothing that was made up to now is good any more, whatever its number: the database may be another one."""
        with self._lock:
            for key, entry in list(self._entries.items()):
                # Whoever makes one at this moment keeps the old entry, which nobody finds again.
                fresh = self._entries[key] = _Entry(entry.run)
                fresh.snapshot = entry.snapshot and entry.snapshot.marked_wrong()

    def expire(self) -> set[int | None]:
        """Runs (None: not of one run) of shown answers that the clock has made wrong since the last call."""
        now = self._clock()
        with self._lock:
            held = [(entry, entry.snapshot) for entry in self._entries.values() if entry.snapshot is not None]
            expired = [(entry, snapshot) for entry, snapshot in held if snapshot.has_expired(now)]
            for entry, snapshot in expired:
                # Kept for when the database is gone, but never again taken for good, nor announced twice.
                entry.snapshot = snapshot.marked_wrong()
        return {entry.run for entry, snapshot in expired if snapshot.is_shown}

    def _entry(self, key: Hashable, run: int | None) -> _Entry:
        entry = self._entries.setdefault(key, _Entry(run))
        self._entries.move_to_end(key)
        entry.run = run
        return entry

    def _is_good(self, entry: _Entry, snapshot: Snapshot, after: EventId | int | None) -> bool:
        holds = not snapshot.is_wrong and not snapshot.has_expired(self._clock())
        return holds and not self._database.is_gone and _is_new_enough(entry, snapshot, after)

    def _make(self, key: Hashable, entry: _Entry, flight: "Future[Snapshot]", make: Make) -> Snapshot:
        try:
            snapshot = self._read(entry, make)
        except BaseException as error:
            with self._lock:
                entry.flight = None
                if entry.snapshot is None and self._entries.get(key) is entry:
                    del self._entries[key]  # anybody may make up addresses of what is not there
            flight.set_exception(error)
            raise
        with self._lock:
            entry.flight = None
            if snapshot.stale_since is None:
                self._keep(key, entry, snapshot)
        flight.set_result(snapshot)
        return snapshot

    def _read(self, entry: _Entry, make: Make) -> Snapshot:
        kept = entry.snapshot
        try:
            with self._database.reading() as connection:
                # Read before the rows: what is made can only be newer than its number says, never older.
                name, change_id = self._position(connection)
                if kept is not None and kept.is_of(name, change_id) and not kept.has_expired(self._clock()):
                    return kept  # an `after` that nobody announced costs two small questions, no rendering
                rendered = make(connection, event_id(name, change_id))
        except StoreUnavailable:
            if kept is None:
                raise
            return kept.stale(self._database.gone_since or self._clock())
        return Snapshot(rendered, name, change_id, made_at=self._clock())

    def _keep(self, key: Hashable, entry: _Entry, snapshot: Snapshot) -> None:
        if self._entries.get(key) is not entry:
            return  # crowded out or cleared while it was made
        self._n_bytes += snapshot.size - (entry.snapshot.size if entry.snapshot else 0)
        entry.snapshot = snapshot
        while self._n_bytes > self._max_bytes or len(self._entries) > _MAX_SNAPSHOTS:
            _, oldest = self._entries.popitem(last=False)
            self._n_bytes -= oldest.snapshot.size if oldest.snapshot else 0


def _is_new_enough(entry: _Entry, snapshot: Snapshot, after: EventId | int | None) -> bool:
    wanted = change_of(after, snapshot.database_id) if isinstance(after, str) else after
    return snapshot.change_id >= max(entry.needed, wanted or 0)
