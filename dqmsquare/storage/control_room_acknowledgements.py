"""Who has acknowledged an alarm, for everybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, literal, select
from sqlalchemy.dialects.postgresql import insert

from dqmsquare.storage.changes import publish
from dqmsquare.storage.control_room_tables import acknowledgements
from dqmsquare.storage.tables import alarms


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Who, and when."""

    account: str
    acknowledged_at: datetime


def acknowledge(connection: Connection, alarm_key: str, account: str) -> bool:
    """Whether there is such an alarm. The first who acknowledges it stays; open pages are told.

    To be the last statements of a transaction.
    """
    alarm = select(alarms.c.alarm_key, literal(account), func.clock_timestamp()).where(alarms.c.alarm_key == alarm_key)
    columns = ["alarm_key", "account", "acknowledged_at"]
    statement = insert(acknowledgements).from_select(columns, alarm).on_conflict_do_nothing()
    if connection.execute(statement).rowcount:
        publish(connection, alarms=[alarm_key])
        return True
    return acknowledged(connection, [alarm_key]) != {}


def acknowledged(connection: Connection, alarm_keys: Sequence[str]) -> dict[str, Acknowledgement]:
    """Those of the alarms that somebody has acknowledged. By the primary key."""
    statement = select(acknowledgements).where(acknowledgements.c.alarm_key.in_(alarm_keys))
    rows = connection.execute(statement)
    return {row.alarm_key: Acknowledgement(row.account, row.acknowledged_at) for row in rows}
