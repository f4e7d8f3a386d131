"""Questions about hosts, cluster status and replication."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, Table, func, select, true
from sqlalchemy.sql.selectable import LateralFromClause

from dqmsquare.storage.cursors import FIRST_EPOCH
from dqmsquare.storage.rows import HostRow
from dqmsquare.storage.tables import (
    cursors,
    host_disks,
    host_memory,
    host_statuses,
    hosts,
    status_checks,
)

_LEFT_AFTER = timedelta(minutes=5)  # cluster status that no longer names a host: it has left the cluster
_AGED_OUT_AFTER = timedelta(hours=24)  # then it is no longer shown
_HOSTS_MAX = 500


def hosts_of_cluster(connection: Connection) -> list[HostRow]:
    """All hosts that are configured, or that cluster status named within a day; by label. By primary keys."""
    checked_at = connection.execute(select(func.max(status_checks.c.checked_at))).scalar_one()
    rows = connection.execute(_hosts_statement().order_by(hosts.c.label, hosts.c.host_id).limit(_HOSTS_MAX)).mappings()
    found = [_host_row(dict(row), checked_at) for row in rows]
    return [row for row in found if row.is_configured or not _aged_out(row, checked_at)]


def poll_ages(connection: Connection) -> dict[str, float | None]:
    """Host id to seconds since its last successful poll, for the configured hosts; None: never polled."""
    age = func.extract("epoch", func.clock_timestamp() - cursors.c.polled_at)
    statement = (
        select(hosts.c.host_id, age.label("age"))
        .outerjoin(cursors, cursors.c.host_id == hosts.c.host_id)
        .where(hosts.c.is_configured)
        .limit(_HOSTS_MAX)
    )
    return {row.host_id: None if row.age is None else float(row.age) for row in connection.execute(statement)}


def _hosts_statement() -> Select[Any]:
    status = (
        select(host_statuses)
        .where(host_statuses.c.host_id == hosts.c.host_id)
        .order_by(host_statuses.c.since.desc())
        .limit(1)
        .lateral("status")
    )
    memory = _newest_of(host_memory, "memory")
    disk = _newest_of(host_disks, "disk")
    return (
        select(
            hosts.c.host_id,
            hosts.c.label,
            hosts.c.is_configured,
            status.c.is_up,
            status.c.message,
            status.c.since.label("status_since"),
            status.c.seen_at.label("status_seen_at"),
            cursors.c.state.label("grabber_state"),
            cursors.c.error.label("grabber_error"),
            cursors.c.polled_at,
            func.coalesce(cursors.c.epoch, 0).label("epoch"),
            # From the new epoch's beginning until all of it is known to be here.
            func.coalesce((cursors.c.epoch > FIRST_EPOCH) & cursors.c.compared_at.is_(None), False).label("restarted"),
            func.coalesce(cursors.c.n_behind, 0).label("n_behind"),
            memory.c.used_bytes.label("memory_used_bytes"),
            memory.c.total_bytes.label("memory_total_bytes"),
            memory.c.available_bytes.label("memory_available_bytes"),
            disk.c.used_bytes.label("disk_used_bytes"),
            disk.c.total_bytes.label("disk_total_bytes"),
            disk.c.rename_percent.label("disk_rename_percent"),
            disk.c.delete_percent.label("disk_delete_percent"),
        )
        .outerjoin(cursors, cursors.c.host_id == hosts.c.host_id)
        .outerjoin(status, true())
        .outerjoin(memory, true())
        .outerjoin(disk, true())
    )


def _newest_of(table: Table, name: str) -> LateralFromClause:
    """The newest document of its kind of a host; a host has one per applet."""
    newest = select(table).where(table.c.host_id == hosts.c.host_id)
    return newest.order_by(table.c.received_at.desc()).limit(1).lateral(name)


def _host_row(row: dict[str, Any], checked_at: datetime | None) -> HostRow:
    seen_at = row["status_seen_at"]
    has_left = isinstance(seen_at, datetime) and checked_at is not None and seen_at < checked_at - _LEFT_AFTER
    return HostRow(**row, has_left=has_left)


def _aged_out(row: HostRow, checked_at: datetime | None) -> bool:
    return (
        row.status_seen_at is not None and checked_at is not None and row.status_seen_at < checked_at - _AGED_OUT_AFTER
    )
