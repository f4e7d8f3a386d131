"""Sessions of the Control Room, shared by all replicas. What the cookie holds is stored nowhere: its hash is."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from dqmsquare.storage.control_room_tables import control_room_sessions as sessions


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """A session. `secret_stamp` tells which password it was opened with, `stepped_up_at` when that was last given."""

    session_hash: str
    account: str
    secret_stamp: str
    login: str | None
    dn_hash: str | None
    address: str
    created_at: datetime
    seen_at: datetime
    stepped_up_at: datetime | None


def insert_session(connection: Connection, row: SessionRow) -> None:
    """A new session."""
    connection.execute(insert(sessions).values({name: getattr(row, name) for name in SessionRow.__slots__}))


def find_session(connection: Connection, session_hash: str) -> SessionRow | None:
    """The session with this hash. By the primary key."""
    row = connection.execute(select(sessions).where(sessions.c.session_hash == session_hash)).mappings().first()
    return SessionRow(**row) if row else None


def touch_session(connection: Connection, session_hash: str, seen_at: datetime) -> None:
    """Its owner has done something."""
    connection.execute(update(sessions).where(sessions.c.session_hash == session_hash).values(seen_at=seen_at))


def step_up_session(connection: Connection, session_hash: str, at: datetime) -> None:
    """Its owner has given the password again."""
    connection.execute(
        update(sessions).where(sessions.c.session_hash == session_hash).values(stepped_up_at=at, seen_at=at)
    )


def delete_session(connection: Connection, session_hash: str) -> None:
    """Its owner has logged out."""
    connection.execute(delete(sessions).where(sessions.c.session_hash == session_hash))


def delete_sessions_of(connection: Connection, account: str) -> int:
    """Ends all sessions of an account; returns how many there were."""
    return connection.execute(delete(sessions).where(sessions.c.account == account)).rowcount


def forget_sessions(connection: Connection, *, seen_before: datetime, created_before: datetime) -> None:
    """Clears out those that are over."""
    is_over = (sessions.c.seen_at < seen_before) | (sessions.c.created_at < created_before)
    connection.execute(delete(sessions).where(is_over))
