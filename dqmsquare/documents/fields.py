"""Reads raw values one by one: what is not of the form it should be is None and counted, and nothing raises."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from dqmsquare.scrub import clean_text

EARLIEST = datetime(2008, 1, 1, tzinfo=UTC).timestamp()  # before the LHC nothing ran
FUTURE_ALLOWED_SECONDS = 86_400
CLOCK_TOLERANCE = timedelta(minutes=5)
MAX_RUN = 9_999_999
MAX_LUMI = 100_000
MAX_BIGINT = 2**63 - 1
MAX_ENTRIES = 20_000
CLOCK_FLAG = "clock"

_INTEGER = re.compile(r"[+-]?[0-9]{1,18}", re.ASCII)
_NUMBER = re.compile(r"[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
_SIZE = re.compile(r"([0-9]{1,15})\s{0,20}(|B|kB|MB|GB)", re.ASCII)
_Value = TypeVar("_Value")
_UNITS = {"": 1, "B": 1, "kB": 1024, "MB": 1024**2, "GB": 1024**3}


def integer(value: object) -> int | None:
    """An int, an integral float or the text of one; booleans are none (boost writes every number as text).

    >>> integer("+12"), integer(3.0), integer(True), integer("1e3"), integer(float("nan"))
    (12, 3, None, None, None)
    """
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if abs(value) <= MAX_BIGINT else None
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) < MAX_BIGINT else None
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        return int(value)
    return None


def number(value: object) -> float | None:
    """A finite float.

    >>> number("0.51"), number(2), number("1e999"), number("nan"), number("")
    (0.51, 2.0, None, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        return None
    try:
        result = float(value)
    except OverflowError:  # an int of four hundred digits
        return None
    return result if math.isfinite(result) else None


def size_bytes(value: object, default_unit: str = "B") -> int | None:
    """Bytes from a number or from text with a unit.

    >>> size_bytes("362744 kB"), size_bytes(5, "kB"), size_bytes("12 apples")
    (371453952, 5120, None)
    """
    count, unit = integer(value), default_unit
    if count is None and isinstance(value, str) and (match := _SIZE.fullmatch(value.strip())):
        count, unit = int(match[1]), match[2] or default_unit
    if count is None or count < 0 or count * _UNITS[unit] > MAX_BIGINT:
        return None
    return count * _UNITS[unit]


def latest_seconds(received_at: datetime) -> float:
    """Seconds since 1970 from which on a time is none: a day after it was told."""
    return received_at.timestamp() + FUTURE_ALLOWED_SECONDS


def plausible_seconds(value: object, received_at: datetime) -> float | None:
    """Seconds since 1970 of a time after 2008 and before tomorrow."""
    seconds = number(value)
    return seconds if seconds is not None and EARLIEST < seconds < latest_seconds(received_at) else None


@dataclass(slots=True)
class Tally:
    """What the readers of one document noticed."""

    n_errors: int = 0
    flags: set[str] = field(default_factory=set)


class FieldReader:
    """Typed reading of a raw mapping. A field that is absent or null is None; one that is bad is None and counted."""

    def __init__(self, raw: object, received_at: datetime, tally: Tally | None = None) -> None:
        self.tally = tally if tally is not None else Tally()
        self.received_at = received_at
        self._raw: Mapping[object, object] = raw if isinstance(raw, Mapping) else {}

    def raw(self, name: str) -> object:
        return self._raw.get(name)

    def has(self, name: str) -> bool:
        return self._raw.get(name) is not None

    def error(self) -> None:
        self.tally.n_errors += 1

    def inner(self, name: str) -> "FieldReader":
        """Reads a mapping within this one and counts with it."""
        return FieldReader(self.mapping(name), self.received_at, self.tally)

    def mapping(self, name: str) -> Mapping[object, object]:
        value = self._raw.get(name)
        if isinstance(value, Mapping):
            return value
        self._count(name, None)
        return {}

    def sequence(self, name: str) -> list[object]:
        value = self._raw.get(name)
        if isinstance(value, list | tuple):
            return list(value)
        self._count(name, None)
        return []

    def integer(self, name: str, low: int = 0, high: int = MAX_BIGINT) -> int | None:
        value = integer(self._raw.get(name))
        return self._count(name, value if value is not None and low <= value <= high else None)

    def number(self, name: str, low: float = -math.inf, high: float = math.inf) -> float | None:
        value = number(self._raw.get(name))
        return self._count(name, value if value is not None and low <= value <= high else None)

    def size_bytes(self, name: str, default_unit: str = "B") -> int | None:
        return self._count(name, size_bytes(self._raw.get(name), default_unit))

    def run(self, name: str = "run") -> int | None:
        return self.integer(name, 1, MAX_RUN)

    def lumi(self, name: str) -> int | None:
        return self.integer(name, 0, MAX_LUMI)

    def text(self, name: str, grammar: re.Pattern[str]) -> str | None:
        """The text if the whole of it, cleaned, follows the grammar."""
        value = self._raw.get(name)
        cleaned = clean_text(value).strip() if isinstance(value, str) and len(value) <= 1000 else None
        return self._count(name, cleaned if cleaned is not None and grammar.fullmatch(cleaned) else None)

    def instant(self, name: str) -> datetime | None:
        """A time; one that cannot be sets the flag "clock", and so does one more than 5 min ahead of us."""
        value = self._raw.get(name)
        seconds = plausible_seconds(value, self.received_at)
        result = None if seconds is None else datetime.fromtimestamp(seconds, UTC)
        is_a_number = number(value) is not None or isinstance(value, float)  # NaN and 1e18 are of a clock too
        if (result is None and is_a_number) or (result is not None and result > self.received_at + CLOCK_TOLERANCE):
            self.tally.flags.add(CLOCK_FLAG)
        return self._count(name, result)

    def _count(self, name: str, value: _Value | None) -> _Value | None:
        if value is None and self._raw.get(name) is not None:
            self.error()
        return value
