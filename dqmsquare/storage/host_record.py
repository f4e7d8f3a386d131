"""The mirror's side of one host: its lease, its cursor, and the transactions that move it."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func

from dqmsquare.documents import AnyDocument
from dqmsquare.errors import LeaseLost, StoreRefused
from dqmsquare.storage.changes import publish
from dqmsquare.storage.comparison import Held, held_of_host
from dqmsquare.storage.cursors import Cursor, forget_gap, move, record_gap, take_over
from dqmsquare.storage.engine import Database
from dqmsquare.storage.lease import Lease
from dqmsquare.storage.store import Batch, Refused, Stored, write_batch

_logger = logging.getLogger(__name__)
_POLL_RECORDED_EVERY_SECONDS = 1.0  # it is what the pages show as "behind P5"


class HostRecord:
    """One host's cursor and documents, writable while this grabber holds the host's lease. Belongs to one thread."""

    def __init__(
        self,
        database: Database,
        host_id: str,
        *,
        takeover_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.host_id = host_id
        self.lease = Lease(database, host_id, takeover_seconds=takeover_seconds)
        self._monotonic = monotonic
        self._cursor: Cursor | None = None
        self._state: str | None = None
        self._recorded_at: float | None = None

    @property
    def cursor(self) -> Cursor:
        """Where replication stands. Raises LeaseLost when the host is not ours."""
        if self._cursor is None:
            raise LeaseLost(f"the cursor of {self.host_id} is not held")
        return self._cursor

    def hold(self) -> bool:
        """Whether the host is ours; takes the lease, and a new term, if it is free. Raises StoreUnavailable."""
        if not self.lease.hold():
            self._cursor = None
            return False
        if self._cursor is None:
            with self.lease.transaction() as connection:
                self._cursor = take_over(connection, self.host_id)
            self._state = self._recorded_at = None
            _logger.info("host %s: taken, epoch %d, term %d", self.host_id, self._cursor.epoch, self._cursor.term)
        return True

    def release(self) -> None:
        """Gives the host back."""
        self._cursor = None
        self.lease.release()

    def store(self, documents: Sequence[AnyDocument], refused: Sequence[Refused] = (), **moved: Any) -> Stored:
        """Stores a batch and moves the cursor's columns `moved`, all in one transaction.

        A document that PostgreSQL refuses is found by halving, and goes to quarantine; the rest is stored.
        """
        try:
            stored = self._write(documents, refused, moved)
        except StoreRefused as error:
            if len(documents) <= 1:
                stored = self._write((), [*refused, *(_refused_row(d, error) for d in documents)], moved)
            else:
                middle = len(documents) // 2
                first = self.store(documents[:middle])
                second = self.store(documents[middle:], refused, **moved)
                stored = Stored(first.n_stored + second.n_stored, first.n_unchanged + second.n_unchanged)
        return stored

    def begin_epoch(self, reason: str) -> None:
        """History at P5 was rewritten: everything is replicated again, under a higher epoch."""
        epoch = self.cursor.epoch + 1
        _logger.warning("host %s: %s, beginning epoch %d", self.host_id, reason, epoch)
        emptied = {"head_rev": None, "head_id": None, "head_document": None, "tail_rev": None, "compared_at": None}
        self._move({"epoch": epoch, "relist": False} | emptied)

    def complete_comparison(self) -> None:
        """Notes that everything that upstream lists is stored."""
        self._move({"compared_at": datetime.now(UTC), "relist": False})

    def record_gap(self, last_rev: int, reason: str) -> None:
        """Notes that upstream could not list what lies at `last_rev` and below."""
        with self.lease.transaction() as connection:
            record_gap(connection, self.host_id, self.cursor.epoch, last_rev, reason)

    def forget_gap(self) -> None:
        """To be called when a full listing was used to its end."""
        with self.lease.transaction() as connection:
            forget_gap(connection, self.host_id, self.cursor.epoch)

    def held_documents(self) -> dict[str, Held]:
        """What is stored of this host, by public id."""
        with self.lease.transaction() as connection:
            return held_of_host(connection, self.host_id)

    def report(self, state: str, *, error: str | None = None, n_behind: int = 0) -> None:
        """Tells the pages how replication does: at once when `state` changes, otherwise once a second."""
        now = self._monotonic()
        is_due = self._recorded_at is None or now - self._recorded_at >= _POLL_RECORDED_EVERY_SECONDS
        if state == self._state and not is_due:
            return
        values: dict[str, Any] = {"state": state, "error": error, "n_behind": n_behind}
        if error is None:
            values["polled_at"] = func.clock_timestamp()  # ages are counted by the same clock
        with self.lease.transaction() as connection:
            move(connection, self.host_id, self.cursor.term, values)
            if state != self._state:
                publish(connection, kinds=("host",))
        self._state, self._recorded_at = state, now

    def _write(self, documents: Sequence[AnyDocument], refused: Sequence[Refused], moved: dict[str, Any]) -> Stored:
        cursor = self.cursor
        batch = Batch(self.host_id, cursor.epoch, cursor.term, documents, refused, moved)
        with self.lease.transaction() as connection:
            stored = write_batch(connection, batch)
        self._cursor = replace(cursor, **moved)
        return stored

    def _move(self, values: dict[str, Any]) -> None:
        with self.lease.transaction() as connection:
            move(connection, self.host_id, self.cursor.term, values)
            publish(connection, kinds=("host",))
        self._cursor = replace(self.cursor, **values)


def _refused_row(document: AnyDocument, error: StoreRefused) -> Refused:
    return Refused("database", str(error), document.document_id, document.rev)
