"""Whether everything of the first mirror's tables is in the new ones; and only then their end."""

from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import Connection, func, select, text

from dqmsquare.errors import ImportRefused
from dqmsquare.storage.first_mirror import source
from dqmsquare.storage.first_mirror.batches import EPOCH, lacking, read_rows
from dqmsquare.storage.first_mirror.conversion import LeftOut, RefusedRow, RowReader
from dqmsquare.storage.first_mirror.importing import Report, in_groups, read_settings
from dqmsquare.storage.first_mirror.statuses import n_unknown, read_intervals
from dqmsquare.storage.first_mirror.workers import Origin
from dqmsquare.storage.tables import quarantine


@dataclass(slots=True)
class Verified:
    """What is in the old tables: in the new ones too, saying nothing, or not to be read (by reason), or missing."""

    n_held: int = 0
    n_left_out: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    n_missing: int = 0
    n_intervals_missing: int = 0

    @property
    def is_complete(self) -> bool:
        """Whether nothing would be lost that could be read."""
        return not self.n_missing and not self.n_intervals_missing

    def in_words(self) -> str:
        """The counts as a sentence."""
        words = f"{self.n_held:,} rows are in the new tables, {self.n_left_out:,} say nothing"
        if self.refused.total():
            words += f", {self.refused.total():,} cannot be read ({reasons(self.refused)})"
        if not self.is_complete:
            words += f"; {self.n_missing:,} rows and {self.n_intervals_missing:,} changes of hosts' status are missing"
        return words


def reasons(refused: Counter[str]) -> str:
    """Each reason with its number, the commonest first."""
    return ", ".join(f"{reason} {n:,}" for reason, n in refused.most_common() if n)


def first_mirror_remains(connection: Connection) -> bool:
    """Whether the first mirror's tables, and with them hosts' names, are still in this database.

    Asks the catalogue alone: the server's role may not read the tables.
    """
    return bool(source.found_tables(connection))


def verify(connection: Connection, origin: Origin, *, clock: str | None = None) -> Verified:
    """Looks for each old row's document; what is not there is read once more, to see that it cannot be stored.

    Raises ImportRefused where there is nothing to verify.
    """
    reader = read_settings(connection, origin, Report(), clock).reader(origin)
    found = source.found_tables(connection)
    verified = Verified()
    for old in source.TABLES_OF_DOCUMENTS:
        if old.name in found:
            _verify_documents(connection, old, reader, verified)
    if "hoststatuses" in found:
        for some in in_groups(read_intervals(connection, reader)):
            verified.n_intervals_missing += n_unknown(connection, some)
    return verified


def _verify_documents(connection: Connection, old: source.OldTable, reader: RowReader, verified: Verified) -> None:
    for stretch in source.stretches(connection, old):
        keys = source.keys_of(connection, old, stretch)
        wanted = lacking(connection, old, keys, reader.ids)
        verified.n_held += len(keys) - len(wanted)
        unheld: list[str] = []
        for outcome in read_rows(reader, old, source.rows_of(connection, old, wanted) if wanted else ()):
            if isinstance(outcome, LeftOut):
                verified.n_left_out += 1
            elif isinstance(outcome, RefusedRow):
                verified.refused[outcome.refused.reason] += 1
            else:
                unheld.append(outcome.document_id)
        refused_by_postgres = _quarantined(connection, unheld)
        verified.refused["store"] += len(refused_by_postgres)
        verified.n_missing += len(unheld) - len(refused_by_postgres)


def _quarantined(connection: Connection, document_ids: list[str]) -> set[str]:
    statement = select(quarantine.c.document_id).where(quarantine.c.epoch == EPOCH)
    return set(connection.execute(statement.where(quarantine.c.document_id == func.any(document_ids))).scalars())


def drop_first_mirror(origin: Origin, *, clock: str | None = None) -> None:
    """Removes the old tables in the transaction that has verified, with nobody writing them, that nothing is missing.

    Raises ImportRefused where something is, or where there are no such tables.
    """
    with origin.database().writing() as connection:
        source.be_patient(connection)
        tables = [f"{source.SCHEMA}.{name}" for name in sorted(source.found_tables(connection))]
        if tables:
            connection.execute(text(f"LOCK TABLE {', '.join(tables)} IN SHARE MODE"))
        verified = verify(connection, origin, clock=clock)
        if not verified.is_complete:
            raise ImportRefused(f"{verified.in_words()}: run `python db.py import-first-mirror` again")
        connection.execute(text(f"DROP TABLE {', '.join(tables)}"))
