"""The import of the first mirror's tables into one cluster's database, told to the pages once, at its end."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, func, select

from dqmsquare.errors import ImportRefused
from dqmsquare.storage.changes import publish
from dqmsquare.storage.engine import Database, translated_errors
from dqmsquare.storage.first_mirror import source
from dqmsquare.storage.first_mirror.batches import Tally
from dqmsquare.storage.first_mirror.clock import CLOCKS, measured_clock
from dqmsquare.storage.first_mirror.conversion import RowReader, file_times
from dqmsquare.storage.first_mirror.literals import NotLiteral, read_literal
from dqmsquare.storage.first_mirror.statuses import Interval, read_intervals, store_intervals
from dqmsquare.storage.first_mirror.workers import Origin, Reading, import_stretches

Progress = Callable[[str, int, int], None]  # table, rows done, rows in all
_INTERVALS_AT_A_TIME = 500


@dataclass(slots=True)
class Report:
    """What an import did. `votes`: how many runs speak for which zone of the first mirror's clock."""

    clock: str = ""
    votes: dict[str, int] = field(default_factory=dict)
    tables: dict[str, Tally] = field(default_factory=dict)
    n_status_rows: int = 0
    n_status_rows_read: int = 0  # the others name no host that is known, or no time
    n_intervals: int = 0
    n_new_intervals: int = 0
    is_open_to: str = ""  # a role of the server's that may read the old tables

    @property
    def changed_anything(self) -> bool:
        """Whether a page may show something new."""
        return bool(self.n_new_intervals) or any(tally.n_stored for tally in self.tables.values())


def import_first_mirror(
    origin: Origin, report: Report, *, clock: str | None = None, n_workers: int = 2, on_progress: Progress
) -> None:
    """Fills `report` as it goes, so that it is true wherever the import ends; may be called again at any time.

    `clock`: the zone of the first mirror's clock; None: measured. Raises ImportRefused where there is nothing to import
    or the zone is none, StoreUnavailable, and KeyboardInterrupt after what is under way has ended.
    """
    database = origin.database()
    with translated_errors(), closing(origin.old_engine().connect()) as connection:
        old_rows = connection.execution_options(isolation_level="AUTOCOMMIT")
        source.be_patient(old_rows)
        reading = read_settings(old_rows, origin, report, clock)
        try:
            _import_documents(old_rows, origin, reading, report, n_workers, on_progress)
            if "hoststatuses" in source.found_tables(old_rows):
                _import_statuses(origin, reading.reader(origin), report, on_progress)
        finally:
            if report.changed_anything:
                with database.writing() as writing:
                    publish(writing, kinds=("reload",))
    report.is_open_to = _server_role_that_reads(database, origin)


def read_settings(old_rows: Connection, origin: Origin, report: Report, clock: str | None) -> Reading:
    """What the rows are to be read with; notes in the report how the clock was found. Raises ImportRefused."""
    found = source.found_tables(old_rows)
    if not found:
        raise ImportRefused(f"there are no tables of the first mirror in this database ({origin.cluster})")
    config = origin.config
    names = {config.server_fff_machine, *config.fff_production_machines, *config.fff_playback_machines}
    measured, report.votes = measured_clock(_starts(old_rows)) if "graphs" in found else (None, {})
    report.clock = clock or measured or CLOCKS[0]
    try:
        ZoneInfo(report.clock)
    except (OSError, ValueError) as error:
        raise ImportRefused(f"{report.clock} is no time zone") from error
    source_names = source.host_names(old_rows, found)
    return Reading(
        clock=report.clock,
        is_labelled=source.times_are_labelled(old_rows),
        host_names=frozenset(names | source_names),
    )


def _starts(old_rows: Connection) -> Iterator[tuple[float, float]]:
    """Of the newest runs: their start as stored, and as their first file says."""
    for row in source.start_samples(old_rows):
        try:
            first_file, _ = file_times(read_literal(row.stream_data or "{}"))
        except (AttributeError, NotLiteral):
            continue
        if first_file is not None and row.start_seconds is not None:
            yield row.start_seconds, first_file


def _import_documents(
    old_rows: Connection, origin: Origin, reading: Reading, report: Report, n_workers: int, on_progress: Progress
) -> None:
    found = source.found_tables(old_rows)
    tables = [old for old in source.TABLES_OF_DOCUMENTS if old.name in found]
    n_rows = {old.name: source.count_rows(old_rows, old.name) for old in tables}
    report.tables = {name: Tally() for name in n_rows}
    stretches = (stretch for old in tables for stretch in source.stretches(old_rows, old))
    with closing(import_stretches(origin, reading, stretches, n_workers)) as done:
        for name, tally in done:
            report.tables[name].add(tally)
            on_progress(name, report.tables[name].n_rows, n_rows[name])


def _import_statuses(origin: Origin, reader: RowReader, report: Report, on_progress: Progress) -> None:
    database = origin.database()
    with origin.old_engine().connect() as old_rows:  # in a transaction, as a server-side cursor wants it
        source.be_patient(old_rows)
        report.n_status_rows = source.count_rows(old_rows, "hoststatuses")
        on_progress("hoststatuses", 0, report.n_status_rows)
        for some in in_groups(read_intervals(old_rows, reader)):
            with database.writing() as connection:
                report.n_new_intervals += store_intervals(connection, some, origin.cluster)
            report.n_intervals += len(some)
            report.n_status_rows_read += sum(interval.n_rows for interval in some)
            on_progress("hoststatuses", report.n_status_rows_read, report.n_status_rows)


def in_groups(intervals: Iterator[Interval]) -> Iterator[list[Interval]]:
    """Some hundreds at a time."""
    group: list[Interval] = []
    for interval in intervals:
        group.append(interval)
        if len(group) == _INTERVALS_AT_A_TIME:
            yield group
            group = []
    if group:
        yield group


def _server_role_that_reads(database: Database, origin: Origin) -> str:
    """The server's role, if somebody has let it read what lies beside the new tables; "" as it should be."""
    role = origin.config.postgres_server_username
    with database.reading() as connection:
        exists = connection.execute(select(func.to_regrole(_quoted(connection, role)))).scalar() is not None
        tables = source.found_tables(connection)
        readable = (
            connection.execute(select(func.has_table_privilege(role, f"{source.SCHEMA}.{name}", "SELECT"))).scalar_one()
            for name in tables
        )
        return role if exists and any(readable) else ""


def _quoted(connection: Connection, role: str) -> str:
    return str(connection.dialect.identifier_preparer.quote(role))
