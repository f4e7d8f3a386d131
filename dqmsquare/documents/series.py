"""Series of a job: memory, events per lumisection, what became of each lumisection; none longer than a page needs."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import TypeVar

from dqmsquare.documents.fields import (
    MAX_BIGINT,
    MAX_ENTRIES,
    MAX_LUMI,
    FieldReader,
    integer,
    number,
    plausible_seconds,
)
from dqmsquare.documents.model import LumiRange
from dqmsquare.scrub import Scrubber

PAGE_BYTES = 4096  # /proc/<pid>/statm counts pages
MAX_PAGES = 2**50
MAX_POINTS = 500
MAX_RANGES = 2000
MAX_STATE_TEXT = 60

_LUMI_KEY = re.compile(r"lumi([0-9]{1,6})", re.ASCII)
_Point = TypeVar("_Point")

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
    points: dict[int, tuple[int, int, int]] = {}
    n_bad = 0
    for key, value in extra.mapping("mem_info").items():
        seconds, sizes = plausible_seconds(key, extra.received_at), _statm(value)
        if seconds is None or sizes is None:
            n_bad += 1
        else:
            size, resident = sizes
            points[int(seconds)] = (int(seconds), resident, size)
    if n_bad:
        extra.error()
    return thin(sorted(points.values()), lambda point: point[1])


def _statm(value: object) -> tuple[int, int] | None:
    """Bytes in all and resident: the first two of /proc/<pid>/statm, which are in pages."""
    words = value.split(maxsplit=2)[:2] if isinstance(value, str) else []
    pages = [n for n in map(integer, words) if n is not None and 0 <= n < MAX_PAGES]
    return (pages[0] * PAGE_BYTES, pages[1] * PAGE_BYTES) if len(pages) == 2 else None


def read_lumis(extra: FieldReader) -> tuple[tuple[int, int, float], ...]:
    """`lumi_stats` as (lumisection, events, seconds); a lumisection that was reported in parts is summed up."""
    events: dict[int, int] = {}
    milliseconds: dict[int, float] = {}
    n_bad = 0
    for entry in extra.mapping("lumi_stats").values():
        lumi, n_events, millis = _lumi_entry(entry)
        if lumi is None or n_events is None or millis is None:
            n_bad += 1
            continue
        events[lumi] = min(events.get(lumi, 0) + n_events, MAX_BIGINT)
        milliseconds[lumi] = milliseconds.get(lumi, 0.0) + millis
    if n_bad:
        extra.error()
    points = [(lumi, events[lumi], round(milliseconds[lumi] / 1000, 3)) for lumi in sorted(events)]
    return thin(points, lambda point: point[1] / point[2] if point[2] else 0.0)


def _lumi_entry(entry: object) -> tuple[int | None, int | None, float | None]:
    if not isinstance(entry, Mapping):
        return None, None, None
    lumi, n_events, millis = integer(entry.get("n")), integer(entry.get("nevents")), number(entry.get("nmillis"))
    return (
        lumi if lumi is not None and 0 <= lumi <= MAX_LUMI else None,
        n_events if n_events is not None and n_events >= 0 else None,
        millis if millis is not None and 0 <= millis < 1e12 else None,
    )


def read_lumi_ranges(extra: FieldReader, scrubber: Scrubber) -> tuple[LumiRange, ...]:
    """`lumi_seen` as ranges of lumisections in one state, the newest MAX_RANGES of them. Raises ScrubError."""
    states: dict[int, str] = {}
    n_bad = 0
    for key, text in islice(extra.mapping("lumi_seen").items(), MAX_ENTRIES):
        match = _LUMI_KEY.fullmatch(key) if isinstance(key, str) else None
        if match is None or not isinstance(text, str) or int(match[1]) > MAX_LUMI:
            n_bad += 1
            continue
        states[int(match[1])] = text
    if n_bad:
        extra.error()
    ranges = _ranges(sorted(states.items()))
    shown: dict[str, tuple[str, str]] = {}
    result = []
    for first, last, text in ranges[-MAX_RANGES:]:
        if text not in shown:
            shown[text] = _grade(text, scrubber)
        result.append(LumiRange(first, last, *shown[text]))
    return tuple(result)


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
