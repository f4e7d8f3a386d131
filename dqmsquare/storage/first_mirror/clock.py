"""Which instant a time of the first mirror's stands for: it stored what its server's clock showed as Geneva's time.

Two instants may have left the same time: the hour that comes twice in October, and for a clock in UTC the one that
Geneva leaves out in March. Then other times that came with the row decide.
"""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

GENEVA = ZoneInfo("Europe/Zurich")
CLOCKS = ("Europe/Zurich", "UTC")  # of the machines it has run on: P5's way, and a container's default
NO_TIME = datetime(2012, 3, 3, 10, 10, 10)  # noqa: DTZ001  (what its clock "showed" where a document had no time)

_HOUR = timedelta(hours=1)
_SLACK_SECONDS = 5.0  # a log's last line may be written while the report is made
_FAR_SECONDS = 1800.0  # from a run's start as told to the one that follows from its first file
_LATEST = datetime(2200, 1, 1, tzinfo=UTC).timestamp()
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: number for number, name in enumerate(_NAMES, 1)}
_LOG_TIME = re.compile(r"([0-9]{2})-([A-Z][a-z]{2})-([0-9]{4}) ([0-9]{2}):([0-9]{2}):([0-9]{2}) (CES?T)\b")


def possible_instants(seconds: float | None, clock: ZoneInfo, *, is_labelled: bool = True) -> list[float]:
    """The instants (s since 1970) that may have been stored as `seconds`, the likeliest first; none if it is no time.

    `is_labelled`: the column has a time zone; otherwise `seconds` count as if the clock had been in UTC.
    """
    if seconds is None or not 0 < seconds < _LATEST:
        return []
    stored = datetime.fromtimestamp(seconds, UTC)
    shown = stored.astimezone(GENEVA).replace(tzinfo=None, fold=0) if is_labelled else stored.replace(tzinfo=None)
    if shown == NO_TIME:
        return []
    times = [time for time in (shown, shown - _HOUR, shown + _HOUR) if stored in _labelled(time)] if is_labelled else []
    found = {instant.timestamp() for time in times or [shown] for instant in _shown_as(time, clock)}
    return sorted(found, key=lambda instant: (instant != seconds, instant))


def _labelled(shown: datetime) -> set[datetime]:
    """What a clock's time becomes as Geneva's, whichever of two hours it is taken for."""
    return {shown.replace(tzinfo=GENEVA, fold=fold).astimezone(UTC) for fold in (0, 1)}


def _shown_as(shown: datetime, clock: ZoneInfo) -> set[datetime]:
    """The instants at which a clock shows a time."""
    instants = {shown.replace(tzinfo=clock, fold=fold).astimezone(UTC) for fold in (0, 1)}
    return {at for at in instants if at.astimezone(clock).replace(tzinfo=None, fold=0) == shown} or instants


def reported_instant(instants: Sequence[float], log: str) -> tuple[float | None, bool]:
    """The instant of a report, and whether it is in doubt: of several, the first not before the log's last line."""
    if len(instants) < 2:
        return (instants[0] if instants else None), False
    last_line = last_logged(log)
    if last_line is None or last_line < min(instants) - _FAR_SECONDS:
        return instants[0], True
    following = [instant for instant in sorted(instants) if instant >= last_line - _SLACK_SECONDS]
    return (following[0], False) if following else (instants[0], True)


def last_logged(log: str) -> float | None:
    """When the last line with a time was written (s since 1970): CMSSW says which of two hours it was."""
    found = _LOG_TIME.findall(log, max(0, len(log) - 8000))
    if not found or found[-1][1] not in _MONTHS:
        return None
    day, month, year, hour, minute, second, zone = found[-1]
    try:
        shown = datetime(int(year), _MONTHS[month], int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return shown.timestamp() - (7200 if zone == "CEST" else 3600)


def measured_clock(starts: Iterable[tuple[float, float]]) -> tuple[str | None, dict[str, int]]:
    """The zone that most runs speak for, and how many for each; None where no run says anything.

    `starts`: a run's start as stored, and the one that follows from its first file, whose time no clock came between.
    """
    votes = dict.fromkeys(CLOCKS, 0)
    for stored, expected in starts:
        near = [name for name in CLOCKS if _is_near(possible_instants(stored, ZoneInfo(name)), expected)]
        if len(near) == 1:
            votes[near[0]] += 1
    best = max(CLOCKS, key=lambda name: votes[name])
    return (best if votes[best] else None), votes


def _is_near(instants: Sequence[float], expected: float) -> bool:
    return any(abs(expected - instant) < _FAR_SECONDS for instant in instants)
