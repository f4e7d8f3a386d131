"""One rendered answer: its bytes, their compressed forms, and until when they hold."""

import copy
import gzip
import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import zstandard

EventId = str  # "<database id>-<change id>"

_GZIP_LEVEL = 9  # once per change: a page of 90 KB takes 1 ms, and is 5 % smaller than at level 5
_ZSTD_LEVEL = 6
_LARGE_BYTES = 200 * 1024  # from here on whoever asked first waits for it: 1,000 runs take 105 ms at level 9, 7 at 2
_GZIP_LEVEL_LARGE = 2
_ZSTD_LEVEL_LARGE = 1
_HOLDS_AT_LEAST = timedelta(seconds=1)


def event_id(database_id: str, change_id: int) -> EventId:
    """The id under which a change is announced.

    >>> event_id("5ba1c0de", 12)
    '5ba1c0de-12'
    """
    return f"{database_id}-{change_id}"


def change_of(event: EventId | None, database_id: str) -> int | None:
    """The change's number in an event id; None where it is no id, or one of another database.

    >>> change_of("5ba1c0de-12", "5ba1c0de"), change_of("5ba1c0de-12", "0"), change_of("x", "0")
    (12, None, None)
    """
    name, _, number = (event or "").rpartition("-")
    is_number = number.isascii() and number.isdecimal() and len(number) < 19  # a bigint of PostgreSQL
    return int(number) if name == database_id and is_number else None


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a `make` function returns. `holds_until`: the next instant at which the clock alone makes it wrong.

    `is_shown`: whether the open pages are told when that instant has come; programs that ask need not be.
    """

    body: bytes
    content_type: str
    holds_until: datetime | None = None
    is_shown: bool = True


class Snapshot:
    """A kept answer. `stale_since` is set where it is served because the database has been gone since then."""

    def __init__(
        self, rendered: Rendered, database_id: str, change_id: int, *, made_at: datetime | None = None
    ) -> None:
        self.body = rendered.body
        self.content_type = rendered.content_type
        self.holds_until = rendered.holds_until
        self.is_shown = rendered.is_shown
        if made_at and self.holds_until:
            # Clocks that differ must not make an answer that is wrong at once, again and again.
            self.holds_until = max(self.holds_until, made_at + _HOLDS_AT_LEAST)
        self.database_id = database_id
        self.change_id = change_id
        self.is_wrong = False
        self.stale_since: datetime | None = None

    @property
    def size(self) -> int:
        """About what it takes in memory, in bytes."""
        return 2 * len(self.body) + 1_000

    @property
    def event_id(self) -> EventId:
        """The newest change that is surely in it."""
        return event_id(self.database_id, self.change_id)

    @cached_property
    def etag(self) -> str:
        """Weak, since the compressed forms share it."""
        return f'W/"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    @cached_property
    def gzip(self) -> bytes:
        """The body, compressed once."""
        level = _GZIP_LEVEL if len(self.body) < _LARGE_BYTES else _GZIP_LEVEL_LARGE
        return gzip.compress(self.body, level, mtime=0)

    @cached_property
    def zstd(self) -> bytes:
        """The body, compressed once."""
        level = _ZSTD_LEVEL if len(self.body) < _LARGE_BYTES else _ZSTD_LEVEL_LARGE
        return zstandard.ZstdCompressor(level=level).compress(self.body)

    def has_expired(self, now: datetime) -> bool:
        """Whether the clock has made it wrong and that has not been noted yet."""
        return not self.is_wrong and self.holds_until is not None and self.holds_until <= now

    def is_of(self, database_id: str, change_id: int) -> bool:
        """Whether it was made at this very change, so that making it anew would give the same."""
        return not self.is_wrong and (self.database_id, self.change_id) == (database_id, change_id)

    def marked_wrong(self) -> "Snapshot":
        """A copy that is only good for when the database is gone."""
        wrong = copy.copy(self)
        wrong.is_wrong = True
        return wrong

    def stale(self, since: datetime) -> "Snapshot":
        """A copy that says it is served for want of a database."""
        stale = copy.copy(self)
        stale.stale_since = since
        return stale
