"""Today's mirror's tables, made and filled as it fills them: texts of Python lists, -1 for what is absent, hosts in ids."""

from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import psycopg2
from psycopg2.extras import execute_values

LABEL = ZoneInfo("Europe/Zurich")
NO_TIME = datetime(2012, 3, 3, 10, 10, 10).timestamp()  # noqa: DTZ001  (what it stores where a document has no time)
TABLES = """
CREATE TABLE runs (id TEXT PRIMARY KEY, client TEXT, run INT, rev INT, hostname TEXT, exit_code INT, events_total INT,
  events_rate REAL, cmssw_run INT, cmssw_lumi INT, client_path TEXT, runkey TEXT, fi_state TEXT, timestamp TIMESTAMPTZ,
  vmrss TEXT, stdlog_start TEXT, stdlog_end TEXT);
CREATE TABLE graphs (run INT PRIMARY KEY, rev INT, id TEXT, timestamp TIMESTAMPTZ, global_start TIMESTAMPTZ,
  stream_data TEXT, hostname TEXT);
CREATE TABLE hostnames (id SERIAL PRIMARY KEY, name TEXT);
CREATE TABLE hoststatuses (id SERIAL PRIMARY KEY, created_at TIMESTAMPTZ DEFAULT now(), host_id INT, is_up BOOL,
  message TEXT);
CREATE TABLE meta (name TEXT PRIMARY KEY, data TEXT);
"""


@dataclass(frozen=True)
class FirstMirror:
    """A database as today's mirror leaves it. `clock` is the zone its server's clock showed."""

    host: str
    database: str
    clock: str = "Europe/Zurich"

    @property
    def dsn(self) -> str:
        return f"host={self.host} dbname={self.database} user=postgres"

    def execute(self, statement: str, values: Sequence[Any] = ()) -> list[tuple]:
        """Runs statements of one transaction."""
        with closing(psycopg2.connect(self.dsn)) as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values or None)
            return cursor.fetchall() if cursor.description else []

    def make_tables(self) -> None:
        self.execute(TABLES)

    def write(self, documents: Iterable[dict[str, Any]]) -> None:
        """Stores documents: those of a FU in runs, whatever they are, and a BU's lists of files in graphs."""
        taken = list(documents)
        of_builders = [document for document in taken if document["hostname"].startswith(("bu", "dqmrubu"))]
        self.insert("runs", [run_row(document, self.clock) for document in taken if document not in of_builders])
        files = [document for document in of_builders if "analyze_files" in document["_id"]]
        self.insert("graphs", [graph_row(document, self.clock) for document in files])
        self.execute("DELETE FROM meta")
        self.execute("INSERT INTO meta SELECT 'min_max_runs', '[' || min(run) || ', ' || max(run) || ']' FROM runs")

    def insert(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with closing(psycopg2.connect(self.dsn)) as connection, connection, connection.cursor() as cursor:
            execute_values(cursor, f"INSERT INTO {table} VALUES %s ON CONFLICT DO NOTHING", rows, page_size=500)

    def see_statuses(self, at: datetime, statuses: dict[str, bool], message: str | None = None) -> None:
        """An answer of cluster status: a row for each host."""
        for name, is_up in statuses.items():
            self.execute(
                "INSERT INTO hostnames (name) SELECT %s WHERE NOT EXISTS (SELECT FROM hostnames WHERE name = %s)",
                (name, name),
            )
            self.execute(
                "INSERT INTO hoststatuses (created_at, host_id, is_up, message)"
                " SELECT %s, id, %s, %s FROM hostnames WHERE name = %s",
                (at, is_up, message, name),
            )


def labelled(seconds: float, clock: str) -> datetime:
    """What stands in the table for an instant: what the server's clock showed, taken for Geneva's."""
    return datetime.fromtimestamp(seconds, ZoneInfo(clock)).replace(tzinfo=LABEL)


def run_row(document: dict[str, Any], clock: str = "Europe/Zurich") -> tuple[Any, ...]:
    """A row of runs."""
    extra = document.get("extra", {})
    cmdline = document.get("cmdline") or ["", ""]
    seconds = document.get("timestamp", document.get("report_timestamp", NO_TIME))
    return (
        document["_id"],
        document.get("tag"),
        document.get("run"),
        document.get("_rev", 1),
        document["hostname"],
        *(document.get(name, -1) for name in ("exit_code", "events_total", "events_rate", "cmssw_run", "cmssw_lumi")),
        cmdline[1],
        next((item for item in reversed(cmdline) if "runkey" in item), ""),
        document.get("fi_state", ""),
        labelled(float(seconds), clock),
        extra.get("ps_info", {}).get("VmRSS", ""),
        str(extra.get("stdlog_start", "")),
        str(extra.get("stdlog_end", "")),
    )


def graph_row(document: dict[str, Any], clock: str = "Europe/Zurich") -> tuple[Any, ...]:
    """A row of graphs: its own time is not the document's."""
    extra = document["extra"]
    return (
        document["run"],
        document.get("_rev", 1),
        document["_id"],
        labelled(NO_TIME, clock),
        labelled(extra.get("global_start") or NO_TIME, clock),
        str(extra.get("streams", "")),
        document["hostname"],
    )


def old_rows(first_mirror: FirstMirror, table: str = "runs") -> list[tuple]:
    """(id, rev) of everything in a table."""
    return first_mirror.execute(f"SELECT id, rev FROM {table} ORDER BY id")


def utc(*parts: int) -> datetime:
    """An instant."""
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]
