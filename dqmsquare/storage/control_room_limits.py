"""How often somebody has failed lately, and until when the next try must wait. A restart forgets nothing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select
from sqlalchemy.dialects.postgresql import insert

from dqmsquare.storage.control_room_tables import control_room_limits as limits


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRow:
    """`n_failed` is what had not drained at `failed_at`."""

    bucket: str
    n_failed: float
    failed_at: datetime
    wait_until: datetime


def find_limits(connection: Connection, buckets: list[str]) -> dict[str, LimitRow]:
    """Those of the buckets that have failed lately, locked until the transaction's end. By the primary key."""
    statement = select(limits).where(limits.c.bucket.in_(buckets)).order_by(limits.c.bucket).with_for_update()
    return {row["bucket"]: LimitRow(**row) for row in connection.execute(statement).mappings()}


def put_limit(connection: Connection, row: LimitRow) -> None:
    """The bucket as it is now."""
    statement = insert(limits).values({name: getattr(row, name) for name in LimitRow.__slots__})
    changed = {name: statement.excluded[name] for name in LimitRow.__slots__ if name != "bucket"}
    connection.execute(statement.on_conflict_do_update(index_elements=["bucket"], set_=changed))


def delete_limits(connection: Connection, buckets: list[str]) -> None:
    """These have succeeded."""
    connection.execute(delete(limits).where(limits.c.bucket.in_(buckets)))


def forget_limits(connection: Connection, failed_before: datetime) -> None:
    """Clears out what has drained."""
    connection.execute(delete(limits).where(limits.c.failed_at < failed_before))
