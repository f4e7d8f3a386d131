"""Clears out what is older than its retention; run now and then by the grabber that holds the cluster's lease."""

from sqlalchemy import Connection, delete, func, select, text, update

from dqmsquare.storage.changes import forget_old_changes
from dqmsquare.storage.tables import job_logs, jobs, quarantine

_QUARANTINE_MAX_ROWS = 1000
_LOGS_AT_A_TIME = 1000


def clear_out(connection: Connection, *, log_retention_days: int, quarantine_retention_days: int) -> None:
    """Old announcements, quarantine and logs (0 days: logs stay). A cleared log leaves its row and revision."""
    forget_old_changes(connection)
    too_old = quarantine.c.at < func.now() - text("make_interval(days => :days)").bindparams(
        days=quarantine_retention_days
    )
    beyond = select(quarantine.c.quarantine_id).order_by(quarantine.c.quarantine_id.desc()).offset(_QUARANTINE_MAX_ROWS)
    connection.execute(delete(quarantine).where(too_old | quarantine.c.quarantine_id.in_(beyond)))
    if log_retention_days:
        _clear_logs(connection, log_retention_days)


def n_quarantined(connection: Connection) -> int:
    """How many rows the quarantine has: at most what clear_out leaves of it."""
    return int(connection.execute(select(func.count()).select_from(quarantine)).scalar_one())


def _clear_logs(connection: Connection, days: int) -> None:
    old = (
        select(job_logs.c.document_id)
        .join(jobs, jobs.c.document_id == job_logs.c.document_id)
        .where(job_logs.c.body.is_not(None), jobs.c.heard_at < func.now() - text("make_interval(days => :days)"))
        .limit(_LOGS_AT_A_TIME)
    ).params(days=days)
    cleared = connection.execute(
        update(job_logs).where(job_logs.c.document_id.in_(old)).values(body=None).returning(job_logs.c.document_id)
    )
    ids = list(cleared.scalars())
    if ids:
        connection.execute(update(jobs).where(jobs.c.document_id.in_(ids)).values(has_log=False))
