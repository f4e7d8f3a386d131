"""Raises and resolves alarms: the row, its place in the webhook's outbox and its announcement in one transaction."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, Function, delete, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dqmsquare.alarm_names import Rule, alarm_key
from dqmsquare.storage.changes import publish
from dqmsquare.storage.tables import alarms, webhook_outbox

_WORDS_MAX = 500
_OUTBOX_KEPT_DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAlarm:
    """An alarm as a rule finds it. `subject` may have one open alarm of the rule; `begin` tells two occurrences apart.

    `words` is one line for people, with nothing in it that may not leave Point 5.
    """

    rule: Rule
    subject: str
    begin: str = ""
    words: str
    run: int | None = None
    job_id: str | None = None
    host_id: str | None = None

    def key(self, cluster: str) -> str:
        """What the alarm is stored by."""
        return alarm_key(cluster, self.rule, self.subject, self.begin)


def raise_alarms(
    connection: Connection, cluster: str, found: Sequence[NewAlarm], *, is_queued: bool, resolved: Collection[str] = ()
) -> list[str]:
    """Stores those that are not there yet, and marks the keys `resolved` as over; returns the keys of the new ones.

    `is_queued`: whether the webhook is to be told. To be the last statements of the caller's transaction. May be run
    by several at once: an alarm whose key is there, or whose subject has an open one, is passed over.
    """
    over = _resolve(connection, resolved)
    new = _insert(connection, {alarm.key(cluster): alarm for alarm in found})
    if new and is_queued:
        rows = [
            {"alarm_key": key, "queued_at": func.now(), "n_tries": 0, "not_before": func.clock_timestamp()}
            for key in new
        ]
        connection.execute(insert(webhook_outbox).values(rows).on_conflict_do_nothing())
    publish(connection, alarms=[*over, *new])
    return new


def forget_old_alarms(connection: Connection, retention_days: int) -> int:
    """Clears out alarms that have been over for `retention_days`, and the outbox after a week.

    Returns how many of these never went out: nobody wants to be told after a week.
    """
    connection.execute(delete(alarms).where(alarms.c.resolved_at < func.now() - _days(retention_days)))
    old = webhook_outbox.c.queued_at < func.now() - _days(_OUTBOX_KEPT_DAYS)
    gone = connection.execute(delete(webhook_outbox).where(old).returning(webhook_outbox.c.sent_at)).scalars()
    return sum(1 for sent_at in gone if sent_at is None)


def _days(days: int) -> Function[Any]:
    return func.make_interval(0, 0, 0, days)


def _resolve(connection: Connection, keys: Collection[str]) -> list[str]:
    if not keys:
        return []
    standing = (alarms.c.alarm_key == func.any(sorted(keys))) & alarms.c.resolved_at.is_(None)
    statement = update(alarms).where(standing).values(resolved_at=func.now()).returning(alarms.c.alarm_key)
    return list(connection.execute(statement).scalars())


def _insert(connection: Connection, found: dict[str, NewAlarm]) -> list[str]:
    if not found:
        return []
    known = set(
        connection.execute(select(alarms.c.alarm_key).where(alarms.c.alarm_key == func.any(sorted(found)))).scalars()
    )
    # In one order, so that two that store the same alarms do not wait for each other in a circle.
    rows = [_row(key, found[key]) for key in sorted(found) if key not in known]
    if not rows:
        return []
    statement = insert(alarms).values(rows).on_conflict_do_nothing().returning(alarms.c.alarm_key)
    return list(connection.execute(statement).scalars())


def _row(key: str, alarm: NewAlarm) -> dict[str, object]:
    columns = {name: value for name, value in asdict(alarm).items() if name != "begin"}
    return columns | {"alarm_key": key, "words": alarm.words[:_WORDS_MAX], "raised_at": func.now()}
