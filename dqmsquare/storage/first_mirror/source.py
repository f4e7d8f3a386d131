"""The first mirror's tables, read in batches along their primary keys, from the new database or from another one."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import psycopg2
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    DateTime,
    Double,
    Engine,
    Integer,
    Label,
    TableClause,
    Text,
    cast,
    column,
    create_engine,
    func,
    select,
    table,
    text,
)
from sqlalchemy.pool import NullPool

from dqmsquare.storage.first_mirror.conversion import GraphsRow, RunsRow
from dqmsquare.storage.tables import deliveries, jobs

SCHEMA = "public"
_COLUMNS = {  # enough of each to know it by
    "runs": {"id", "client", "run", "rev", "client_path", "timestamp", "stdlog_start", "stdlog_end"},
    "graphs": {"run", "rev", "id", "global_start", "stream_data"},
    "hostnames": {"id", "name"},
    "hoststatuses": {"created_at", "host_id", "is_up", "message"},
    "meta": {"name", "data"},
}
_TELLING = {"runs", "graphs", "hoststatuses"}  # where none of these is, the others are somebody else's

_FIND_TABLES = text(
    "SELECT c.relname, array_agg(a.attname::text) AS columns FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " WHERE n.nspname = :schema AND c.relkind IN ('r', 'p') AND c.relname = ANY(:names) GROUP BY c.relname"
)
_TIME_TYPE = text(
    "SELECT format_type(a.atttypid, NULL) FROM pg_catalog.pg_class c"
    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
    " JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid"
    " WHERE n.nspname = :schema AND (c.relname, a.attname) IN (('runs', 'timestamp'), ('graphs', 'global_start'))"
    " ORDER BY c.relname DESC LIMIT 1"
)


def _old(table_name: str, **types: Any) -> TableClause:
    return table(table_name, *(column(name, kind) for name, kind in types.items()), schema=SCHEMA)


_INSTANT = DateTime(timezone=True)
runs = _old(
    "runs",
    **dict.fromkeys(("id", "client", "hostname", "client_path", "runkey", "fi_state"), Text()),
    **dict.fromkeys(("vmrss", "stdlog_start", "stdlog_end"), Text()),
    **dict.fromkeys(("run", "rev", "exit_code", "events_total", "cmssw_run", "cmssw_lumi"), Integer()),
    events_rate=Double(),
    timestamp=_INSTANT,
)
graphs = _old(
    "graphs",
    **dict.fromkeys(("run", "rev"), Integer()),
    **dict.fromkeys(("id", "stream_data", "hostname"), Text()),
    global_start=_INSTANT,
)
hostnames = _old("hostnames", id=Integer(), name=Text())
hoststatuses = _old(
    "hoststatuses", id=Integer(), created_at=_INSTANT, host_id=Integer(), is_up=Boolean(), message=Text()
)


def seconds_of(time: ColumnElement[Any]) -> Label[float]:
    """A time as s since 1970: infinity and years that Python does not know come through."""
    return cast(func.extract("epoch", time), Double).label("seconds")


@dataclass(frozen=True, slots=True)
class OldTable:
    """A table of documents: `key` is its primary key, along which it is read; `held_in` has its documents now."""

    rows: TableClause
    key_name: str
    row_type: type[RunsRow] | type[GraphsRow]
    columns: tuple[ColumnElement[Any], ...]
    held_in: Any
    n_at_a_time: int  # about 10 MB

    @property
    def name(self) -> str:
        """The table's."""
        return self.rows.name

    @property
    def key(self) -> ColumnElement[Any]:
        """The primary key."""
        return self.rows.c[self.key_name]


JOBS = OldTable(
    runs,
    "id",
    RunsRow,
    tuple(seconds_of(runs.c.timestamp) if name == "seconds" else runs.c[name] for name in RunsRow._fields),
    jobs,
    300,
)
DELIVERIES = OldTable(
    graphs,
    "run",
    GraphsRow,
    (
        graphs.c.run,
        graphs.c.rev,
        func.coalesce(graphs.c.id, "").label("id"),
        seconds_of(graphs.c.global_start),
        graphs.c.stream_data,
        graphs.c.hostname,
    ),
    deliveries,
    100,
)
TABLES_OF_DOCUMENTS = (JOBS, DELIVERIES)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Rows of a table from `first` (None: from its lowest) up to, and without, `end` (None: to its highest)."""

    table: str
    first: Any
    end: Any


def other_database(dsn: str) -> Engine:
    """An engine for a database that is named by libpq's words or an address, and is only read."""

    def connect() -> Any:
        connection = psycopg2.connect(dsn, connect_timeout=10, application_name="dqmsquare import")
        connection.set_session(readonly=True)
        connection.set_client_encoding("UTF8")
        return connection

    return create_engine("postgresql+psycopg2://", creator=connect, poolclass=NullPool)


def be_patient(connection: Connection) -> None:
    """Millions of rows may be sorted or counted."""
    connection.execute(text("SELECT set_config('statement_timeout', '0', false)"))


def found_tables(connection: Connection) -> frozenset[str]:
    """Which of the first mirror's tables are here; needs no right to read them."""
    rows = connection.execute(_FIND_TABLES, {"schema": SCHEMA, "names": list(_COLUMNS)})
    found = {row.relname for row in rows if _COLUMNS[row.relname] <= set(row.columns)}
    return frozenset(found) if found & _TELLING else frozenset()


def times_are_labelled(connection: Connection) -> bool:
    """Whether times have a time zone; in tables that an older version made they have none."""
    found = connection.execute(_TIME_TYPE, {"schema": SCHEMA}).scalar()
    return found is None or str(found).endswith("with time zone")


def count_rows(connection: Connection, name: str) -> int:
    """How many rows a table has."""
    return int(connection.execute(select(func.count()).select_from(table(name, schema=SCHEMA))).scalar_one())


def host_names(connection: Connection, found: Collection[str]) -> set[str]:
    """Every host that the tables name."""
    columns = {"hostnames": hostnames.c.name, "runs": runs.c.hostname, "graphs": graphs.c.hostname}
    statements = [select(named).distinct() for name, named in columns.items() if name in found]
    return {name for statement in statements for name in connection.execute(statement).scalars() if name}


def stretches(connection: Connection, old: OldTable) -> Iterator[Stretch]:
    """The whole table in stretches of some rows, the highest runs first. By its primary key."""
    end = None
    while True:
        within = select(old.key) if end is None else select(old.key).where(old.key < end)
        first = connection.execute(within.order_by(old.key.desc()).offset(old.n_at_a_time - 1).limit(1)).scalar()
        yield Stretch(old.name, first, end)
        if first is None:
            return
        end = first


def keys_of(connection: Connection, old: OldTable, stretch: Stretch) -> list[tuple[Any, str, int | None]]:
    """(key, id, revision) of each row of a stretch. By the table's primary key."""
    statement = select(old.key, func.coalesce(old.rows.c.id, ""), old.rows.c.rev)
    if stretch.first is not None:
        statement = statement.where(old.key >= stretch.first)
    if stretch.end is not None:
        statement = statement.where(old.key < stretch.end)
    return [(key, raw_id, rev) for key, raw_id, rev in connection.execute(statement)]


def rows_of(connection: Connection, old: OldTable, keys: Collection[Any]) -> list[Any]:
    """The rows with these keys, as the table's row type. By its primary key."""
    statement = select(*old.columns).where(old.key == func.any(list(keys)))
    return [old.row_type(*row) for row in connection.execute(statement)]


def start_samples(connection: Connection, limit: int = 50) -> list[GraphsRow]:
    """Rows of graphs to judge the clock by, the newest first. By its primary key."""
    statement = select(*DELIVERIES.columns).where(graphs.c.stream_data != "").order_by(graphs.c.run.desc())
    return [GraphsRow(*row) for row in connection.execute(statement.limit(limit))]
