"""The audit's rows: inserted, never changed. An action has one before it is sent and one at its end, joined by id.

The row before is also the lock: while an action on a machine has no end, no other begins there, whichever replica is
asked; and one whose server died ends by time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Subquery, and_, case, delete, func, insert, select
from sqlalchemy.sql.selectable import NamedFromClause

from dqmsquare.storage import locks
from dqmsquare.storage.control_room_tables import audit

ACTIONS_MAX = 5_000
_EQUAL = ("account", "command", "result", "cluster", "host_id", "action_id")
_NO_END = "no answer was noted: the server ended before it came"


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """Who did or tried what, from where. `host_id` is a machine's public id, `parameters` hold no machine's name."""

    action_id: str
    account: str
    login: str | None
    dn_hash: str | None
    address: str
    command: str
    host_id: str | None
    cluster: str | None
    parameters: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionRow(AuditEntry):
    """An action as its rows tell it. `result`: sent, or how it ended; `seconds` from sending to the end."""

    audit_id: int
    at: datetime
    result: str
    detail: str
    seconds: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionFilter:
    """What an action must be to be listed; None and "" take any.

    `before` is an audit_id, for the next page; `without` are commands that are left out.
    """

    account: str = ""
    command: str = ""
    result: str = ""
    cluster: str = ""
    host_id: str = ""
    action_id: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    without: tuple[str, ...] = ()


def insert_begun(connection: Connection, entry: AuditEntry, *, unknown_after_seconds: float) -> bool:
    """Whether the action may be sent: its row is written unless another one on its machine has not ended."""
    if entry.host_id is not None:
        locks.lock_for_transaction(connection, locks.machine_lock(entry.host_id))
        if _runs_on(connection, entry.host_id, unknown_after_seconds):
            return False
    _insert(connection, entry, "begun", None, "", None)
    return True


def insert_ended(connection: Connection, entry: AuditEntry, result: str, detail: str, seconds: float) -> None:
    """The action's end."""
    _insert(connection, entry, "ended", result, detail, seconds)


def insert_whole(connection: Connection, entry: AuditEntry, result: str, detail: str) -> None:
    """What is told in one row: a try that was rejected, a login."""
    _insert(connection, entry, "whole", result, detail, None)


def find_actions(
    connection: Connection, wanted: ActionFilter, limit: int, *, unknown_after_seconds: float
) -> list[ActionRow]:
    """Actions, newest first. By the primary key and audit_action."""
    actions = _actions(unknown_after_seconds)
    equal = {name: getattr(wanted, name) for name in _EQUAL if getattr(wanted, name)}
    conditions: list[ColumnElement[bool]] = [actions.c[name] == value for name, value in equal.items()]
    if wanted.since is not None:
        conditions.append(actions.c.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(actions.c.at < wanted.until)
    if wanted.before is not None:
        conditions.append(actions.c.audit_id < wanted.before)
    if wanted.without:
        conditions.append(actions.c.command.not_in(wanted.without))
    statement = select(actions).where(*conditions).order_by(actions.c.audit_id.desc())
    rows = connection.execute(statement.limit(min(limit, ACTIONS_MAX))).mappings()
    return [ActionRow(**row) for row in rows]


def forget_old_actions(connection: Connection, retention_days: int) -> None:
    """Clears out what is older; the owner's role alone may."""
    connection.execute(delete(audit).where(audit.c.at < func.now() - func.make_interval(0, 0, 0, retention_days)))


def _insert(
    connection: Connection, entry: AuditEntry, stage: str, result: str | None, detail: str, seconds: float | None
) -> None:
    columns: dict[str, Any] = {name: getattr(entry, name) for name in AuditEntry.__slots__}
    columns |= {"stage": stage, "at": func.clock_timestamp(), "result": result, "detail": detail, "seconds": seconds}
    connection.execute(insert(audit).values(columns | {"parameters": dict(entry.parameters)}))


def _runs_on(connection: Connection, host_id: str, unknown_after_seconds: float) -> bool:
    ended = audit.alias("ended")
    is_open = (audit.c.stage == "begun") & ended.c.audit_id.is_(None) & ~_is_late(unknown_after_seconds)
    statement = select(audit.c.audit_id).outerjoin(ended, _is_end(ended)).where(audit.c.host_id == host_id, is_open)
    return connection.execute(statement.limit(1)).first() is not None


def _actions(unknown_after_seconds: float) -> Subquery:
    """Each action as one row. One without an end counts as sent for a while; then nobody knows its effect."""
    ended = audit.alias("ended")
    open_result = case((_is_late(unknown_after_seconds), "unknown"), else_="sent")
    open_detail = case((_is_late(unknown_after_seconds) & (audit.c.stage == "begun"), _NO_END), else_="")
    return (
        select(
            *(audit.c[name] for name in (*AuditEntry.__slots__, "audit_id", "at")),
            func.coalesce(audit.c.result, ended.c.result, open_result).label("result"),
            func.coalesce(func.nullif(audit.c.detail, ""), ended.c.detail, open_detail).label("detail"),
            ended.c.seconds,
        )
        .outerjoin(ended, _is_end(ended))
        .where(audit.c.stage != "ended")
        .subquery("actions")
    )


def _is_end(ended: NamedFromClause[Any]) -> ColumnElement[bool]:
    return and_(ended.c.action_id == audit.c.action_id, ended.c.stage == "ended")


def _is_late(unknown_after_seconds: float) -> ColumnElement[bool]:
    return audit.c.at <= func.clock_timestamp() - timedelta(seconds=unknown_after_seconds)
