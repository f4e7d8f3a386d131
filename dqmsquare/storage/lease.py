"""Who may write a host: one grabber at a time, and another one soon after the first is gone or hangs.

The lock lives on the very connection that writes. So whoever got it can be sure that nothing of the former
holder is still under way: PostgreSQL gave the lock back only when that connection and its transaction ended.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection, func, select, text
from sqlalchemy.dialects.postgresql import insert

from dqmsquare.errors import LeaseLost, StoreUnavailable
from dqmsquare.storage import locks
from dqmsquare.storage.engine import Database, translated_errors
from dqmsquare.storage.tables import leases

_logger = logging.getLogger(__name__)


class Lease:
    """The right to write one thing (`name`: a host's id, or "cluster"), on a connection of its own.

    Belongs to one thread, except `name` and `held`, which the keeper of stamps reads.
    """

    def __init__(self, database: Database, name: str, *, takeover_seconds: float) -> None:
        self.name = name
        self._database = database
        self._key = locks.cluster_lock(database.cluster) if name == "cluster" else locks.host_lock(name)
        self._takeover_seconds = takeover_seconds
        self._connection: Connection | None = None
        self.held = False

    def hold(self) -> bool:
        """Whether the lease is ours: checked if it was, tried for if it was not. True right after taking it too.

        A holder that did not stamp for the takeover's time loses its connection. Raises StoreUnavailable.
        """
        with self._dropped_on_failure() as connection:
            if self.held:
                connection.execute(text("SELECT 1"))
            elif locks.try_lock_for_session(connection, self._key):
                self._stamp_as_holder(connection)
                self.held = True
            else:
                self._end_silent_holder(connection)
            connection.commit()
        return self.held

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction on the connection that holds the lock. Raises LeaseLost without it."""
        if not self.held:
            raise LeaseLost(f"the lease {self.name} is not held")
        with self._dropped_on_failure() as connection, connection.begin():
            yield connection

    def release(self) -> None:
        """Gives the lease back; closing the connection gives back the lock."""
        self.held = False
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it may be broken already, and it ends either way
                connection.close()

    @contextmanager
    def _dropped_on_failure(self) -> Iterator[Connection]:
        """After an error of the connection nobody knows whether the lock is still there: drop both."""
        if self._connection is None:
            self._connection = self._database.direct()
        connection = self._connection
        try:
            with translated_errors():
                yield connection
        except StoreUnavailable:
            self.release()
            raise
        finally:
            if connection is self._connection and connection.in_transaction():
                with suppress(Exception):
                    connection.rollback()

    def _stamp_as_holder(self, connection: Connection) -> None:
        row = {"name": self.name, "holder_pid": func.pg_backend_pid(), "stamped_at": func.clock_timestamp()}
        statement = insert(leases).values(row)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["name"],
                set_={"holder_pid": statement.excluded.holder_pid, "stamped_at": statement.excluded.stamped_at},
            )
        )

    def _end_silent_holder(self, connection: Connection) -> None:
        silence = func.extract("epoch", func.clock_timestamp() - leases.c.stamped_at)
        silent = (
            select(leases.c.holder_pid, silence.label("seconds"))
            .where(leases.c.name == self.name, silence > self._takeover_seconds)
            .with_only_columns(leases.c.holder_pid, silence.label("seconds"))
        )
        row = connection.execute(silent).first()
        if row is None or row.holder_pid is None:
            return
        _logger.warning("lease %s: its holder was silent for %.1f s, ending its connection", self.name, row.seconds)
        # Only a connection that still holds this very lock is ended: the number may have been given to another one.
        holds = text(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid = :pid AND granted "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
            "AND ((classid::bigint << 32) | objid::bigint) = :key"
        )
        connection.execute(holds, {"pid": row.holder_pid, "key": self._key})


def stamp(connection: Connection, names: list[str]) -> None:
    """Tells the standbys that the holder of these leases is alive."""
    connection.execute(
        text("UPDATE mirror.leases SET stamped_at = clock_timestamp() WHERE name = ANY(:names)"), {"names": names}
    )
