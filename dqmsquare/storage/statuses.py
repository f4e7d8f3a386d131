"""Cluster status: a row when a host's status changes, and when it was last seen; bounded, unlike a row per question."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import distinct_on, insert

from dqmsquare.storage.changes import publish
from dqmsquare.storage.tables import host_statuses, hosts, status_checks


@dataclass(frozen=True, slots=True)
class SeenStatus:
    """One host's line of cluster status, with its message scrubbed."""

    host_id: str
    label: str
    is_up: bool | None
    message: str | None


def record_statuses(connection: Connection, cluster: str, seen: list[SeenStatus]) -> int:
    """Stores an answer; returns how many hosts changed. Announces it if any did."""
    newest = _newest_statuses(connection)
    changed = [s for s in seen if newest.get(s.host_id) != (s.is_up, s.message)]
    unchanged = [s.host_id for s in seen if s not in changed]
    if seen:
        known = [{"host_id": s.host_id, "label": s.label, "is_configured": False} for s in seen]
        connection.execute(insert(hosts).values(known).on_conflict_do_nothing())
    if changed:
        rows = [
            {"host_id": s.host_id, "since": func.now(), "seen_at": func.now(), "is_up": s.is_up, "message": s.message}
            for s in changed
        ]
        connection.execute(insert(host_statuses).values(rows).on_conflict_do_nothing())
    if unchanged:
        _stamp_newest(connection, unchanged)
    record_check(connection, cluster, error=None)
    if changed:
        publish(connection, kinds=("host",))
    return len(changed)


def record_check(connection: Connection, cluster: str, *, error: str | None) -> None:
    """Notes that cluster status was asked for, and what went wrong if it was in vain."""
    row = {"cluster": cluster, "error": error} | ({} if error else {"checked_at": func.now()})
    statement = insert(status_checks).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=["cluster"], set_=row))


def _newest_statuses(connection: Connection) -> dict[str, tuple[bool | None, str | None]]:
    newest = select(host_statuses).ext(distinct_on(host_statuses.c.host_id))
    rows = connection.execute(newest.order_by(host_statuses.c.host_id, host_statuses.c.since.desc()))
    return {row.host_id: (row.is_up, row.message) for row in rows}


def _stamp_newest(connection: Connection, host_ids: list[str]) -> None:
    newest = (
        select(host_statuses.c.host_id, func.max(host_statuses.c.since).label("since"))
        .where(host_statuses.c.host_id.in_(host_ids))
        .group_by(host_statuses.c.host_id)
        .subquery()
    )
    connection.execute(
        update(host_statuses)
        .where(host_statuses.c.host_id == newest.c.host_id, host_statuses.c.since == newest.c.since)
        .values(seen_at=func.now())
    )
