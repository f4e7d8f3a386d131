"""Questions about the mirror itself: where each host's replication stands, what was set aside, what is missing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from dqmsquare.storage.tables import cursors, gaps, hosts, leases, quarantine, status_checks

_HOSTS_MAX = 500
_GAPS_MAX = 200
_REASONS_MAX = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicationRow:
    """A host that is grabbed, or was once; revisions are the host's own numbers.

    `tail_rev` 0: history is complete; None: nothing was listed yet. `stamped_at`: when its grabber last showed life.
    """

    host_id: str
    label: str
    is_configured: bool
    state: str | None  # live, filling, backoff, auth, standby; None: never asked
    error: str | None
    polled_at: datetime | None  # last success
    stamped_at: datetime | None
    epoch: int
    head_rev: int | None
    tail_rev: int | None
    n_behind: int
    relist: bool  # a full comparison is asked for
    compared_at: datetime | None
    n_quarantined: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineRow:
    """A document that could not be stored; `rev` -1 where it is not known. `detail` is scrubbed."""

    host_id: str
    label: str | None
    document_id: str
    epoch: int
    rev: int
    reason: str
    detail: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class GapRow:
    """Revisions that a host could not list."""

    host_id: str
    label: str | None
    epoch: int
    first_rev: int
    last_rev: int
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterCheck:
    """How asking for cluster status goes; `checked_at` is the last success."""

    checked_at: datetime | None
    error: str | None


def replication_of_hosts(connection: Connection) -> list[ReplicationRow]:
    """All configured hosts, and those with a cursor, by label. By primary keys; the quarantine is bounded."""
    n_quarantined = (
        select(func.count()).where(quarantine.c.host_id == hosts.c.host_id).scalar_subquery().label("n_quarantined")
    )
    statement = (
        select(
            hosts,
            cursors.c.state,
            cursors.c.error,
            cursors.c.polled_at,
            leases.c.stamped_at,
            func.coalesce(cursors.c.epoch, 0).label("epoch"),
            cursors.c.head_rev,
            cursors.c.tail_rev,
            func.coalesce(cursors.c.n_behind, 0).label("n_behind"),
            func.coalesce(cursors.c.relist, False).label("relist"),
            cursors.c.compared_at,
            n_quarantined,
        )
        .outerjoin(cursors, cursors.c.host_id == hosts.c.host_id)
        .outerjoin(leases, leases.c.name == hosts.c.host_id)
        .where(hosts.c.is_configured | cursors.c.host_id.is_not(None))
        .order_by(hosts.c.is_configured.desc(), hosts.c.label, hosts.c.host_id)
        .limit(_HOSTS_MAX)
    )
    return [ReplicationRow(**row) for row in connection.execute(statement).mappings()]


def quarantined(connection: Connection, limit: int) -> list[QuarantineRow]:
    """What was set aside last, newest first. By quarantine's primary key."""
    columns = (quarantine.c[name] for name in QuarantineRow.__slots__ if name != "label")
    statement = (
        select(*columns, hosts.c.label)
        .outerjoin(hosts, hosts.c.host_id == quarantine.c.host_id)
        .order_by(quarantine.c.quarantine_id.desc())
        .limit(limit)
    )
    return [QuarantineRow(**row) for row in connection.execute(statement).mappings()]


def quarantine_reasons(connection: Connection) -> dict[str, int]:
    """Reason to number of rows, commonest first. The quarantine has at most what upkeep leaves of it."""
    n_rows = func.count().label("n_rows")
    statement = select(quarantine.c.reason, n_rows).group_by(quarantine.c.reason)
    return {
        row.reason: row.n_rows for row in connection.execute(statement.order_by(n_rows.desc(), "reason").limit(100))
    }


def gaps_with_hosts(connection: Connection) -> list[GapRow]:
    """All gaps by label. By gaps' primary key, which has a line per host and epoch."""
    statement = (
        select(*gaps.columns, hosts.c.label)
        .outerjoin(hosts, hosts.c.host_id == gaps.c.host_id)
        .order_by(hosts.c.label, gaps.c.host_id, gaps.c.epoch)
        .limit(_GAPS_MAX)
    )
    return [GapRow(**row) for row in connection.execute(statement).mappings()]


def cluster_check(connection: Connection) -> ClusterCheck:
    """How the question for cluster status went; a cluster's database has one line of it."""
    row = connection.execute(select(status_checks.c.checked_at, status_checks.c.error).limit(1)).first()
    return ClusterCheck(checked_at=row.checked_at if row else None, error=row.error if row else None)


def database_bytes(connection: Connection) -> int:
    """What the database takes on disk."""
    return int(connection.execute(select(func.pg_database_size(func.current_database()))).scalar_one())
