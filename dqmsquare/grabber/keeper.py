"""Stamps the leases this process holds, once a second, on a connection of its own.

A worker may wait half a minute for a slow host; its process is alive all the same, and nobody should take over.
A process that is stopped or gone stamps nothing, whatever its connections look like.
"""

import logging
import threading
import time
from collections.abc import Sequence

from dqmsquare.errors import StoreUnavailable
from dqmsquare.grabber.crashes import Crashes
from dqmsquare.storage.engine import Database
from dqmsquare.storage.lease import Lease, stamp

_logger = logging.getLogger(__name__)
_INTERVAL_SECONDS = 1.0
_REACHED_WITHIN_SECONDS = 10.0


class LeaseKeeper(threading.Thread):
    """Runs until `stop`."""

    def __init__(self, database: Database, leases: Sequence[Lease]) -> None:
        super().__init__(name=f"keeper {database.cluster}", daemon=True)
        self._database = database
        self._leases = leases
        self.beat_at = time.monotonic()  # monotonic s of the last sign of life
        self.crashes = Crashes()
        self._stopping = threading.Event()
        self._reached_at: float | None = None  # monotonic s

    def reaches_database(self) -> bool:
        """Whether the database answered within the last ten seconds."""
        return self._reached_at is not None and time.monotonic() - self._reached_at < _REACHED_WITHIN_SECONDS

    def stop(self) -> None:
        """Ends the thread."""
        self._stopping.set()

    def run(self) -> None:
        """Stamps until `stop`; a database that is gone is waited for."""
        while not self._stopping.is_set():
            self.beat_at = time.monotonic()
            try:
                self._stamp_until_stopped()
            except StoreUnavailable as error:
                _logger.debug("%s: not stamped: %s", self.name, error)
                self._stopping.wait(_INTERVAL_SECONDS)
            except Exception:  # whatever it is, leases that nobody stamps are lost
                _logger.exception("%s: unexpected error", self.name)
                self._stopping.wait(self.crashes.note())

    def _stamp_until_stopped(self) -> None:
        with self._database.reading() as connection:
            while not self._stopping.is_set():
                # Also where none is held: a standby wants to know that it could take over.
                stamp(connection, [lease.name for lease in self._leases if lease.held])
                self._reached_at = self.beat_at = time.monotonic()
                self._stopping.wait(_INTERVAL_SECONDS)
