"""A connection that one thread keeps for its transactions, where opening one each second would be a waste."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Connection

from dqmsquare.errors import StoreUnavailable
from dqmsquare.storage.engine import Database, translated_errors


class KeptConnection:
    """Opened when it is first used, and again after a failure."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """A transaction, committed at the end. Raises StoreUnavailable or StoreRefused."""
        if self._connection is None:
            self._connection = self._database.direct()
        try:
            with translated_errors(), self._connection.begin():
                yield self._connection
        except StoreUnavailable:
            self.close()
            raise

    def close(self) -> None:
        """Gives the connection back."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(Exception):  # it may be broken already, and it ends either way
                connection.close()
