"""Cluster status of the first mirror, a row for every host each 30 s for years: stored as what changed, and when."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import orjson
from sqlalchemy import (
    Boolean,
    Connection,
    DateTime,
    Select,
    Text,
    bindparam,
    case,
    cast,
    column,
    func,
    literal,
    or_,
    select,
)
from sqlalchemy.dialects.postgresql import JSON
from sqlalchemy.dialects.postgresql import insert as upsert

from dqmsquare.errors import DocumentRefused
from dqmsquare.identity import host_label
from dqmsquare.storage.first_mirror.clock import possible_instants
from dqmsquare.storage.first_mirror.conversion import RowReader
from dqmsquare.storage.first_mirror.source import hostnames, hoststatuses, seconds_of
from dqmsquare.storage.tables import host_statuses, hosts, status_checks

_MESSAGE_MAX = 500
_ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Interval:
    """A host's status from when it was first told to when it was last; `n_rows` of the first mirror say so."""

    host_id: str
    label: str
    since: datetime
    seen_at: datetime
    is_up: bool | None
    message: str | None
    n_rows: int

    def goes_on_in(self, other: "Interval") -> bool:
        """Whether the other says the same of the host: two messages may differ in what was scrubbed alone."""
        return (self.host_id, self.is_up, self.message) == (other.host_id, other.is_up, other.message)


def read_intervals(old_rows: Connection, reader: RowReader) -> Iterator[Interval]:
    """Host by host, in order of time; rows of no known host or time are in none of them."""
    rows = old_rows.execute(_CHANGES, execution_options={"yield_per": _ROWS_AT_A_TIME})
    last: Interval | None = None
    for row in rows:
        since, seen_at = (_instant(seconds, reader) for seconds in (row.first_seconds, row.last_seconds))
        if since is None or seen_at is None:
            continue
        host_id, message = reader.ids.host(row.name), _scrubbed(row.message, reader)
        interval = Interval(host_id, host_label(row.name), since, seen_at, row.is_up, message, row.n_rows)
        if last is not None and last.goes_on_in(interval):
            last = replace(last, seen_at=interval.seen_at, n_rows=last.n_rows + interval.n_rows)
            continue
        if last is not None:
            yield last
        last = interval
    if last is not None:
        yield last


def store_intervals(connection: Connection, intervals: Sequence[Interval], cluster: str) -> int:
    """How many were new or longer. While the mirror itself watched a host, its own rows stand."""
    if not intervals:
        return 0
    known = {i.host_id: {"host_id": i.host_id, "label": i.label, "is_configured": False} for i in intervals}
    connection.execute(upsert(hosts).values(list(known.values())).on_conflict_do_nothing())
    stored = connection.execute(_STORE, {"rows": _as_json(intervals)})
    newest = max(interval.seen_at for interval in intervals)
    check = upsert(status_checks).values(cluster=cluster, checked_at=newest)
    latest = func.greatest(status_checks.c.checked_at, check.excluded.checked_at)
    connection.execute(check.on_conflict_do_update(index_elements=["cluster"], set_={"checked_at": latest}))
    return len(stored.all())


def n_unknown(connection: Connection, intervals: Sequence[Interval]) -> int:
    """How many of them the mirror has neither as they are nor rows of its own for."""
    return int(connection.execute(_COUNT_UNKNOWN, {"rows": _as_json(intervals)}).scalar_one())


def _instant(seconds: float | None, reader: RowReader) -> datetime | None:
    """PostgreSQL's own time of the row: right as it is where the column has a time zone."""
    instants = [seconds] if reader.is_labelled else possible_instants(seconds, reader.clock, is_labelled=False)
    try:
        return datetime.fromtimestamp(instants[0], UTC) if instants and instants[0] is not None else None
    except (OverflowError, ValueError):
        return None


def _scrubbed(message: str | None, reader: RowReader) -> str | None:
    try:
        return None if message is None else reader.scrubber.scrub(message).text[:_MESSAGE_MAX]
    except DocumentRefused:
        return "[removed]"


def _as_json(intervals: Iterable[Interval]) -> str:
    return orjson.dumps([asdict(interval) for interval in intervals]).decode()


def _changes() -> Select[tuple[object, ...]]:
    """Stretches of rows that say the same of a host: each change begins one, and their numbers are their sum so far."""
    named = (
        select(hostnames.c.name, hoststatuses)
        .join(hostnames, hostnames.c.id == hoststatuses.c.host_id)
        .where(hostnames.c.name.is_not(None), hoststatuses.c.created_at.is_not(None))
        .subquery()
    )
    in_order = (named.c.created_at, named.c.id)
    before = [func.lag(c).over(partition_by=named.c.name, order_by=in_order) for c in (named.c.is_up, named.c.message)]
    changed = or_(named.c.is_up.is_distinct_from(before[0]), named.c.message.is_distinct_from(before[1]))
    marked = select(named, case((changed, 1), else_=0).label("begins")).subquery()
    number = func.sum(marked.c.begins).over(partition_by=marked.c.name, order_by=(marked.c.created_at, marked.c.id))
    numbered = select(marked, number.label("number")).subquery()
    same = (numbered.c.name, numbered.c.number, numbered.c.is_up, numbered.c.message)
    return (
        select(
            *same,
            func.min(seconds_of(numbered.c.created_at)).label("first_seconds"),
            func.max(seconds_of(numbered.c.created_at)).label("last_seconds"),
            func.count().label("n_rows"),
        )
        .group_by(*same)
        .order_by(numbered.c.name, numbered.c.number)
    )


_CHANGES = _changes()
_INSTANT = DateTime(timezone=True)
_GIVEN = (
    func.json_to_recordset(cast(bindparam("rows", type_=Text), JSON))
    .table_valued(
        column("host_id", Text),
        column("since", _INSTANT),
        column("seen_at", _INSTANT),
        column("is_up", Boolean),
        column("message", Text),
    )
    .render_derived(name="given", with_types=True)
)
_IS_OF_HOST = host_statuses.c.host_id == _GIVEN.c.host_id
_WATCHED = (  # a row that began before and still held then
    select(literal(1))
    .where(_IS_OF_HOST, host_statuses.c.since < _GIVEN.c.since, host_statuses.c.seen_at >= _GIVEN.c.since)
    .exists()
)
_NEXT = select(func.min(host_statuses.c.since)).where(_IS_OF_HOST, host_statuses.c.since > _GIVEN.c.since)
_NAMES = ["host_id", "since", "seen_at", "is_up", "message"]
_INSERT = upsert(host_statuses).from_select(
    _NAMES,
    select(
        _GIVEN.c.host_id,
        _GIVEN.c.since,
        func.least(_GIVEN.c.seen_at, _NEXT.scalar_subquery()),
        _GIVEN.c.is_up,
        _GIVEN.c.message,
    ).where(~_WATCHED),
)
_STORE = _INSERT.on_conflict_do_update(
    index_elements=["host_id", "since"],
    set_={"seen_at": _INSERT.excluded.seen_at},
    where=_INSERT.excluded.seen_at > host_statuses.c.seen_at,
).returning(host_statuses.c.host_id)
_COUNT_UNKNOWN = (
    select(func.count())
    .select_from(_GIVEN)
    .where(~_WATCHED, ~select(literal(1)).where(_IS_OF_HOST, host_statuses.c.since == _GIVEN.c.since).exists())
)
