"""File delivery of a run, as columns for the plots and as rows for the table behind them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from dqmsquare.documents import StreamFiles, stream_label
from dqmsquare.storage.rows import DeliveryRow

UNREADABLE = -1


def delay_seconds(written_at: float, lumi: int, global_start: float, lumi_seconds: float) -> float:
    """How long after the end of its lumisection a file was there (dqm2.md section 4).

    >>> delay_seconds(1_000_100.0, 2, 1_000_000.0, 23.0)
    54.0
    """
    return written_at - global_start - lumi * lumi_seconds


@dataclass(frozen=True, slots=True)
class StreamColumns:
    """A stream on the run's axis of lumisections; None where it has no readable file."""

    label: str
    mtime_delays: list[float | None]
    ctime_delays: list[float | None]
    n_accepted: list[int | None]


def stream_columns(row: DeliveryRow) -> tuple[list[int], list[StreamColumns]]:
    """The lumisections that any stream has, and every stream on them, by label. Delays in s, to a tenth."""
    lumis = sorted({lumi for files in row.streams.values() for lumi in files.lumis})
    named = sorted((stream_label(key), files) for key, files in row.streams.items())
    return lumis, [_columns(label, files, lumis, row) for label, files in named]


def _columns(label: str, files: StreamFiles, lumis: Sequence[int], row: DeliveryRow) -> StreamColumns:
    place = {lumi: i for i, lumi in enumerate(files.lumis)}

    def delays(times: Sequence[float]) -> list[float | None]:
        return [_delay(times, place.get(lumi), lumi, row) for lumi in lumis]

    def accepted(lumi: int) -> int | None:
        n = files.n_accepted[place[lumi]] if lumi in place else UNREADABLE
        return None if n == UNREADABLE else n

    return StreamColumns(label, delays(files.mtimes), delays(files.ctimes), [accepted(lumi) for lumi in lumis])


def _delay(times: Sequence[float], i: int | None, lumi: int, row: DeliveryRow) -> float | None:
    if i is None or times[i] == UNREADABLE or row.global_start is None:
        return None
    return round(delay_seconds(times[i], lumi, row.global_start, row.lumi_seconds), 1)


def delivery_data(row: DeliveryRow) -> dict[str, Any]:
    """What static/js/charts.js draws."""
    lumis, streams = stream_columns(row)
    return {
        "run": row.run,
        "lumis": lumis,
        "streams": [
            {"label": s.label, "mtime": s.mtime_delays, "ctime": s.ctime_delays, "events": s.n_accepted}
            for s in streams
        ],
    }


@dataclass(frozen=True, slots=True)
class DeliveryTable:
    """A row per lumisection, newest first: delay and events for each of `labels`."""

    labels: tuple[str, ...]
    rows: tuple[tuple[int, tuple[tuple[float | None, int | None], ...]], ...]
    by_ctime: bool
    start_is_estimated: bool


def delivery_table(row: DeliveryRow, *, by_ctime: bool) -> DeliveryTable:
    """The numbers behind both plots. With `by_ctime` delays count to when a file got its name, else to its writing."""
    lumis, streams = stream_columns(row)
    cells = [
        tuple(((s.ctime_delays if by_ctime else s.mtime_delays)[i], s.n_accepted[i]) for s in streams)
        for i in range(len(lumis))
    ]
    return DeliveryTable(
        labels=tuple(s.label for s in streams),
        rows=tuple(reversed(list(zip(lumis, cells, strict=True)))),
        by_ctime=by_ctime,
        start_is_estimated=row.global_start_estimated,
    )
