"""Questions about `changes`: what the servers' listeners read."""

from sqlalchemy import Connection, func, select

from dqmsquare.storage.rows import Change
from dqmsquare.storage.tables import changes, identity

_CHANGES_MAX = 10_000
# Built once: to spell the question out takes as long as PostgreSQL takes to answer it.
_POSITION = select(
    identity.c.database_id, select(func.coalesce(func.max(changes.c.change_id), 0)).scalar_subquery().label("newest")
)


def database_id(connection: Connection) -> str:
    """A few characters that tell this database from any other, as the first part of event ids."""
    return str(connection.execute(select(identity.c.database_id)).scalar_one())


def newest_change_id(connection: Connection) -> int:
    """The id of the newest change; 0 where there never was one. By changes' primary key."""
    return int(connection.execute(select(func.coalesce(func.max(changes.c.change_id), 0))).scalar_one())


def position(connection: Connection) -> tuple[str, int]:
    """Both, in one round trip: every answer that is made begins with this question."""
    row = connection.execute(_POSITION).one()
    return row.database_id, row.newest


def oldest_change_id(connection: Connection) -> int:
    """The id of the oldest change that is still kept; 0 where there is none. By changes' primary key."""
    return int(connection.execute(select(func.coalesce(func.min(changes.c.change_id), 0))).scalar_one())


def changes_after(connection: Connection, change_id: int) -> list[Change]:
    """What came after `change_id`, in order. By changes' primary key."""
    statement = (
        select(*(changes.c[name] for name in Change.__slots__))
        .where(changes.c.change_id > change_id)
        .order_by(changes.c.change_id)
        .limit(_CHANGES_MAX)
    )
    return [Change(**row) for row in connection.execute(statement).mappings()]
