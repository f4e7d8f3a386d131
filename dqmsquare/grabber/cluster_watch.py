"""A cluster's thread: asks for cluster status and clears out, in the one grabber that holds the cluster's lease."""

import logging
import re
import threading
import time
from collections.abc import Callable

from dqmsquare.config import Config
from dqmsquare.dqm2_http import Dqm2Session
from dqmsquare.errors import DocumentRefused, LeaseLost, StoreUnavailable, UpstreamError
from dqmsquare.grabber.crashes import Crashes
from dqmsquare.grabber.pace import Pace
from dqmsquare.grabber.status_answer import HostStatus
from dqmsquare.grabber.upstream import cluster_status
from dqmsquare.identity import PublicIds, host_label
from dqmsquare.scrub import Scrubber
from dqmsquare.storage.control_room_audit import forget_old_actions
from dqmsquare.storage.lease import Lease
from dqmsquare.storage.statuses import SeenStatus, record_check, record_statuses
from dqmsquare.storage.upkeep import clear_out, n_quarantined

_logger = logging.getLogger(__name__)
_UPKEEP_SECONDS = 60.0
_MESSAGE_MAX = 500
_OBJECT_ADDRESS = re.compile(r"\b0x[0-9a-f]+", re.ASCII)


class ClusterWatch(threading.Thread):
    """Runs until `stop`; `lease` is the cluster's, `on_quarantine` is told the number of rows in quarantine."""

    def __init__(
        self,
        cluster: str,
        session: Dqm2Session,
        *,
        lease: Lease,
        pace: Pace,
        ids: PublicIds,
        scrubber: Scrubber,
        config: Config,
        on_quarantine: Callable[[int], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(name=f"cluster {cluster}", daemon=True)
        self.lease = lease
        self.beat_at = time.monotonic()  # monotonic s of the last sign of life
        self.crashes = Crashes()
        self._cluster = cluster
        self._session = session
        self._pace = pace
        self._ids = ids
        self._scrubber = scrubber
        self._config = config
        self._on_quarantine = on_quarantine
        self._monotonic = monotonic
        self._cleared_at: float | None = None
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends the thread after the question it is at."""
        self._stopping.set()

    def cut_short(self) -> None:
        """Ends the question that is under way."""
        self._session.close()

    def run(self) -> None:
        """Asks until `stop`, then gives the lease back."""
        while not self._stopping.is_set():
            self.beat_at = time.monotonic()
            self._guarded_step()
            self._stopping.wait(min(self._pace.seconds_left(), 1.0))
        self.lease.release()

    def _guarded_step(self) -> None:
        try:
            if self.lease.hold():
                self._step()
        except UpstreamError as error:
            self._pace.failed(error)
            self._note(error)
        except (StoreUnavailable, LeaseLost) as error:
            self.lease.release()
            self._pace.failed(error)
        except Exception:  # one cluster's cycle: the next one may go well
            _logger.exception("%s: unexpected error", self.name)
            self._stopping.wait(self.crashes.note())
            self.lease.release()
            self._pace.failed(StoreUnavailable("unexpected error"))

    def _step(self) -> None:
        self._clear_out_now_and_then()
        if self._pace.seconds_left() > 0 or not self._pace.may_start():
            return
        statuses = cluster_status(self._session, self._config, self._cluster)
        seen = [self._seen(name, status) for name, status in statuses.items()]
        with self.lease.transaction() as connection:
            n_changed = record_statuses(connection, self._cluster, seen)
        if n_changed:
            _logger.info("%s: status of %d hosts changed", self._cluster, n_changed)
        self._pace.succeeded()

    def _seen(self, name: str, status: HostStatus) -> SeenStatus:
        return SeenStatus(self._ids.host(name), host_label(name), status.is_up, self._scrubbed(status.message))

    def _scrubbed(self, message: str | None) -> str | None:
        if message is None:
            return None
        try:
            # What Python objects it names lie elsewhere each time; each time it would be another message.
            return _OBJECT_ADDRESS.sub("0x…", self._scrubber.scrub(message).text)[:_MESSAGE_MAX]
        except DocumentRefused:
            return "[removed]"

    def _note(self, error: UpstreamError) -> None:
        try:
            with self.lease.transaction() as connection:
                record_check(connection, self._cluster, error=type(error).__name__)
        except (StoreUnavailable, LeaseLost):
            self.lease.release()

    def _clear_out_now_and_then(self) -> None:
        now = self._monotonic()
        if self._cleared_at is not None and now - self._cleared_at < _UPKEEP_SECONDS:
            return
        self._cleared_at = now
        with self.lease.transaction() as connection:
            clear_out(
                connection,
                log_retention_days=self._config.log_retention_days,
                quarantine_retention_days=self._config.quarantine_retention_days,
            )
            forget_old_actions(connection, self._config.audit_retention_days)
            self._on_quarantine(n_quarantined(connection))
