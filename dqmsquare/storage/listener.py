"""Waits for NOTIFY on one database and hands over what is new in `changes`; a thread per database and process."""

import logging
import select
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection, text

from dqmsquare.errors import StoreUnavailable
from dqmsquare.storage.change_queries import changes_after, newest_change_id
from dqmsquare.storage.changes import CHANNEL
from dqmsquare.storage.engine import Database, translated_errors
from dqmsquare.storage.rows import Change

_logger = logging.getLogger(__name__)
_READ_ANYWAY_SECONDS = 5.0  # a notification may be lost with its connection
_RECONNECT_SECONDS = 1.0
_STOP_WITHIN_SECONDS = 0.5


class Listener(threading.Thread):
    """Calls `on_changes` with new changes, in order and never twice, and `on_state(is_connected)` when that changes.

    `start_after` is the change id to begin behind; None: whatever is newest when the database is first reached.
    """

    def __init__(
        self,
        database: Database,
        on_changes: Callable[[list[Change]], None],
        on_state: Callable[[bool], None] = lambda _: None,
        *,
        start_after: int | None = None,
    ) -> None:
        super().__init__(name=f"listener {database.cluster}", daemon=True)
        self._database = database
        self._on_changes = on_changes
        self._on_state = on_state
        self._last = start_after
        self._stopping = threading.Event()
        self._is_connected: bool | None = None

    def run(self) -> None:
        """Listens until `stop`; reconnects for ever."""
        while not self._stopping.is_set():
            try:
                with translated_errors(), self._database.direct() as connection:
                    self._listen(connection)
            except StoreUnavailable as error:
                self._tell(False, str(error))
                self._stopping.wait(_RECONNECT_SECONDS)
            except Exception:  # whoever is told failed: without this thread every page would go stale in silence
                _logger.exception("database of %s: what is told of changes failed", self._database.cluster)
                self._stopping.wait(_RECONNECT_SECONDS)

    def stop(self) -> None:
        """Ends the thread within a second or so."""
        self._stopping.set()

    def _tell(self, is_connected: bool, words: str) -> None:
        """Once per change, not once per try."""
        if is_connected is self._is_connected:
            return
        self._is_connected = is_connected
        level = logging.INFO if is_connected else logging.WARNING
        _logger.log(level, "database of %s: %s", self._database.cluster, words)
        self._on_state(is_connected)

    def _listen(self, connection: Connection) -> None:
        # Set on the driver: SQLAlchemy cannot change the isolation of a connection that has left its pool.
        driver: Any = connection.connection.dbapi_connection
        driver.autocommit = True
        connection.execute(text(f"LISTEN {CHANNEL}"))
        newest = newest_change_id(connection)
        # A database put back from a backup counts on from a lower number.
        self._last = newest if self._last is None else min(self._last, newest)
        # Told after the number to begin behind is known: what is made from now on is at least as new as that.
        self._tell(True, "listening for changes")
        while not self._stopping.is_set():
            self._read(connection)
            self._wait(driver)

    def _read(self, connection: Connection) -> None:
        new = changes_after(connection, self._last or 0)
        if new:
            self._last = new[-1].change_id
            self._on_changes(new)

    def _wait(self, driver: Any) -> None:
        """Until a notification came, at the latest after the time to read anyway."""
        waited = 0.0
        while waited < _READ_ANYWAY_SECONDS and not self._stopping.is_set():
            readable, _, _ = select.select([driver], [], [], _STOP_WITHIN_SECONDS)
            if readable:
                driver.poll()
                if driver.notifies:
                    driver.notifies.clear()
                    return
            waited += _STOP_WITHIN_SECONDS
