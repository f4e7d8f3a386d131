"""Stores a batch of documents: rows, summaries, quarantine, cursor and announcement in one transaction."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson
from sqlalchemy import (
    Connection,
    LargeBinary,
    Select,
    Table,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    select,
    tuple_,
)
from sqlalchemy.dialects.postgresql import JSON, insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlalchemy.sql.elements import ColumnElement

from dqmsquare.documents import AnyDocument
from dqmsquare.errors import StoreRefused
from dqmsquare.storage import cursors, locks
from dqmsquare.storage.changes import publish
from dqmsquare.storage.document_rows import Row, rows_by_table
from dqmsquare.storage.failpoints import begin_batch
from dqmsquare.storage.summaries import RunAndTag, summarise
from dqmsquare.storage.tables import (
    DOCUMENT_TABLES,
    deliveries,
    job_logs,
    job_series,
    jobs,
    playbacks,
    quarantine,
)

_DETAIL_MAX = 200
_TABLES_WITH_RUNS = (jobs.name, deliveries.name, playbacks.name)


@dataclass(frozen=True, slots=True)
class Refused:
    """A document or header that cannot be stored, for the quarantine; `detail` must be scrubbed."""

    reason: str
    detail: str = ""
    document_id: str = ""
    rev: int = -1


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction stores for a host, and the cursor's columns it moves.

    `announced`: False for an import, which tells the pages once, at its end.
    """

    host_id: str
    epoch: int
    term: int
    documents: Sequence[AnyDocument] = ()
    refused: Sequence[Refused] = ()
    cursor: dict[str, Any] = field(default_factory=dict)
    announced: bool = True


@dataclass(frozen=True, slots=True)
class Stored:
    """How many documents of a batch were new or newer, and how many the mirror already had."""

    n_stored: int
    n_unchanged: int


def write_batch(connection: Connection, batch: Batch) -> Stored:
    """Stores a batch inside the caller's transaction; doing it twice changes nothing.

    Raises LeaseLost if the host was taken over, StoreRefused if PostgreSQL refuses one of the rows.
    """
    begin_batch(connection)
    if batch.cursor:
        cursors.move(connection, batch.host_id, batch.term, batch.cursor)
    rows = rows_by_table(batch.documents, batch.epoch)
    before = _runs_and_tags(connection, [row["document_id"] for row in rows.get("jobs", ())])
    changed_rows = [row for name in rows for row in _upsert_rows(connection, name, rows[name])]
    _quarantine(connection, batch)
    _announce(connection, changed_rows, before, announced=batch.announced)
    n_documents = len({document.document_id for document in batch.documents})
    return Stored(n_stored=len(changed_rows), n_unchanged=n_documents - len(changed_rows))


@dataclass(frozen=True, slots=True)
class _ChangedRow:
    table: str
    document_id: str
    run: int | None
    tag: str | None


def _announce(
    connection: Connection, rows: Sequence[_ChangedRow], before: dict[str, RunAndTag], *, announced: bool
) -> None:
    if not rows:
        return
    # Held to the commit: summaries of two hosts' batches for one run must not be made side by side.
    locks.lock_for_transaction(connection, locks.PUBLISH)
    job_rows = [row for row in rows if row.table == jobs.name]
    now = {row.document_id: (row.run or 0, row.tag or "") for row in job_rows}
    left = {before[key] for key in now if key in before and before[key] != now[key]}
    summarise(connection, set(now.values()), left)
    if not announced:
        return
    changed_runs = {row.run for row in rows if row.run is not None} | {run for run, _ in left}
    about_hosts = any(row.table not in _TABLES_WITH_RUNS for row in rows)
    publish(connection, runs=changed_runs, kinds=("host",) if about_hosts else ())


def _runs_and_tags(connection: Connection, job_ids: Sequence[str]) -> dict[str, RunAndTag]:
    """Where the jobs stood before, since a process may overwrite the run it was started for."""
    if not job_ids:
        return {}
    found = connection.execute(
        select(jobs.c.document_id, jobs.c.run, jobs.c.tag).where(jobs.c.document_id == func.any(list(job_ids)))
    )
    return {row.document_id: (row.run, row.tag) for row in found}


def _upsert_rows(connection: Connection, table_name: str, rows: Sequence[Row]) -> list[_ChangedRow]:
    """Inserts or replaces what is newer; answers with the documents that were, none for series and logs."""
    result = connection.execute(_UPSERTS[table_name], {"rows": _json(rows)})
    if table_name in _PARTS_OF_JOBS:
        return []
    return [_ChangedRow(table_name, row["document_id"], row.get("run"), row.get("tag")) for row in result.mappings()]


def _json(rows: Sequence[Row]) -> str:
    try:
        return orjson.dumps(rows).decode()
    except TypeError as error:  # a number over 64 bits, or half a surrogate
        raise StoreRefused(f"a row cannot be sent ({error})") from error


def _quarantine(connection: Connection, batch: Batch) -> None:
    if not batch.refused:
        return
    rows = [
        {
            "host_id": batch.host_id,
            "document_id": refused.document_id,
            "epoch": batch.epoch,
            "rev": refused.rev,
            "reason": refused.reason,
            "detail": refused.detail[:_DETAIL_MAX],
            "at": func.now(),
        }
        for refused in batch.refused
    ]
    connection.execute(insert(quarantine).values(rows).on_conflict_do_nothing())


def _source(table: Table) -> Select[tuple[Any, ...]]:
    """One JSON parameter as rows of the table's types: one statement and one round trip, however many rows."""
    typed = [column(c.name, Text() if isinstance(c.type, LargeBinary) else c.type) for c in table.columns]
    json_text = cast(bindparam("rows", type_=Text), JSON)
    source = func.json_to_recordset(json_text).table_valued(*typed).render_derived(name="row", with_types=True)
    values = (
        func.decode(source.c[c.name], "base64") if isinstance(c.type, LargeBinary) else source.c[c.name]
        for c in table.columns
    )
    return select(*values)


def _upsert(table: Table) -> ReturningInsert[Any]:
    """INSERT … ON CONFLICT DO UPDATE of a document's table: only what is newer by (epoch, rev) replaces a row."""
    statement = insert(table).from_select([c.name for c in table.columns], _source(table))
    excluded = statement.excluded
    changed: dict[str, ColumnElement[Any]] = {c.name: excluded[c.name] for c in table.columns if not c.primary_key}
    if table is jobs:
        changed["first_reported_at"] = func.least(jobs.c.first_reported_at, excluded.first_reported_at)
        # Since when the input has ended is known from the first report that said so.
        ended_before = func.coalesce(jobs.c.input_ended_at, excluded.input_ended_at)
        changed["input_ended_at"] = case((excluded.input_ended_at.is_not(None), ended_before), else_=None)
        # What the log said once still holds when a long stack trace has pushed it out.
        changed["input_gone"] = jobs.c.input_gone | excluded.input_gone
    statement = statement.on_conflict_do_update(
        index_elements=["document_id"],
        set_=changed,
        where=tuple_(excluded.epoch, excluded.rev) > tuple_(table.c.epoch, table.c.rev),
    )
    returned = [table.c[name] for name in ("document_id", "run", "tag") if name in table.c]
    return statement.returning(*returned)


_PARTS_OF_JOBS = (job_series.name, job_logs.name)
_UPSERTS = {table.name: _upsert(table) for table in (*DOCUMENT_TABLES, job_series, job_logs)}
