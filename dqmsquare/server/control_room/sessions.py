"""Sessions: begun at login with a new random value, ended by logging out, by time, or because the account changed."""

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from dqmsquare.storage import control_room_sessions as rows
from dqmsquare.storage.control_room_sessions import SessionRow
from dqmsquare.storage.engine import Database

_TOUCHED_AFTER = timedelta(seconds=15)  # not every request writes
_VALUE_BYTES = 32


@dataclass(frozen=True, slots=True)
class Terms:
    """How long sessions last: unused, in all, and the password that was given again."""

    idle: timedelta
    longest: timedelta
    step_up: timedelta


class Sessions:
    """The sessions of all replicas."""

    def __init__(self, database: Database, terms: Terms, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self.terms = terms

    def open(self, account: str, secret_stamp: str, *, login: str | None, dn_hash: str | None, address: str) -> str:
        """A new session; returns what goes into the cookie, which is kept nowhere. Raises StoreUnavailable."""
        now, value = self._clock(), secrets.token_urlsafe(_VALUE_BYTES)
        row = SessionRow(
            session_hash=_hash(value),
            account=account,
            secret_stamp=secret_stamp,
            login=login,
            dn_hash=dn_hash,
            address=address,
            created_at=now,
            seen_at=now,
            stepped_up_at=None,
        )
        with self._database.writing() as connection:
            rows.forget_sessions(connection, seen_before=now - self.terms.idle, created_before=now - self.terms.longest)
            rows.insert_session(connection, row)
        return value

    def find(self, value: str, *, is_used: bool) -> SessionRow | None:
        """The session that a cookie's value opens; None where there is none, or none any more.

        `is_used`: whether its owner does something, so that it is not idle. Raises StoreUnavailable.
        """
        if not value:
            return None
        now = self._clock()
        with self._database.reading() as connection:
            row = rows.find_session(connection, _hash(value))
        if row is None or self.ends_at(row) <= now:
            return None
        if is_used and now - row.seen_at > _TOUCHED_AFTER:
            with self._database.writing() as connection:
                rows.touch_session(connection, row.session_hash, now)
            return replace(row, seen_at=now)
        return row

    def ends_at(self, row: SessionRow) -> datetime:
        """When it ends unless it is used again."""
        return min(row.seen_at + self.terms.idle, row.created_at + self.terms.longest)

    def has_stepped_up(self, row: SessionRow) -> bool:
        """Whether the password was given again just now."""
        return row.stepped_up_at is not None and self._clock() - row.stepped_up_at < self.terms.step_up

    def step_up(self, row: SessionRow) -> None:
        """The password was given again."""
        with self._database.writing() as connection:
            rows.step_up_session(connection, row.session_hash, self._clock())

    def close(self, value: str) -> None:
        """Ends the session that a cookie's value opens."""
        with self._database.writing() as connection:
            rows.delete_session(connection, _hash(value))

    def close_all(self, account: str) -> int:
        """Ends every session of an account, wherever it was opened; returns how many there were."""
        with self._database.writing() as connection:
            return rows.delete_sessions_of(connection, account)


def _hash(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "replace")).hexdigest()
