"""A job's series as they are stored: columns instead of rows, and differences instead of values, which zstd likes."""

from collections.abc import Iterable, Sequence
from itertools import accumulate, chain
from typing import Any

from dqmsquare.documents import JobDocument, LumiRange
from dqmsquare.storage.packing import Body, differences, json_body, unpack_json
from dqmsquare.storage.rows import JobSeries

_PAGE_BYTES = 4096  # memory comes in pages; what does not is stored in bytes


def series_body(series: JobSeries | JobDocument) -> Body:
    """The series, to be compressed."""
    return json_body(series_as_columns(series), "series")


def unpack_series(body: bytes) -> JobSeries:
    """What series_body was given; also of bodies that were stored as rows."""
    stored: dict[str, Any] = unpack_json(body)
    ranges = tuple(LumiRange(*values) for values in stored["ranges"])
    if "memory" in stored:
        memory, lumis = (tuple(tuple(values) for values in stored[name]) for name in ("memory", "lumis"))
        return JobSeries(memory=memory, lumis=lumis, lumi_ranges=ranges)
    resident, size = ([n * stored["unit"] for n in accumulate(stored[name])] for name in ("resident", "size"))
    seconds = (ms / 1000 for ms in accumulate(stored["ms"]))
    return JobSeries(
        memory=tuple(zip(accumulate(stored["at"]), resident, size, strict=True)),
        lumis=tuple(zip(accumulate(stored["lumis"]), stored["events"], seconds, strict=True)),
        lumi_ranges=ranges,
    )


def series_as_columns(series: JobSeries | JobDocument) -> dict[str, Any]:
    """What is stored, before it is compressed."""
    at, resident, size = _columns(series.memory, 3)
    lumis, events, seconds = _columns(series.lumis, 3)
    unit = 1 if any(n % _PAGE_BYTES for n in chain(resident, size)) else _PAGE_BYTES
    return {
        "unit": unit,
        "at": differences(at),
        "resident": differences([n // unit for n in resident]),
        "size": differences([n // unit for n in size]),
        "lumis": differences(lumis),
        "events": events,
        "ms": differences([round(1000 * n) for n in seconds]),  # seconds are rounded to these when they are read
        "ranges": [(r.first, r.last, r.grade, r.text) for r in series.lumi_ranges],
    }


def _columns(rows: Iterable[Sequence[Any]], n_columns: int) -> list[tuple[Any, ...]]:
    columns: list[tuple[Any, ...]] = list(zip(*rows, strict=True))
    return columns or [()] * n_columns
