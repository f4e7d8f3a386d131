"""Finds alarms in what the database says, in the one grabber that holds the cluster's lease.

Only the newest two runs and the hosts of now are looked at, when one of them changed and every few seconds, so that
the cost does not grow with history. Nothing is remembered here: what stands already is in the database, and a
grabber that takes over finds the same keys.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext

from dqmsquare.config import Config
from dqmsquare.errors import StoreUnavailable
from dqmsquare.grabber.alarm_judging import decide, judge
from dqmsquare.grabber.alarm_rules import LATE_SECONDS
from dqmsquare.grabber.crashes import Crashes
from dqmsquare.storage.alarm_facts import read_facts
from dqmsquare.storage.alarm_sender import AlarmSender
from dqmsquare.storage.alarms import forget_old_alarms, raise_alarms
from dqmsquare.storage.change_queries import changes_after, newest_change_id
from dqmsquare.storage.engine import Database
from dqmsquare.storage.kept_connection import KeptConnection
from dqmsquare.storage.lease import Lease
from dqmsquare.storage.rows import Change

_logger = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0
_BY_THE_CLOCK_SECONDS = 5.0
_UPKEEP_SECONDS = 600.0


class AlarmWatch(threading.Thread):
    """Runs until `stop`. `on_queued` is called when the webhook has something to tell; None: nobody wants to know."""

    def __init__(
        self,
        database: Database,
        lease: Lease,
        config: Config,
        on_queued: Callable[[], None] | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name=f"alarms {database.cluster}", daemon=True)
        self._cluster = database.cluster
        self._connection = KeptConnection(database)
        self._lease = lease
        self._config = config
        self._on_queued = on_queued
        self._monotonic = monotonic
        self.beat_at = time.monotonic()  # monotonic s of the last sign of life
        self.crashes = Crashes()
        self._stopping = threading.Event()
        self._seen: int | None = None  # newest change that was looked at; None: nothing yet
        self._watched_from = 0  # lowest run that is looked at
        self._due_at = self._cleared_at = float("-inf")

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()

    def run(self) -> None:
        """Looks until `stop`, while the cluster's lease is held by this process."""
        while not self._stopping.wait(_LOOK_SECONDS):
            self.beat_at = time.monotonic()
            if self._lease.held:
                self._guarded_step()
            else:
                self._seen = None
        self._connection.close()

    def step(self) -> list[str]:
        """One look; returns the keys of new alarms. Raises StoreUnavailable."""
        self._clear_out_now_and_then()
        with self._connection.transaction() as connection:
            newest = newest_change_id(connection)
            news = [] if self._seen is None else changes_after(connection, self._seen)
            if not self._is_due(news):
                self._seen = newest
                return []
            facts = read_facts(connection, late_seconds=LATE_SECONDS)
            decision = decide(facts, judge(facts, self._config), behind_after_seconds=self._config.behind_after_seconds)
            wants = self._on_queued is not None
            new = raise_alarms(connection, self._cluster, decision.raised, is_queued=wants, resolved=decision.resolved)
        self._seen = newest
        self._watched_from = min((one.run.run for one in facts.runs), default=0)
        self._due_at = self._monotonic() + _BY_THE_CLOCK_SECONDS
        self._tell(new, decision.resolved)
        return new

    def _guarded_step(self) -> None:
        try:
            self.step()
        except StoreUnavailable as error:
            _logger.debug("%s: %s", self.name, error)
        except Exception:  # one look: the next one may go well
            _logger.exception("%s: unexpected error", self.name)
            self._connection.close()
            self._stopping.wait(self.crashes.note())

    def _is_due(self, news: Sequence[Change]) -> bool:
        if self._seen is None or self._monotonic() >= self._due_at:
            return True
        return any(
            change.run >= self._watched_from if change.run is not None else change.kind != "alarm" for change in news
        )

    def _tell(self, new: Sequence[str], over: Collection[str]) -> None:
        for key in new:
            _logger.info("alarm %s", key)
        for key in over:
            _logger.info("alarm %s is over", key)
        if new and self._on_queued is not None:
            self._on_queued()

    def _clear_out_now_and_then(self) -> None:
        now = self._monotonic()
        if now - self._cleared_at < _UPKEEP_SECONDS:
            return
        with self._connection.transaction() as connection:
            n_unsent = forget_old_alarms(connection, self._config.alarm_retention_days)
        self._cleared_at = now
        if n_unsent:
            _logger.error("%s: %d alarms never reached the webhook and are dropped after a week", self.name, n_unsent)


class AlarmThreads:
    """The threads that find a cluster's alarms and send them; the latter only where there is a webhook."""

    def __init__(self, database: Database, lease: Lease, config: Config) -> None:
        self._sender = (
            AlarmSender(database, config, lambda: nullcontext(lease.held)) if config.alert_webhook_url else None
        )
        self.watch = AlarmWatch(database, lease, config, self._sender.wake if self._sender else None)

    def __iter__(self) -> Iterator[AlarmWatch | AlarmSender]:
        yield self.watch
        if self._sender is not None:
            yield self._sender

    def cut_short(self) -> None:
        """Ends the message that is under way."""
        if self._sender is not None:
            self._sender.cut_short()
