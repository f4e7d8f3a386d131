"""Cluster status: a row when a host's status changes, and when it was last seen; bounded, unlike a row per question."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, true, update
from sqlalchemy.dialects.postgresql import insert

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
    """By hosts' and host_statuses' primary keys: a step per host, however many statuses it has had."""
    newest = select(host_statuses.c.is_up, host_statuses.c.message).where(host_statuses.c.host_id == hosts.c.host_id)
    last = newest.order_by(host_statuses.c.since.desc()).limit(1).lateral("last")
    rows = connection.execute(select(hosts.c.host_id, last.c.is_up, last.c.message).join(last, true()))
    return {row.host_id: (row.is_up, row.message) for row in rows}


def _stamp_newest(connection: Connection, host_ids: list[str]) -> None:
    since = select(func.max(host_statuses.c.since)).where(host_statuses.c.host_id == hosts.c.host_id)
    newest = select(hosts.c.host_id, since.scalar_subquery().label("since")).where(hosts.c.host_id.in_(host_ids))
    last = newest.subquery("last")
    connection.execute(
        update(host_statuses)
        .where(host_statuses.c.host_id == last.c.host_id, host_statuses.c.since == last.c.since)
        .values(seen_at=func.now())
    )
