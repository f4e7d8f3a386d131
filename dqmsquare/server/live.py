"""Tells the open pages of one cluster what is new, and drops the snapshots that are wrong by it."""

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson

from dqmsquare.errors import StoreUnavailable
from dqmsquare.server import metrics
from dqmsquare.server.alarm_view import alarm_data
from dqmsquare.server.change_log import ChangeLog
from dqmsquare.server.events import Announcement, Announcements, beat_event, change_event, reload_event
from dqmsquare.server.rendered import EventId, Snapshot, event_id
from dqmsquare.server.snapshots import Make, Snapshots
from dqmsquare.server.streams import Stream, StreamPlaces, StreamRefused
from dqmsquare.storage.alarm_queries import AlarmRow
from dqmsquare.storage.rows import Change

_logger = logging.getLogger(__name__)
_LOOK_SECONDS = 0.25  # how soon it is noticed that the clock made an answer wrong
_BEAT_SECONDS = 5.0
_AGES_WITHIN_SECONDS = 1.0  # a beat does not wait longer for a database that hangs
_CAUGHT_UP_MAX = 50  # more events than that at the start of a stream: the page fetches everything anyway
_ALL_DUE = float("inf")


class Hub:
    """`standing` renders {"newest": run, "recent_from": run, "counts": {state: n}} for the newest run.

    The storage listener calls on_changes and on_state; start() makes the threads that announce and beat.
    """

    def __init__(
        self,
        cluster: str,
        log: ChangeLog,
        snapshots: Snapshots,
        standing: Make,
        places: StreamPlaces,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.cluster = cluster
        self._log = log
        self._snapshots = snapshots
        self._standing = standing
        self._places = places
        self._monotonic = monotonic
        self._clock = clock
        self._news = threading.Condition()
        self._announcements = Announcements()
        self._streams: set[Stream] = set()
        self._newest: int | None = None
        self._recent_from: int | None = None
        self._was_connected = False  # what was made before the listener listens may have missed a change
        self._stopped = threading.Event()
        self._ages: dict[str, float | None] = {}
        self._ages_at = monotonic()
        self._ages_wanted = threading.Event()
        self._ages_read = threading.Event()

    @property
    def n_streams(self) -> int:
        """Streams that are open now."""
        return len(self._streams)

    def start(self) -> None:
        """Begins to announce. Threads are made here, never before a fork."""
        for work in (self._announce_for_ever, self._beat_for_ever, self._read_ages_for_ever):
            threading.Thread(target=work, name=f"{work.__name__.strip('_')} {self.cluster}", daemon=True).start()

    def stop(self) -> None:
        """Ends all streams; what is asked for from now on raises StreamRefused."""
        with self._news:
            self._stopped.set()
            streams = list(self._streams)
            self._news.notify_all()
        self._ages_wanted.set()
        for stream in streams:
            stream.end()

    def open(self, after: EventId | None) -> Stream:
        """A stream that begins with what came after the event `after`. The caller closes it.

        Raises StreamRefused, or StoreUnavailable where it cannot be known what was missed.
        """
        self._places.take()
        stream = Stream(self._close)
        try:
            self._add(stream)
            if after:
                self._catch_up(stream, after)
            if self._ages:  # not known in the first moment of a process; a beat that follows will tell them
                stream.put(self._beat_event(self._ages_now()), None)
        except BaseException:
            stream.close()
            raise
        return stream

    def on_changes(self, changes: list[Change]) -> None:
        """New changes, in order: drops what they make wrong and has them announced."""
        # An alarm is on no page but the list of alarms, which is about no run.
        runs: set[int | None] = {change.run for change in changes if change.kind != "alarm"}
        newest = max((run for run in runs if run is not None), default=None)
        overtaken = self._newest if newest is not None and newest > (self._newest or newest) else None
        if overtaken is not None or self._newest is None:
            runs.add(None)  # a newer run turns silent jobs of all others into lost ones, and is their "next"
        self._newest = newest if overtaken is not None else self._newest
        self._snapshots.forget(runs, changes[-1].change_id)
        with self._news:
            self._announcements.add(changes, recent_from=self._recent_from)
            self._announcements.add_runs([overtaken] if overtaken is not None else [])
            self._news.notify()

    def on_state(self, is_connected: bool) -> None:
        """After a break nobody can say what was missed, nor whether it is the same database."""
        if is_connected and not self._was_connected:
            self._snapshots.clear()
            self._newest = self._recent_from = None
            self._send(reload_event(), None)
        if not is_connected:
            self.read_ages()  # notes since when, if the database is gone and not only this connection
        self._was_connected = is_connected

    def announce(self) -> None:
        """Sends what is due now; called by the announcing thread."""
        expired = self._snapshots.expire()
        with self._news:
            self._announcements.add_runs(expired)
            due = self._announcements.take(self._monotonic())
        if due and self._streams:
            self._send_all(due)

    def beat(self) -> None:
        """Sends the age of each host's last poll; called by the beating thread."""
        ages = self._ages_now()
        metrics.BEHIND.labels(self.cluster).set(max((age for age in ages.values() if age is not None), default=0))
        self._send(self._beat_event(ages), None)

    def read_ages(self) -> None:
        """Asks how old the grabber's polls are; where the database is gone, those known go on ageing."""
        try:
            ages = self._log.poll_ages()
        except StoreUnavailable:
            metrics.DATABASE.labels(self.cluster).set(0)
            return
        metrics.DATABASE.labels(self.cluster).set(1)
        self._ages, self._ages_at = ages, self._monotonic()
        self._events([])  # the standing is kept at hand: it knows when the clock changes a state

    def _ages_now(self) -> dict[str, float | None]:
        elapsed = self._monotonic() - self._ages_at
        return {host: None if age is None else age + elapsed for host, age in self._ages.items()}

    def _beat_event(self, ages: dict[str, float | None]) -> bytes:
        gone_since = self._log.database.gone_since
        return beat_event(ages, gone_since.isoformat() if gone_since else None, self._clock())

    def _add(self, stream: Stream) -> None:
        with self._news:
            if self._stopped.is_set():
                raise StreamRefused("the process ends")
            self._streams.add(stream)
        metrics.STREAMS.labels(self.cluster).set(len(self._streams))

    def _close(self, stream: Stream) -> None:
        with self._news:
            self._streams.discard(stream)
        self._places.give_back()
        metrics.STREAMS.labels(self.cluster).set(len(self._streams))

    def _catch_up(self, stream: Stream, after: EventId) -> None:
        missed = self._log.missed_after(after)
        if missed.changes is None:
            stream.begin([reload_event(event_id(missed.database_id, missed.newest))], missed.newest)
        elif missed.changes:
            announcements = Announcements()
            announcements.add(missed.changes, recent_from=self._recent_from)
            events = self._events(announcements.take(_ALL_DUE))
            if len(events) > _CAUGHT_UP_MAX:
                events = [(missed.newest, reload_event(event_id(missed.database_id, missed.newest)))]
            stream.begin([event for _, event in events], missed.newest)
        else:
            stream.begin([], missed.newest)

    def _send_all(self, due: list[Announcement]) -> None:
        for change_id, event in self._events(due):
            self._send(event, change_id)
        metrics.EVENTS.labels(self.cluster).inc(len(due))

    def _events(self, due: Iterable[Announcement]) -> list[tuple[int | None, bytes]]:
        try:
            snapshot = self._snapshots.get("standing", self._standing, run=self._newest)
            told = [(one, self._log.alarms(one.alarms) if one.alarms else []) for one in due]
        except StoreUnavailable:
            # Without a database there is not even its id to make event ids of.
            return [(None, reload_event())]
        standing = self._note(snapshot)
        return [(one.change_id, self._event(one, alarms, snapshot, standing)) for one, alarms in told]

    def _note(self, snapshot: Snapshot) -> dict[str, Any]:
        standing: dict[str, Any] = orjson.loads(snapshot.body)
        self._newest = max(filter(None, (self._newest, standing["newest"])), default=None)
        self._recent_from = standing["recent_from"]
        return standing

    def _event(
        self, announcement: Announcement, alarms: Iterable[AlarmRow], snapshot: Snapshot, standing: dict[str, Any]
    ) -> bytes:
        if announcement.kind == "reload":
            return reload_event(event_id(snapshot.database_id, announcement.change_id or 0))
        return change_event(
            announcement,
            snapshot.database_id,
            newest=standing["newest"],
            counts=standing["counts"],
            alarms=[alarm_data(alarm, self.cluster) for alarm in alarms],
        )

    def _send(self, event: bytes, change_id: int | None) -> None:
        with self._news:
            streams = list(self._streams)
        for stream in streams:
            stream.put(event, change_id)

    def _announce_for_ever(self) -> None:
        while not self._stopped.is_set():
            with self._news:
                self._news.wait(self._announcements.wait_seconds(self._monotonic(), _LOOK_SECONDS))
            self._carefully(self.announce)

    def _beat_for_ever(self) -> None:
        due = self._monotonic()
        while not self._stopped.is_set():
            due = max(due + _BEAT_SECONDS, self._monotonic())
            self._ages_read.clear()
            self._ages_wanted.set()
            self._ages_read.wait(_AGES_WITHIN_SECONDS)
            self._carefully(self.beat)
            self._stopped.wait(max(0.0, due - self._monotonic()))

    def _read_ages_for_ever(self) -> None:
        while not self._stopped.is_set():
            self._ages_wanted.wait()
            self._ages_wanted.clear()
            self._carefully(self.read_ages)
            self._ages_read.set()

    @staticmethod
    def _carefully(work: Callable[[], None]) -> None:
        try:
            work()
        except Exception:  # one event that cannot be made must not end all that come after it
            _logger.exception("the push failed once, and goes on")
