"""Hosts as the API tells of them: what is known of each now, and what cluster status said of one before."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from dqmsquare.server.api_v1.asked import Asked, Found, cursor_instant, instant_cursor, same_fields
from dqmsquare.server.api_v1.parameters import Question
from dqmsquare.server.responses import problem
from dqmsquare.server.watched import Connection
from dqmsquare.storage import api_queries, host_queries
from dqmsquare.storage.rows import HostRow

_AGES_HOLD = timedelta(seconds=1)  # when a host was polled and seen is stored without an event

Status = Annotated[Literal["up", "down", "unknown"], "By cluster status; unknown is not down."]
_STATUS: dict[bool | None, Literal["up", "down", "unknown"]] = {True: "up", False: "down", None: "unknown"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterHost:
    """A host as it is known now."""

    host_id: str
    label: str
    is_configured: Annotated[bool, "Whether the mirror replicates it; others are known from cluster status only."]
    status: Status
    message: Annotated[str | None, "The reason, as cluster status tells it."]
    status_since: datetime | None
    status_seen_at: Annotated[datetime | None, "When cluster status last named it."]
    has_left: Annotated[bool, "Whether cluster status does not name it any more."]
    grabber_state: Annotated[str | None, "live, filling, backoff, auth or standby; null: never asked."]
    grabber_error: Annotated[str | None, "Kind of the error that polling it ends with."]
    polled_at: Annotated[datetime | None, "Last successful poll."]
    epoch: Annotated[int, "How often its numbering began anew, from 1; 0: never polled."]
    n_behind: Annotated[int, "Documents that are known of and not stored yet."]
    memory_used_bytes: Annotated[int | None, "Memory in use, cache included, bytes."]
    memory_total_bytes: Annotated[int | None, "All memory, bytes."]
    memory_available_bytes: Annotated[int | None, "What a new process could get, bytes."]
    disk_used_bytes: Annotated[int | None, "In use on its ramdisk, bytes."]
    disk_total_bytes: Annotated[int | None, "Size of its ramdisk, bytes."]
    disk_rename_percent: Annotated[float | None, "From here on the ramdisk's files are renamed, percent."]
    disk_delete_percent: Annotated[float | None, "From here on they are deleted, percent."]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostList:
    """The hosts of a cluster, by label: those that are configured, and those that cluster status named within a day."""

    hosts: tuple[ClusterHost, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusesQuestion(Question):
    """How many statuses at a time."""

    limit: Annotated[int, "Statuses in one answer.", {"minimum": 1, "maximum": 500}] = 50
    cursor: Annotated[str, "As in `next` of the answer before.", {"pattern": "^[0-9]{1,16}$"}] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """What cluster status said of a host for a while."""

    status: Status
    message: str | None
    since: datetime
    seen_at: Annotated[datetime, "When it was last told."]


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatusList:
    """The statuses of a host, newest first."""

    host_id: str
    label: str
    statuses: tuple[HostStatus, ...]
    next: Annotated[str | None, "Address of the next page; null where there are no more."]


def read_hosts(connection: Connection, asked: Asked) -> Found:
    """All hosts of the cluster."""
    hosts = tuple(_host(row) for row in host_queries.hosts_of_cluster(connection))
    return Found(HostList(hosts=hosts), asked.now + _AGES_HOLD)


def read_statuses(connection: Connection, asked: Asked) -> Found:
    """A page of a host's history. Raises a 404 where the cluster has no such host."""
    query: StatusesQuestion = asked.query
    host = api_queries.host(connection, asked.places["host_id"])
    if host is None:
        raise problem(404, "There is no such host.")
    before = cursor_instant(query.cursor) if query.cursor else None
    rows = api_queries.statuses_of_host(connection, host.host_id, query.limit + 1, before)
    statuses = tuple(
        HostStatus(**same_fields(row, HostStatus), status=_STATUS[row.is_up]) for row in rows[: query.limit]
    )
    cursor = instant_cursor(statuses[-1].since) if len(rows) > query.limit else None
    found = HostStatusList(host_id=host.host_id, label=host.label, statuses=statuses, next=asked.next_page(cursor))
    return Found(found, asked.now + _AGES_HOLD)


def _host(row: HostRow) -> ClusterHost:
    return ClusterHost(**same_fields(row, ClusterHost), status=_STATUS[row.is_up])
