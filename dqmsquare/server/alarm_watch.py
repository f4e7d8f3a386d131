"""What a server does about alarms: it finds that the mirror is behind, which no grabber can tell that is gone, and it
sends where no grabber does. Everything else is the grabber's, also to resolve what is raised here.
"""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from dqmsquare.alarm_names import WHOLE_MIRROR, Rule
from dqmsquare.config import Config
from dqmsquare.errors import StoreUnavailable
from dqmsquare.server import metrics
from dqmsquare.storage.alarm_queries import AlarmRow, database_now, open_alarms
from dqmsquare.storage.alarm_sender import AlarmSender
from dqmsquare.storage.alarms import NewAlarm, raise_alarms
from dqmsquare.storage.engine import Database
from dqmsquare.storage.host_queries import hosts_of_cluster
from dqmsquare.storage.outbox import standing_in
from dqmsquare.storage.rows import HostRow

_logger = logging.getLogger(__name__)
_LOOK_SECONDS = 5.0
_ONE_AFTER_ANOTHER_SECONDS = 15.0  # hosts that fall silent together do so within about this


def hosts_behind(hosts: Iterable[HostRow], now: datetime, after_seconds: float) -> list[NewAlarm]:
    """Hosts that were not polled for `after_seconds`; one alarm instead of many where it is all of them.

    A host that is down is another rule's, and one that was never polled has no time that it is behind.
    """
    polled_at = {
        host: host.polled_at for host in hosts if host.is_configured and host.is_up is not False and host.polled_at
    }
    ages = {host: (now - instant).total_seconds() for host, instant in polled_at.items()}
    youngest = min(ages.values(), default=0.0)
    if youngest > after_seconds:
        return [_whole_mirror(max(polled_at.values()))]
    if youngest > min(_ONE_AFTER_ANOTHER_SECONDS, after_seconds / 2):
        return []  # perhaps all of them are falling silent
    return [_one_host(host, polled_at[host]) for host, age in ages.items() if age > after_seconds]


def _one_host(host: HostRow, polled_at: datetime) -> NewAlarm:
    return NewAlarm(
        rule=Rule.MIRROR_BEHIND,
        subject=host.host_id,
        begin=_milliseconds(polled_at),
        words=f"{host.label} has not been polled since {polled_at:%H:%M:%S} UTC",
        host_id=host.host_id,
    )


def _whole_mirror(polled_at: datetime) -> NewAlarm:
    words = f"No host has been polled since {polled_at:%H:%M:%S} UTC: the grabber is gone, or DQM² cannot be reached"
    return NewAlarm(rule=Rule.MIRROR_BEHIND, subject=WHOLE_MIRROR, begin=_milliseconds(polled_at), words=words)


def _milliseconds(instant: datetime) -> str:
    return f"{instant.timestamp() * 1000:.0f}"


class BehindWatch(threading.Thread):
    """Runs until `stop`. `on_queued` is called when the webhook has something to tell; None: nobody wants to know."""

    def __init__(
        self,
        database: Database,
        config: Config,
        on_queued: Callable[[], None] | None,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name=f"behind watch {database.cluster}", daemon=True)
        self._database = database
        self._after_seconds = config.behind_after_seconds
        self._on_queued = on_queued
        self._monotonic = monotonic
        # After a night in which nothing ran, a grabber that is started with the server has the same time to poll.
        self._judges_from = monotonic() + self._after_seconds
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()

    def run(self) -> None:
        """Looks until `stop`; a database that is gone is waited for."""
        while not self._stopping.wait(min(_LOOK_SECONDS, self._after_seconds / 4)):
            try:
                self.step()
            except StoreUnavailable as error:
                _logger.debug("%s: %s", self.name, error)
            except Exception:  # one look: the next one may go well
                _logger.exception("%s: unexpected error", self.name)

    def step(self) -> list[str]:
        """One look; returns the keys of new alarms. Raises StoreUnavailable."""
        with self._database.reading() as connection:
            now, hosts = database_now(connection), hosts_of_cluster(connection)
            standing = open_alarms(connection)
        self._count(standing)
        open_subjects = {alarm.subject for alarm in standing if alarm.rule == Rule.MIRROR_BEHIND}
        found = [one for one in hosts_behind(hosts, now, self._after_seconds) if one.subject not in open_subjects]
        if not found or self._monotonic() < self._judges_from:
            return []
        with self._database.writing() as connection:
            wants = self._on_queued is not None
            new = raise_alarms(connection, self._database.cluster, found, is_queued=wants)
        for key in new:
            _logger.warning("alarm %s", key)
        if new and self._on_queued is not None:
            self._on_queued()
        return new

    def _count(self, standing: Iterable[AlarmRow]) -> None:
        n_standing = Counter(alarm.rule for alarm in standing)
        for rule in Rule:
            metrics.ALARMS.labels(self._database.cluster, rule).set(n_standing[rule])


def alarm_threads(database: Database, config: Config) -> list[BehindWatch | AlarmSender]:
    """One cluster's threads of a worker process, not started; the sender only where there is a webhook."""
    if not config.alert_webhook_url:
        return [BehindWatch(database, config, None)]
    sender = AlarmSender(database, config, lambda: standing_in(database, config.webhook_takeover_seconds))
    return [BehindWatch(database, config, sender.wake), sender]
