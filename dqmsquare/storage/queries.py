"""Questions about runs and jobs: one function each, answering with the frozen rows of rows.py."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, select

from dqmsquare.documents import LumiRange
from dqmsquare.storage.delivery_body import unpack_delivery
from dqmsquare.storage.packing import unpack_text
from dqmsquare.storage.rows import (
    DeliveryRow,
    JobRow,
    JobSeries,
    LogRow,
    PlaybackRow,
    RunRow,
    StreamSummary,
)
from dqmsquare.storage.run_cells import expected_clients
from dqmsquare.storage.series_body import unpack_series
from dqmsquare.storage.tables import deliveries, job_logs, job_series, jobs, playbacks, run_clients, runs

_JOBS_OF_A_RUN_MAX = 2_000
_MAIN_BUILDER = "analyze_files"  # the tag of the BU's own list of a run; lookarea's comes second

_JOB_COLUMNS = tuple(jobs.c[name] for name in JobRow.__slots__ if name in jobs.c)
_RUN_COLUMNS = tuple(runs.c[name] for name in RunRow.__slots__ if name in runs.c)


def run_range(connection: Connection) -> tuple[int, int] | None:
    """First and last run that has jobs; None where there is none. By runs' primary key."""
    row = connection.execute(select(func.min(runs.c.run), func.max(runs.c.run))).one()
    return None if row[0] is None else (row[0], row[1])


def newest_run(connection: Connection) -> int | None:
    """The highest run that has jobs. By runs' primary key."""
    newest: int | None = connection.execute(select(func.max(runs.c.run))).scalar_one()
    return newest


def neighbours(connection: Connection, run: int) -> tuple[int | None, int | None]:
    """The runs before and after, whether or not `run` itself is there. By runs' primary key."""
    before = select(func.max(runs.c.run)).where(runs.c.run < run).scalar_subquery()
    after = select(func.min(runs.c.run)).where(runs.c.run > run).scalar_subquery()
    row = connection.execute(select(before, after)).one()
    return row[0], row[1]


def run_summary(connection: Connection, run: int) -> RunRow | None:
    """One run's summary with the delivery of its files. By runs' primary key and deliveries_run."""
    row = connection.execute(select(*_RUN_COLUMNS).where(runs.c.run == run)).mappings().first()
    if row is None:
        return None
    return _run_row(row, _main_delivery(connection, run, summary_only=True))


def recent_runs(connection: Connection, limit: int = 20) -> list[RunRow]:
    """The newest runs, newest first, without their delivery. By runs' primary key."""
    statement = select(*_RUN_COLUMNS).order_by(runs.c.run.desc()).limit(limit)
    return [_run_row(row, None) for row in connection.execute(statement).mappings()]


def jobs_of_run(connection: Connection, run: int) -> list[JobRow]:
    """A run's jobs by client, host label, first report. By jobs_run."""
    statement = select(*_JOB_COLUMNS, jobs.c.document_id).where(jobs.c.run == run)
    order = (jobs.c.tag, jobs.c.host_label, jobs.c.first_reported_at, jobs.c.document_id)
    rows = connection.execute(statement.order_by(*order).limit(_JOBS_OF_A_RUN_MAX)).mappings()
    return [_job_row(row) for row in rows]


def job(connection: Connection, job_id: str) -> JobRow | None:
    """One job by its public id. By jobs' primary key."""
    statement = select(*_JOB_COLUMNS, jobs.c.document_id).where(jobs.c.document_id == job_id)
    row = connection.execute(statement).mappings().first()
    return None if row is None else _job_row(row)


def tags_between(connection: Connection, first: int, last: int) -> list[str]:
    """The clients' tags in those runs, in the order of their bytes. By run_clients' primary key."""
    statement = select(run_clients.c.tag).distinct().where(run_clients.c.run.between(first, last))
    return list(connection.execute(statement.order_by(run_clients.c.tag)).scalars())


def expected_tags(connection: Connection, run: int) -> list[str]:
    """Clients that were in each of the last three runs of this run's run key before it. As expected_clients."""
    return sorted(expected_clients(connection, [run]).get(run, ()))


def series_of_job(connection: Connection, job_id: str) -> JobSeries | None:
    """The graphs of a job. By job_series' primary key."""
    body = connection.execute(select(job_series.c.body).where(job_series.c.document_id == job_id)).scalar()
    return None if body is None else unpack_series(body)


def log_of_job(connection: Connection, job_id: str) -> LogRow | None:
    """The log of a job; None for an unknown job and for one without a log. By primary keys."""
    statement = (
        select(jobs.c.run, jobs.c.tag, jobs.c.n_removed, job_logs)
        .join(job_logs, job_logs.c.document_id == jobs.c.document_id)
        .where(jobs.c.document_id == job_id, job_logs.c.body.is_not(None))
    )
    row = connection.execute(statement).first()
    if row is None:
        return None
    text = unpack_text(row.body)
    head, tail = text[: row.n_head_chars], text[row.n_head_chars :]
    return LogRow(job_id=job_id, run=row.run, tag=row.tag, head=head, tail=tail, gap=row.gap, n_removed=row.n_removed)


def delivery_of_run(connection: Connection, run: int) -> DeliveryRow | None:
    """The files delivered for a run; the BU's own list where there are several. By deliveries_run."""
    row = _main_delivery(connection, run, summary_only=False)
    if row is None:
        return None
    plain = {name: row[name] for name in DeliveryRow.__slots__ if name != "streams"}
    return DeliveryRow(**plain, streams=unpack_delivery(row["body"]))


def playback_of_run(connection: Connection, run: int) -> PlaybackRow | None:
    """What the playback says of a run. By playbacks_run."""
    statement = select(*(playbacks.c[name] for name in PlaybackRow.__slots__)).where(playbacks.c.run == run)
    row = connection.execute(statement.order_by(playbacks.c.reported_at.desc()).limit(1)).mappings().first()
    return None if row is None else PlaybackRow(**row)


def _main_delivery(connection: Connection, run: int, *, summary_only: bool) -> RowMapping | None:
    columns = [column for column in deliveries.columns if not (summary_only and column.name == "body")]
    statement: Select[Any] = select(*columns).where(deliveries.c.run == run)
    order = ((deliveries.c.tag == _MAIN_BUILDER).desc(), deliveries.c.reported_at.desc(), deliveries.c.document_id)
    return connection.execute(statement.order_by(*order).limit(1)).mappings().first()


def _run_row(row: RowMapping, delivery: RowMapping | None) -> RunRow:
    return RunRow(
        **row,
        global_start=delivery["global_start"] if delivery else None,
        global_start_estimated=bool(delivery and delivery["global_start_estimated"]),
        streams=tuple(StreamSummary(*values) for values in delivery["summary"]) if delivery else (),
    )


def _job_row(row: RowMapping) -> JobRow:
    values = {name: row[name] for name in JobRow.__slots__ if name in row}
    return JobRow(**values | {"job_id": row["document_id"]} | _tuples(row))


def _tuples(row: RowMapping) -> dict[str, tuple[Any, ...]]:
    odd: Sequence[Sequence[Any]] = row["odd_lumis"]
    return {
        "flags": tuple(row["flags"]),
        "rate_spark": tuple(row["rate_spark"]),
        "memory_spark": tuple(row["memory_spark"]),
        "odd_lumis": tuple(LumiRange(*values) for values in odd),
    }
