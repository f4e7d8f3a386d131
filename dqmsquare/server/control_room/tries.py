"""Slows down whoever guesses passwords: after some failures each further try must wait longer. Nobody is locked out.

Tries are counted per account and source, and per source; so no visitor can shut the shift crew out of its account.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from dqmsquare.storage.control_room_limits import (
    LimitRow,
    delete_limits,
    find_limits,
    forget_limits,
    put_limit,
)
from dqmsquare.storage.engine import Database

_LONGEST_WAIT_SECONDS = 900
_FORGOTTEN_AFTER = timedelta(days=2)


@dataclass(frozen=True, slots=True)
class Allowance:
    """`n_free` failures cost nothing; one of them is forgotten every `drain_seconds`."""

    n_free: int
    drain_seconds: float


BY_ACCOUNT = Allowance(n_free=5, drain_seconds=900)
BY_SOURCE = Allowance(n_free=20, drain_seconds=180)


class Tries:
    """Counts tries in the database, so that neither a restart nor another replica forgets them."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def begin(self, account: str, source: str) -> int:
        """Notes a try as failed; to be taken back by `succeed`. Seconds to wait where it is not allowed yet, else 0.

        `source` is the front-end's DN or an address. Raises StoreUnavailable.
        """
        allowances = _buckets(account, source)
        with self._database.writing() as connection:
            found = find_limits(connection, list(allowances))
            now = self._clock()  # not sooner: this waited for whoever tries at the same time
            # Without a wait wait_until is the time of the failure, by the clock of whichever replica noted it.
            waits = [row.wait_until - now for row in found.values() if row.wait_until > row.failed_at]
            wait = max(waits, default=timedelta())
            if wait > timedelta():
                return int(wait.total_seconds()) + 1
            for bucket, allowance in allowances.items():
                put_limit(connection, _failed(bucket, found.get(bucket), allowance, now))
            forget_limits(connection, now - _FORGOTTEN_AFTER)
        return 0

    def succeed(self, account: str, source: str) -> None:
        """The password was right. Raises StoreUnavailable."""
        now = self._clock()
        by_account, by_source = _buckets(account, source)
        with self._database.writing() as connection:
            delete_limits(connection, [by_account])
            row = find_limits(connection, [by_source]).get(by_source)
            if row is not None:
                n_failed = max(0.0, row.n_failed - 1)
                put_limit(connection, LimitRow(bucket=by_source, n_failed=n_failed, failed_at=now, wait_until=now))


def _buckets(account: str, source: str) -> dict[str, Allowance]:
    """Hashes: an account that nobody has may be anything, and an address is nobody's business here."""
    return {_hash(f"account|{account}|{source}"): BY_ACCOUNT, _hash(f"source|{source}"): BY_SOURCE}


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]


def _failed(bucket: str, row: LimitRow | None, allowance: Allowance, now: datetime) -> LimitRow:
    left = 0.0
    if row is not None:
        left = max(0.0, row.n_failed - (now - row.failed_at).total_seconds() / allowance.drain_seconds)
    n_failed = left + 1
    beyond = n_failed - allowance.n_free
    wait_seconds = min(2.0 ** min(beyond, 20), _LONGEST_WAIT_SECONDS) if beyond > 0 else 0.0
    wait_until = now + timedelta(seconds=wait_seconds)
    return LimitRow(bucket=bucket, n_failed=n_failed, failed_at=now, wait_until=wait_until)
