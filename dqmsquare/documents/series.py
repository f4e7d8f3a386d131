"""Series of a job: memory, events per lumisection, what became of each lumisection; none longer than a page needs."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from dqmsquare.documents.fields import (
    EARLIEST,
    MAX_BIGINT,
    MAX_ENTRIES,
    MAX_LUMI,
    FieldReader,
    integer,
    latest_seconds,
    number,
    plausible_seconds,
)
from dqmsquare.documents.model import LumiRange
from dqmsquare.documents.plain_numbers import are_integers_below, plain_numbers
from dqmsquare.scrub import Scrubber

PAGE_BYTES = 4096  # /proc/<pid>/statm counts pages
MAX_PAGES = 2**50
MAX_POINTS = 500
MAX_RANGES = 2000
MAX_STATE_TEXT = 60

_LUMI_KEY = re.compile(r"lumi([0-9]{1,6})", re.ASCII)
_LUMI_KEYS = re.compile(r"lumi[0-9]{1,6}(?:,lumi[0-9]{1,6})*", re.ASCII)
_Point = TypeVar("_Point")
_MemoryPoint = tuple[int, int, int]

# DQMFileIterator's words (dqm2.md section 7); "" is found, but not opened yet
_GRADES = {
    "": "ok",
    "open: file iterator": "ok",
    "close: eof": "ok",
    "close: graceful end-of-run": "ok",
    "close: ok": "ok",
    "skipped: fast-forward to the latest lumi": "ok",
    "close: forced end-of-run": "info",
    "close: skipping to another file": "info",
    "close: not loading": "info",
    "close: destructor": "info",
    "skipped: timeout": "warn",
    "close: data file corrupted": "bad",
    "close: error": "bad",
    "error: data file missing": "bad",
    "error: data file corrupted": "bad",
}


def thin(points: Sequence[_Point], value: Callable[[_Point], float], limit: int = MAX_POINTS) -> tuple[_Point, ...]:
    """At most `limit` points in their order: of each stretch the lowest and the highest, and the last of all.

    >>> thin([5, 1, 9, 2, 3, 4], float, 5)
    (1, 9, 2, 4)
    """
    if len(points) <= limit:
        return tuple(points)
    n_stretches = (limit - 1) // 2
    kept = {len(points) - 1}
    for stretch in range(n_stretches):
        positions = range(stretch * len(points) // n_stretches, (stretch + 1) * len(points) // n_stretches)
        kept.add(min(positions, key=lambda position: value(points[position])))
        kept.add(max(positions, key=lambda position: value(points[position])))
    return tuple(points[position] for position in sorted(kept))


def read_memory(extra: FieldReader) -> tuple[tuple[int, int, int], ...]:
    """`mem_info` as (s since 1970, resident bytes, size bytes), in order of time."""
    raw = extra.mapping("mem_info")
    points = _plain_memory(raw, extra.received_at)
    if points is None:
        points = [point for point in (_memory_point(*entry, extra.received_at) for entry in raw.items()) if point]
        if len(points) < len(raw):
            extra.error()
    by_second = {point[0]: point for point in points}
    return thin(sorted(by_second.values()), lambda point: point[1])


def _plain_memory(raw: Mapping[object, object], received_at: datetime) -> list[_MemoryPoint] | None:
    """All of it at once; None where anything is not as it usually is."""
    keys = [key for key in raw if isinstance(key, str)]
    values = [value for value in raw.values() if isinstance(value, str)]
    n_words = values[0].count(" ") + 1 if values else 0
    if n_words < 2 or any(value.count(" ") != n_words - 1 for value in values):
        return None
    seconds = plain_numbers(",".join(keys), len(raw))
    pages = plain_numbers(",".join(values).replace(" ", ","), n_words * len(raw))
    if seconds is None or min(seconds) <= EARLIEST or max(seconds) >= latest_seconds(received_at) or pages is None:
        return None
    size, resident = pages[::n_words], pages[1::n_words]
    if not are_integers_below(size, MAX_PAGES) or not are_integers_below(resident, MAX_PAGES):
        return None
    return [(int(at), n * PAGE_BYTES, m * PAGE_BYTES) for at, n, m in zip(seconds, resident, size, strict=True)]


def _memory_point(key: object, value: object, received_at: datetime) -> _MemoryPoint | None:
    seconds, sizes = plausible_seconds(key, received_at), _statm(value)
    if seconds is None or sizes is None:
        return None
    size, resident = sizes
    return int(seconds), resident, size


def _statm(value: object) -> tuple[int, int] | None:
    """Bytes in all and resident: the first two of /proc/<pid>/statm, which are in pages."""
    words = value.split(maxsplit=2)[:2] if isinstance(value, str) else []
    pages = [n for n in map(integer, words) if n is not None and 0 <= n < MAX_PAGES]
    return (pages[0] * PAGE_BYTES, pages[1] * PAGE_BYTES) if len(pages) == 2 else None


def read_lumis(extra: FieldReader) -> tuple[tuple[int, int, float], ...]:
    """`lumi_stats` as (lumisection, events, seconds); a lumisection that was reported in parts is summed up."""
    raw = list(extra.mapping("lumi_stats").values())
    entries = _plain_lumis(raw)
    if entries is None:
        entries = [entry for entry in map(_lumi_entry, raw) if entry is not None]
        if len(entries) < len(raw):
            extra.error()
    events: dict[int, int] = {}
    milliseconds: dict[int, float] = {}
    for lumi, n_events, millis in entries:
        events[lumi] = events.get(lumi, 0) + n_events
        milliseconds[lumi] = milliseconds.get(lumi, 0.0) + millis
    points = [(lumi, min(events[lumi], MAX_BIGINT), round(milliseconds[lumi] / 1000, 3)) for lumi in sorted(events)]
    return thin(points, lambda point: point[1] / point[2] if point[2] else 0.0)


def _plain_lumis(raw: list[Any]) -> list[tuple[int, int, float]] | None:
    """All of them at once; None where anything is not as it usually is."""
    try:
        columns = [",".join([entry[name] for entry in raw]) for name in ("n", "nevents", "nmillis")]
    except (TypeError, KeyError):
        return None
    lumis, events, millis = (plain_numbers(column, len(raw)) for column in columns)
    if (
        not are_integers_below(lumis, MAX_LUMI + 1)
        or not are_integers_below(events, 10**18)  # as many digits as `integer` takes
        or not are_integers_below(millis, 10**12)
    ):
        return None
    return list(zip(lumis, events, millis, strict=True))


def _lumi_entry(entry: object) -> tuple[int, int, float] | None:
    if not isinstance(entry, Mapping):
        return None
    lumi, n_events, millis = integer(entry.get("n")), integer(entry.get("nevents")), number(entry.get("nmillis"))
    if lumi is None or n_events is None or millis is None:
        return None
    return (lumi, n_events, millis) if 0 <= lumi <= MAX_LUMI and n_events >= 0 and 0 <= millis < 1e12 else None


def read_lumi_ranges(extra: FieldReader, scrubber: Scrubber) -> tuple[LumiRange, ...]:
    """`lumi_seen` as ranges of lumisections in one state, the newest MAX_RANGES of them. Raises ScrubError."""
    raw = extra.mapping("lumi_seen")
    states = _plain_states(raw)
    if states is None:
        entries = list(islice(raw.items(), MAX_ENTRIES))
        good = [state for state in map(_lumi_state, entries) if state is not None]
        if len(good) < len(entries):
            extra.error()
        states = dict(good)
    ranges = _ranges(sorted(states.items()))
    shown: dict[str, tuple[str, str]] = {}
    result = []
    for first, last, text in ranges[-MAX_RANGES:]:
        if text not in shown:
            shown[text] = _grade(text, scrubber)
        result.append(LumiRange(first, last, *shown[text]))
    return tuple(result)


def _plain_states(raw: Mapping[object, object]) -> dict[int, str] | None:
    """All of them at once; None where anything is not as it usually is."""
    texts = [text for text in raw.values() if isinstance(text, str)]
    if not 0 < len(raw) == len(texts) <= MAX_ENTRIES:
        return None
    keys = ",".join([key for key in raw if isinstance(key, str)])
    if not _LUMI_KEYS.fullmatch(keys):
        return None
    lumis = list(map(int, keys.replace("lumi", "").split(",")))
    return dict(zip(lumis, texts, strict=True)) if len(lumis) == len(texts) and max(lumis) <= MAX_LUMI else None


def _lumi_state(entry: tuple[object, object]) -> tuple[int, str] | None:
    key, text = entry
    match = _LUMI_KEY.fullmatch(key) if isinstance(key, str) else None
    if match is None or not isinstance(text, str) or int(match[1]) > MAX_LUMI:
        return None
    return int(match[1]), text


def _ranges(states: Iterable[tuple[int, str]]) -> list[tuple[int, int, str]]:
    ranges: list[tuple[int, int, str]] = []
    for lumi, text in states:
        if ranges and ranges[-1][1] == lumi - 1 and ranges[-1][2] == text:
            ranges[-1] = (ranges[-1][0], lumi, text)
        else:
            ranges.append((lumi, lumi, text))
    return ranges


def _grade(text: str, scrubber: Scrubber) -> tuple[str, str]:
    """Grade and text as shown; words of other versions are scrubbed and clipped."""
    grade = _GRADES.get(text)
    if grade is not None:
        return grade, text
    shown = " ".join(scrubber.scrub(text[:1000]).text.split())[:MAX_STATE_TEXT]
    return ("bad" if text.startswith("error:") else "other"), shown
