"""Numbers, sizes and times as people read them: the templates' filters. static/js/spans.js writes the same words."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

GENEVA = ZoneInfo("Europe/Zurich")
NOTHING = "–"
MINUTE, HOUR, DAY = 60, 3600, 86400
_UNITS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_ROUNDS_UP = 0.99995  # from here on one decimal shows the next unit: 999,950 reads 1.0 M, not 1000.0 k


def count(number: int | None) -> str:
    """A count in few characters.

    >>> count(343), count(600_600), count(999_960), count(2_140_000), count(None)
    ('343', '600.6 k', '1.0 M', '2.1 M', '–')
    """
    if number is None:
        return NOTHING
    for size, unit in _UNITS:
        if abs(number) >= size * _ROUNDS_UP:
            return f"{number / size:.1f} {unit}"
    return str(number)


def exact(number: int | None) -> str:
    """Every digit, with separators.

    >>> exact(600600)
    '600,600'
    """
    return NOTHING if number is None else f"{number:,}"


def rate(hertz: float | None) -> str:
    """A rate in Hz with one decimal; DQM² sends -1 before it has measured one.

    >>> rate(41.93), rate(-1.0), rate(None)
    ('41.9', '–', '–')
    """
    return NOTHING if hertz is None or hertz < 0 else f"{hertz:,.1f}"


def megabytes(n_bytes: float | None) -> str:
    """Bytes in units of 2**20, which everybody at P5 calls MB.

    >>> megabytes(3_915_382_784)
    '3,734'
    """
    return NOTHING if n_bytes is None else f"{n_bytes / 2**20:,.0f}"


def gigabytes(n_bytes: float | None) -> str:
    """Bytes in units of 2**30.

    >>> gigabytes(137_438_953_472)
    '128 GB'
    """
    return NOTHING if n_bytes is None else f"{n_bytes / 2**30:,.0f} GB"


def percent(part: float | None, whole: float | None) -> float | None:
    """How full something is, from 0 to 100; None where either number is missing.

    >>> percent(1, 8), percent(1, 0), percent(None, 8)
    (12.5, None, None)
    """
    if part is None or not whole or whole < 0 or part < 0:
        return None
    return min(100.0, round(100 * part / whole, 1))


def duration(seconds: float | None) -> str:
    """A span in the two largest units that matter.

    >>> duration(0.84), duration(28.4), duration(3361), duration(10920), duration(300000)
    ('0.8 s', '28 s', '56 min', '3 h 02 min', '3 d 11 h')
    """
    if seconds is None:
        return NOTHING
    if seconds < 10:  # below ten seconds a tenth tells something
        return f"{max(seconds, 0):.1f} s"
    whole = int(seconds)
    if whole < MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        return f"{whole // HOUR} h {whole % HOUR // MINUTE:02} min"
    return f"{whole // DAY} d {whole % DAY // HOUR} h"


def delay(seconds: float | None) -> str:
    """A delay of files in whole seconds.

    >>> delay(20.7), delay(None)
    ('21 s', '–')
    """
    return NOTHING if seconds is None else f"{seconds:.0f} s"


def iso(instant: datetime) -> str:
    """An instant for `<time datetime>`, in UTC.

    >>> iso(datetime(2022, 9, 15, 11, 52, 53, tzinfo=UTC))
    '2022-09-15T11:52:53Z'
    """
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def clock(instant: datetime, now: datetime) -> str:
    """The time in Geneva; on another day than today's, the day.

    >>> noon = datetime(2022, 9, 15, 11, 52, 53, tzinfo=UTC)
    >>> clock(noon, noon), clock(noon, datetime(2024, 1, 1, tzinfo=UTC))
    ('13:52:53', '15 Sep 2022')
    """
    there = instant.astimezone(GENEVA)
    if there.date() == now.astimezone(GENEVA).date():
        return there.strftime("%H:%M:%S")
    return f"{there.day} {there:%b %Y}"


def minute(instant: datetime) -> str:
    """Day and minute in Geneva.

    >>> minute(datetime(2022, 9, 5, 11, 52, 53, tzinfo=UTC))
    '5 Sep 2022, 13:52'
    """
    there = instant.astimezone(GENEVA)
    return f"{there.day} {there:%b %Y, %H:%M}"


def full_time(instant: datetime) -> str:
    """Day and time in Geneva and in UTC, for the hover.

    >>> full_time(datetime(2022, 9, 15, 11, 52, 53, tzinfo=UTC))
    '2022-09-15T13:52:53+02:00 · 2022-09-15T11:52:53Z'
    """
    return f"{geneva_time(instant)} · {iso(instant)}"


def geneva_time(instant: datetime) -> str:
    """Day and time in Geneva, with what it is ahead of UTC.

    >>> geneva_time(datetime(2022, 9, 15, 11, 52, 53, tzinfo=UTC))
    '2022-09-15T13:52:53+02:00'
    """
    return instant.astimezone(GENEVA).isoformat(timespec="seconds")


FILTERS = {
    "count": count,
    "exact": exact,
    "rate": rate,
    "megabytes": megabytes,
    "gigabytes": gigabytes,
    "duration": duration,
    "delay": delay,
    "iso": iso,
    "minute": minute,
    "full_time": full_time,
    "geneva_time": geneva_time,
}
