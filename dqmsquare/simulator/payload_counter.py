"""A number of its own in every document that is uploaded, in fields that survive stripping: what an oracle compares."""

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import Any

Document = dict[str, Any]
LOG_LINE = "ChaosCounter: payload {}\n"
_FIRST = 1_000
_TIME_ZERO = 1_262_304_000  # 2010-01-01, so that the number is an instant the mirror believes


def _with_extra(document: Document, **fields: Any) -> Document:
    extra = document.get("extra")
    return {**document, "extra": {**(extra if isinstance(extra, Mapping) else {}), **fields}}


def _in_job(document: Document, number: int) -> Document:
    extra = document.get("extra")
    tail = extra.get("stdlog_end") if isinstance(extra, Mapping) else None
    document = {**document, "events_total": str(number)}
    return _with_extra(document, stdlog_end=[*tail, LOG_LINE.format(number)]) if isinstance(tail, list) else document


_PLACES: dict[str, Callable[[Document, int], Document]] = {
    "dqm-source-state": _in_job,
    "dqm-files": lambda document, n: _with_extra(document, global_start=float(_TIME_ZERO + n)),
    "dqm-playback": lambda document, n: {**document, "config": {**document["config"], "lumi_timeout": n}},
    "dqm-stats": lambda document, n: {**document, "memory_free": n},
    "dqm-diskspace": lambda document, n: {**document, "disk_free": n},
    "dqm-release": lambda document, n: {**document, "build_time": float(_TIME_ZERO + n)},
}
_READINGS: dict[str, Callable[[Document], float]] = {
    "dqm-source-state": lambda document: float(document["events_total"]),
    "dqm-files": lambda document: document["extra"]["global_start"] - _TIME_ZERO,
    "dqm-playback": lambda document: document["config"]["lumi_timeout"],
    "dqm-stats": lambda document: document["memory_free"],
    "dqm-diskspace": lambda document: document["disk_free"],
    "dqm-release": lambda document: document["build_time"] - _TIME_ZERO,
}


class PayloadCounter:
    """Numbers documents, and remembers which numbers each `_id` was ever offered with. For any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = _FIRST
        self.offered: defaultdict[str, set[int]] = defaultdict(set)

    @property
    def n_offered(self) -> int:
        """How many documents were numbered."""
        return self._last - _FIRST

    def stamp(self, document: Document) -> Document:
        """The document with the next number in it; unchanged where it is of a kind that the mirror does not keep."""
        place = _PLACES.get(str(document.get("type")))
        if place is None:
            return document
        with self._lock:
            self._last += 1
            number = self._last
            self.offered[str(document.get("_id"))].add(number)
        return place(document, number)


def counter_of(document: Document) -> int | None:
    """The number in a document; None where it is of a kind that is not numbered."""
    reading = _READINGS.get(str(document.get("type")))
    return None if reading is None else round(reading(document))
