"""The newest lists that DQM² gave (a machine's clients, the runs that can be played), shared by all replicas."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select
from sqlalchemy.dialects.postgresql import insert

from dqmsquare.storage.control_room_tables import control_room_lists as lists


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRow:
    """`items` as they were stored: lists, texts, numbers."""

    items: list[Any]
    listed_at: datetime


def put_list(connection: Connection, kind: str, subject: str, row: ListRow) -> None:
    """The newest list of its kind; `subject` is a machine's public id, or ""."""
    statement = insert(lists).values(kind=kind, subject=subject, items=row.items, listed_at=row.listed_at)
    changed = {"items": statement.excluded["items"], "listed_at": statement.excluded.listed_at}
    connection.execute(statement.on_conflict_do_update(index_elements=["kind", "subject"], set_=changed))


def find_list(connection: Connection, kind: str, subject: str) -> ListRow | None:
    """The newest list of its kind. By the primary key."""
    statement = select(lists.c["items"], lists.c.listed_at).where(lists.c.kind == kind, lists.c.subject == subject)
    row = connection.execute(statement).first()
    return ListRow(items=row[0], listed_at=row[1]) if row else None
