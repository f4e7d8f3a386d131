"""Alarms as the API tells of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from dqmsquare.server.alarm_view import alarm_line
from dqmsquare.server.api_v1.asked import Asked, Found, cursor_instant, instant_cursor, same_fields
from dqmsquare.server.api_v1.jobs import Host
from dqmsquare.server.api_v1.parameters import Question
from dqmsquare.server.watched import Connection
from dqmsquare.storage.api_queries import ListedAlarm, list_alarms


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmsQuestion(Question):
    """Which alarms, and how many at a time."""

    standing: Annotated[bool, "Only those that are not over."] = False
    limit: Annotated[int, "Alarms in one answer.", {"minimum": 1, "maximum": 500}] = 50
    cursor: Annotated[
        str, "As in `next` of the answer before.", {"pattern": "^[0-9]{1,16}~[A-Za-z0-9_./-]{1,300}$"}
    ] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm; what it is about is null where it is about none."""

    key: Annotated[str, "The same fact has the same key."]
    rule: Annotated[str, "Its name, as in Prometheus: JobCrashed, HostDown, …"]
    title: Annotated[str, "The rule's name for people."]
    words: Annotated[str, "What happened, in a sentence."]
    run: int | None
    job_id: str | None
    host: Host | None
    url: Annotated[str, "The page that shows what it is about."]
    raised_at: datetime
    resolved_at: Annotated[datetime | None, "Null while it stands."]


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmList:
    """Alarms, the one that was raised last first."""

    alarms: tuple[Alarm, ...]
    next: Annotated[str | None, "Address of the next page; null where there are no more."]


def read_alarms(connection: Connection, asked: Asked) -> Found:
    """A page of the list."""
    query: AlarmsQuestion = asked.query
    instant, _, key = query.cursor.partition("~")
    before = (cursor_instant(instant), key) if query.cursor else None
    rows = list_alarms(connection, query.limit + 1, before, standing_only=query.standing)
    last = rows[query.limit - 1].alarm if len(rows) > query.limit else None
    cursor = None if last is None else f"{instant_cursor(last.raised_at)}~{last.alarm_key}"
    alarms = tuple(_alarm(row, asked) for row in rows[: query.limit])
    return Found(AlarmList(alarms=alarms, next=asked.next_page(cursor)))


def _alarm(listed: ListedAlarm, asked: Asked) -> Alarm:
    row, line = listed.alarm, alarm_line(listed.alarm, asked.cluster)
    return Alarm(
        **same_fields(row, Alarm),
        key=row.alarm_key,
        title=line.title,
        host=None if row.host_id is None else Host(host_id=row.host_id, label=listed.host_label or ""),
        url=asked.site.config.server_url_prefix + line.path,
    )
