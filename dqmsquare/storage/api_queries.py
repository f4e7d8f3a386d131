"""Questions that only /api/v1 asks: the lists of a host's statuses and of alarms, page by page."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select, tuple_

from dqmsquare.storage.alarm_queries import AlarmRow
from dqmsquare.storage.tables import alarms, host_statuses, hosts


@dataclass(frozen=True, slots=True, kw_only=True)
class HostName:
    """A host by its id, with the label that people know."""

    host_id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """What cluster status said of a host; `is_up` None: told, but neither up nor down."""

    since: datetime
    seen_at: datetime
    is_up: bool | None
    message: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedAlarm:
    """An alarm with the label of the host it is about, if it is about one."""

    alarm: AlarmRow
    host_label: str | None


def host(connection: Connection, host_id: str) -> HostName | None:
    """A host that the mirror knows; None for another. By hosts' primary key."""
    row = connection.execute(select(hosts.c.host_id, hosts.c.label).where(hosts.c.host_id == host_id)).mappings()
    found = row.first()
    return None if found is None else HostName(**found)


def statuses_of_host(
    connection: Connection, host_id: str, limit: int, before: datetime | None = None
) -> list[StatusRow]:
    """A host's statuses, newest first; only those that began before `before`. By host_statuses' primary key."""
    statement = select(*(host_statuses.c[name] for name in StatusRow.__slots__)).where(
        host_statuses.c.host_id == host_id
    )
    if before is not None:
        statement = statement.where(host_statuses.c.since < before)
    rows = connection.execute(statement.order_by(host_statuses.c.since.desc()).limit(limit)).mappings()
    return [StatusRow(**row) for row in rows]


def list_alarms(
    connection: Connection, limit: int, before: tuple[datetime, str] | None = None, *, standing_only: bool = False
) -> list[ListedAlarm]:
    """Alarms, the one raised last first; only those before an instant and key. By alarms_raised, or by alarms_open."""
    rows = connection.execute(select_alarms(limit, before, standing_only=standing_only)).mappings()
    return [
        ListedAlarm(alarm=AlarmRow(**{name: row[name] for name in AlarmRow.__slots__}), host_label=row["label"])
        for row in rows
    ]


def select_alarms(
    limit: int, before: tuple[datetime, str] | None = None, *, standing_only: bool = False
) -> Select[Any]:
    """The statement of list_alarms."""
    columns = (*(alarms.c[name] for name in AlarmRow.__slots__), hosts.c.label)
    statement = select(*columns).outerjoin(hosts, hosts.c.host_id == alarms.c.host_id)
    if before is not None:
        statement = statement.where(tuple_(alarms.c.raised_at, alarms.c.alarm_key) < before)
    if standing_only:
        statement = statement.where(alarms.c.resolved_at.is_(None))
    return statement.order_by(alarms.c.raised_at.desc(), alarms.c.alarm_key.desc()).limit(limit)
