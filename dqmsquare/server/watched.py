"""A cluster's database as the server reads it: remembers since when it is gone, and spares it while it is."""

import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from dqmsquare.errors import StoreUnavailable

Connection = Any  # SQLAlchemy's, which only storage looks into

_TRY_AGAIN_AFTER = timedelta(seconds=1)
_BLIP = timedelta(seconds=2)  # a question that failed is not yet a database that is gone


class ReadableDatabase(Protocol):
    """The part of storage.engine.Database that reading takes."""

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to read with; raises StoreUnavailable."""


def utc_now() -> datetime:
    """The time, aware, in UTC."""
    return datetime.now(UTC)


class WatchedDatabase:
    """Reads through `database`. Waiting for one that is gone takes long: one reader tries, once a second."""

    def __init__(self, database: ReadableDatabase, clock: Callable[[], datetime] = utc_now) -> None:
        self._database = database
        self._clock = clock
        self._gone_since: datetime | None = None
        self._tried_at = clock()
        self._trying = threading.Lock()

    @property
    def gone_since(self) -> datetime | None:
        """Since when there has been no connection to be had; None where there is."""
        return self._gone_since

    @property
    def is_gone(self) -> bool:
        """Whether that is so for so long that nothing should be shown as if it were of now."""
        return self._gone_since is not None and self._clock() - self._gone_since >= _BLIP

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection to read with; raises StoreUnavailable, at once where the last try failed a moment ago."""
        with ExitStack() as stack:
            yield self._connection(stack)

    def _connection(self, stack: ExitStack) -> Connection:
        is_try = self._gone_since is not None
        if is_try and not self._may_try():
            raise StoreUnavailable("the database was gone a moment ago")
        try:
            # Only this counts: a question that takes too long says nothing about the database.
            connection = stack.enter_context(self._database.reading())
        except StoreUnavailable:
            self._tried_at = self._clock()
            self._gone_since = self._gone_since or self._tried_at
            raise
        finally:
            if is_try:
                self._trying.release()
        self._gone_since = None
        return connection

    def _may_try(self) -> bool:
        return self._clock() - self._tried_at >= _TRY_AGAIN_AFTER and self._trying.acquire(blocking=False)
