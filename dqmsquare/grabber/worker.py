"""A host's thread: polls when due, fills history in between, waits longer when the host or the database fails."""

import logging
import threading
import time

from dqmsquare.dqm2_http import Dqm2Session
from dqmsquare.errors import LeaseLost, StoreUnavailable, UpstreamError
from dqmsquare.grabber.crashes import Crashes
from dqmsquare.grabber.pace import Pace
from dqmsquare.grabber.replication import Replication
from dqmsquare.storage.host_record import HostRecord

_logger = logging.getLogger(__name__)
_STANDBY_POLL_SECONDS = 1.0


class HostWorker(threading.Thread):
    """Runs one host's replication until `stop`. After too many `crashes` the whole process is to be given up."""

    def __init__(
        self, name: str, session: Dqm2Session, replication: Replication, record: HostRecord, pace: Pace
    ) -> None:
        super().__init__(name=f"host {name}", daemon=True)
        self.record = record
        self.beat_at = time.monotonic()  # monotonic s of the last sign of life
        self._session = session
        self._replication = replication
        self._pace = pace
        self._stopping = threading.Event()
        self.crashes = Crashes()

    def stop(self) -> None:
        """Ends the thread after the batch it is at."""
        self._stopping.set()

    def cut_short(self) -> None:
        """Ends the question that is under way, for a host that does not answer."""
        self._session.close()

    def run(self) -> None:
        """Cycles until `stop`, then gives the host back."""
        while not self._stopping.is_set():
            self.beat_at = time.monotonic()
            if self._pace.seconds_left() > 0 or not self._pace.may_start():
                self._stopping.wait(min(self._pace.seconds_left(), _STANDBY_POLL_SECONDS))
                continue
            self._guarded_cycle()
        self.record.release()

    def _guarded_cycle(self) -> None:
        try:
            self._try_cycle()
        except Exception as error:
            _logger.exception("%s: unexpected error", self.name)
            self.crashes.note()  # the pace waits longer each time
            self.record.release()
            self._pace.failed(StoreUnavailable(f"unexpected {type(error).__name__}"))

    def _try_cycle(self) -> None:
        try:
            self._cycle()
        except UpstreamError as error:
            self._pace.failed(error)
            self._record_failure(error)
        except (StoreUnavailable, LeaseLost) as error:
            self.record.release()
            self._pace.failed(error)

    def _cycle(self) -> None:
        ours = self._replication.cycle()
        self._pace.succeeded()
        # History is filled in as fast as it goes, but the next live poll is not kept waiting by it.
        while ours and not self._stopping.is_set() and self._replication.fill():
            self.beat_at = time.monotonic()
            if self._pace.seconds_left() == 0:
                break

    def _record_failure(self, error: UpstreamError) -> None:
        try:
            self._replication.record_failure(error)
        except (StoreUnavailable, LeaseLost):
            self.record.release()
