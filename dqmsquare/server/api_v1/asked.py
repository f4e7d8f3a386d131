"""What a reader of the API is asked, and what it gives back."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from dqmsquare.server.site import Site

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)  # PostgreSQL's


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request that was found in order. `path` is the API's, below the prefix; `query` is of the operation's class."""

    site: Site
    cluster: str
    path: str
    places: dict[str, str]
    query: Any
    now: datetime

    @property
    def run(self) -> int:
        """The run in the path."""
        return int(self.places["run"])

    def next_page(self, cursor: str | None) -> str | None:
        """The address at which the list that was asked for goes on; None at its end."""
        if cursor is None:
            return None
        said = {field.name: getattr(self.query, field.name) for field in fields(self.query)}
        default = {field.name: field.default for field in fields(self.query)}
        kept = {name: value for name, value in said.items() if value != default[name] and name != "after"}
        words = {name: "true" if value is True else value for name, value in kept.items()}
        return self.site.url(self.path, **words | {"cursor": cursor})


@dataclass(frozen=True, slots=True)
class Found:
    """An answer. `holds_until`: the next instant at which the clock alone makes it wrong."""

    value: object
    holds_until: datetime | None = None


def same_fields(row: Any, kind: type) -> dict[str, Any]:
    """The values of those fields of `kind` that the row, a dataclass too, has under the same name."""
    return {name: getattr(row, name) for name in _shared_names(row.__class__, kind)}


@cache
def _shared_names(one: Any, other: Any) -> tuple[str, ...]:
    names = {field.name for field in fields(one)}
    return tuple(field.name for field in fields(other) if field.name in names)


def instant_cursor(instant: datetime) -> str:
    """An instant as part of a cursor, to the microsecond.

    >>> cursor_instant(instant_cursor(datetime(2026, 5, 1, 12, 0, 0, 1, tzinfo=UTC)))
    datetime.datetime(2026, 5, 1, 12, 0, 0, 1, tzinfo=datetime.timezone.utc)
    """
    return str((instant - _EPOCH) // _TICK)


def cursor_instant(text: str) -> datetime:
    """What instant_cursor was given."""
    return _EPOCH + int(text) * _TICK
