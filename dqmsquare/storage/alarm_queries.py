"""Questions about alarms, and about what they are judged by beside runs, jobs and hosts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select
from sqlalchemy.dialects.postgresql import distinct_on

from dqmsquare.storage.tables import alarms, host_disks, hosts

_ALARMS_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRow:
    """A stored alarm; `resolved_at` None: it still stands."""

    alarm_key: str
    rule: str
    subject: str
    words: str
    run: int | None
    job_id: str | None
    host_id: str | None
    raised_at: datetime
    resolved_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RamdiskRow:
    """The newest that is known of a host's ramdisk; thresholds in percent."""

    host_id: str
    host_label: str
    used_bytes: int | None
    total_bytes: int | None
    rename_percent: float | None
    delete_percent: float | None
    received_at: datetime


_COLUMNS = tuple(alarms.c[name] for name in AlarmRow.__slots__)


def database_now(connection: Connection) -> datetime:
    """The time by the database's clock, which all that judge alarms share."""
    now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
    return now


def open_alarms(connection: Connection) -> list[AlarmRow]:
    """Alarms that still stand, newest first. By alarms_open."""
    statement = select(*_COLUMNS).where(alarms.c.resolved_at.is_(None))
    order = (alarms.c.raised_at.desc(), alarms.c.alarm_key)
    return [AlarmRow(**row) for row in connection.execute(statement.order_by(*order).limit(_ALARMS_MAX)).mappings()]


def recent_alarms(connection: Connection, limit: int) -> list[AlarmRow]:
    """Those that still stand, newest first, then those that are over. By alarms_open and alarms_raised."""
    standing = open_alarms(connection)[:limit]
    statement = select(*_COLUMNS).where(alarms.c.resolved_at.is_not(None)).order_by(alarms.c.raised_at.desc())
    rows = connection.execute(statement.limit(limit - len(standing))).mappings()
    return [*standing, *(AlarmRow(**row) for row in rows)]


def alarms_of(connection: Connection, keys: Sequence[str]) -> list[AlarmRow]:
    """The alarms with these keys, oldest first; one that is not there any more is left out. By primary key."""
    statement = select(*_COLUMNS).where(alarms.c.alarm_key == func.any(list(keys)))
    rows = connection.execute(statement.order_by(alarms.c.raised_at, alarms.c.alarm_key).limit(_ALARMS_MAX))
    return [AlarmRow(**row) for row in rows.mappings()]


def ramdisks(connection: Connection) -> list[RamdiskRow]:
    """One row per configured host that reports on a ramdisk: the newest. By host_disks' few rows."""
    newest = (
        select(*(host_disks.c[name] for name in RamdiskRow.__slots__))
        .join(hosts, hosts.c.host_id == host_disks.c.host_id)
        .where(hosts.c.is_configured)
        .ext(distinct_on(host_disks.c.host_id))
        .order_by(host_disks.c.host_id, host_disks.c.received_at.desc())
        .limit(_ALARMS_MAX)
    )
    return [RamdiskRow(**row) for row in connection.execute(newest).mappings()]
