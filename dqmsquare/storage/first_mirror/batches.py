"""One stretch of the first mirror's rows: what the mirror lacks of it is read, stripped and stored in one transaction.

The stored rows themselves are the progress: whatever the mirror has at this revision or a later one, or live, is not
looked at again. So an import that was ended anywhere goes on, and one that was complete changes nothing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, func, select

from dqmsquare.documents import AnyDocument
from dqmsquare.errors import StoreRefused, StoreUnavailable
from dqmsquare.identity import PublicIds
from dqmsquare.storage.engine import Database
from dqmsquare.storage.first_mirror import source
from dqmsquare.storage.first_mirror.conversion import LeftOut, Outcome, RefusedRow, RowReader, revision
from dqmsquare.storage.first_mirror.source import OldTable, Stretch
from dqmsquare.storage.kept_connection import KeptConnection
from dqmsquare.storage.store import Batch, Refused, write_batch

EPOCH = 0  # below every live one
_N_TRIES = 5  # a live grabber may write the same documents in another order: PostgreSQL ends one of the two


@dataclass(slots=True)
class Tally:
    """What became of rows: `n_held` were there already, `n_left_out` say nothing, `refused` by reason."""

    n_stored: int = 0
    n_held: int = 0
    n_left_out: int = 0
    refused: Counter[str] = field(default_factory=Counter)

    @property
    def n_rows(self) -> int:
        """All of them."""
        return self.n_stored + self.n_held + self.n_left_out + self.refused.total()

    def add(self, other: "Tally") -> None:
        """Counts the other's rows too."""
        self.n_stored += other.n_stored
        self.n_held += other.n_held
        self.n_left_out += other.n_left_out
        self.refused += other.refused


def lacking(
    connection: Connection, old: OldTable, keys: Iterable[tuple[Any, str, int | None]], ids: PublicIds
) -> list[Any]:
    """The keys of rows that the mirror has not, or has at a lower revision. By the documents' primary key."""
    wanted = {ids.document(raw_id): (key, revision(rev)) for key, raw_id, rev in keys}
    held = _held(connection, old.held_in, list(wanted))
    return [key for document_id, (key, rev) in wanted.items() if held.get(document_id, (-1, -1)) < (EPOCH, rev)]


def _held(connection: Connection, documents: Any, ids: list[str]) -> dict[str, tuple[int, int]]:
    statement = select(documents.c.document_id, documents.c.epoch, documents.c.rev)
    rows = connection.execute(statement.where(documents.c.document_id == func.any(ids)))
    return {row.document_id: (row.epoch, row.rev) for row in rows}


def read_rows(reader: RowReader, old: OldTable, rows: Iterable[Any]) -> list[Outcome]:
    """What each row becomes."""
    read: Callable[[Any], Outcome] = reader.job if old is source.JOBS else reader.delivery
    return [read(row) for row in rows]


class StretchImport:
    """Imports stretches, over the one connection to the mirror's database that it keeps."""

    def __init__(self, old_rows: Connection, database: Database, reader: RowReader) -> None:
        self._old_rows = old_rows
        self._kept = KeptConnection(database)
        self._reader = reader

    def run(self, stretch: Stretch) -> Tally:
        """What became of the stretch's rows. Raises StoreUnavailable."""
        [old] = (old for old in source.TABLES_OF_DOCUMENTS if old.name == stretch.table)
        keys = source.keys_of(self._old_rows, old, stretch)
        with self._kept.transaction() as connection:
            wanted = lacking(connection, old, keys, self._reader.ids)
        tally = Tally(n_held=len(keys) - len(wanted))
        if wanted:
            rows = source.rows_of(self._old_rows, old, wanted)
            tally.add(self._store(read_rows(self._reader, old, rows)))
        return tally

    def _store(self, outcomes: Sequence[Outcome]) -> Tally:
        documents = [outcome for outcome in outcomes if not isinstance(outcome, LeftOut | RefusedRow)]
        refused = [outcome for outcome in outcomes if isinstance(outcome, RefusedRow)]
        n_left_out = len(outcomes) - len(documents) - len(refused)
        refused += self._write(documents, refused)
        reasons = Counter(row.refused.reason for row in refused)
        return Tally(len(outcomes) - len(refused) - n_left_out, 0, n_left_out, reasons)

    def _write(self, documents: Sequence[AnyDocument], refused: Sequence[RefusedRow]) -> list[RefusedRow]:
        """Stores them; what PostgreSQL itself refuses is found by halves, put into quarantine and given back."""
        try:
            self._write_with_patience(documents, refused)
        except StoreRefused as error:
            if len(documents) > 1:
                middle = len(documents) // 2
                return self._write(documents[:middle], refused) + self._write(documents[middle:], ())
            [document] = documents
            row = RefusedRow(document.host_id, Refused("store", str(error), document.document_id, document.rev))
            self._write_with_patience((), [*refused, row])
            return [row]
        return []

    def _write_with_patience(self, documents: Sequence[AnyDocument], refused: Sequence[RefusedRow]) -> None:
        for n_left in reversed(range(_N_TRIES)):
            try:
                with self._kept.transaction() as connection:
                    for host_id in sorted({row.host_id for row in refused}):
                        lines = [row.refused for row in refused if row.host_id == host_id]
                        write_batch(connection, Batch(host_id, EPOCH, 0, (), lines))
                    write_batch(connection, Batch("", EPOCH, 0, documents, announced=False))
            except StoreUnavailable:
                if not n_left:
                    raise
            else:
                return
