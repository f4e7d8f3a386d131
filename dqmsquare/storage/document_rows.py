"""Documents as rows: one dict per table, keyed by column, ready to be sent as JSON."""

import base64
import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from dqmsquare.documents import (
    AnyDocument,
    DeliveryDocument,
    Document,
    HostDiskDocument,
    HostMemoryDocument,
    JobDocument,
    PlaybackDocument,
    ReleaseDocument,
    StreamFiles,
    stream_label,
)
from dqmsquare.states import final_state
from dqmsquare.storage.delivery_body import delivery_body
from dqmsquare.storage.packing import pack, text_body
from dqmsquare.storage.series_body import series_body

Row = dict[str, Any]

_SPARK_POINTS = 20
_ODD_LUMIS_MAX = 200
_SLOPE_WINDOW_SECONDS = 3600
_SLOPE_MIN_SECONDS = 600
_MIB = 2**20
_PACKED_TOGETHER = 32  # bodies, a megabyte of logs
_FI_STATE_END_OF_RUN = 2
_NOT_COLUMNS = {"memory", "lumis", "lumi_ranges", "log_head", "log_tail", "log_gap", "streams"}


def rows_by_table(documents: Iterable[AnyDocument], epoch: int) -> dict[str, list[Row]]:
    """Table name to its rows. Of several documents with one id the highest revision is kept."""
    newest: dict[str, AnyDocument] = {}
    for document in sorted(documents, key=lambda document: document.rev):
        newest[document.document_id] = document
    rows: dict[str, list[Row]] = {}
    unpacked: dict[str, list[Row]] = {}
    for document in newest.values():
        for table, row in _rows_of(document, epoch):
            rows.setdefault(table, []).append(row)
            if "body" in row:
                unpacked.setdefault(table, []).append(row)
                if len(unpacked[table]) == _PACKED_TOGETHER:
                    _pack(unpacked.pop(table))
    for of_table in unpacked.values():
        _pack(of_table)
    return rows


def _pack(rows: Sequence[Row]) -> None:
    for row, packed in zip(rows, pack([row["body"] for row in rows]), strict=True):
        row["body"] = base64.b64encode(packed).decode("ascii")  # JSON has no bytes: store.py decodes it in SQL


def _rows_of(document: AnyDocument, epoch: int) -> list[tuple[str, Row]]:
    row = _plain_row(document, epoch)
    match document:
        case JobDocument():
            key = {"document_id": document.document_id, "epoch": epoch, "rev": document.rev}
            rows = [("jobs", row | _job_columns(document)), ("job_series", key | _series_columns(document))]
            return [*rows, ("job_logs", key | _log_columns(document))] if _has_log(document) else rows
        case DeliveryDocument():
            return [
                ("deliveries", row | {"summary": stream_summaries(document), "body": delivery_body(document.streams)})
            ]
        case PlaybackDocument():
            return [("playbacks", row)]
        case HostMemoryDocument():
            return [("host_memory", row)]
        case HostDiskDocument():
            return [("host_disks", row)]
        case ReleaseDocument():
            return [("releases", row)]


def _plain_row(document: Document, epoch: int) -> Row:
    names = (field.name for field in dataclasses.fields(document) if field.name not in _NOT_COLUMNS)
    return {name: getattr(document, name) for name in names} | {"epoch": epoch}


def _job_columns(document: JobDocument) -> Row:
    return {
        "outcome": None if document.exit_code is None else final_state(document.exit_code),
        "first_reported_at": document.reported_at,
        # A clock that is ahead at P5 must not make a job look alive for longer.
        "heard_at": min(document.reported_at or document.received_at, document.received_at),
        "input_ended_at": (
            document.reported_at or document.received_at if document.fi_state == _FI_STATE_END_OF_RUN else None
        ),
        "has_log": _has_log(document),
        "rate_spark": rate_spark(document.lumis),
        "memory_spark": memory_spark(document.memory),
        "memory_slope_mb_per_hour": memory_slope(document.memory),
        "odd_lumis": [
            dataclasses.astuple(lumi_range) for lumi_range in document.lumi_ranges if lumi_range.grade != "ok"
        ][:_ODD_LUMIS_MAX],
    }


def _has_log(document: JobDocument) -> bool:
    return bool(document.log_head or document.log_tail)


def _series_columns(document: JobDocument) -> Row:
    return {"body": series_body(document)}


def _log_columns(document: JobDocument) -> Row:
    return {
        "n_head_chars": len(document.log_head),
        "gap": document.log_gap,
        "body": text_body(document.log_head + document.log_tail),
    }


def rate_spark(lumis: Sequence[tuple[int, int, float]]) -> list[float]:
    """Hz of the newest lumisections."""
    rates = [round(n_events / seconds, 3) for _, n_events, seconds in lumis if seconds > 0]
    return rates[-_SPARK_POINTS:]


def memory_spark(memory: Sequence[tuple[int, int, int]]) -> list[int]:
    """Resident MiB over the whole life of the job, evenly picked, the newest always among them."""
    if not memory:
        return []
    n_points = min(_SPARK_POINTS, len(memory))
    step = (len(memory) - 1) / max(n_points - 1, 1)
    return [memory[len(memory) - 1 - round(step * back)][1] // _MIB for back in reversed(range(n_points))]


def memory_slope(memory: Sequence[tuple[int, int, int]]) -> float | None:
    """Growth in MB per hour over the last hour, by least squares; None before there are ten minutes to judge by.

    The first ten minutes of a job do not count: it loads its conditions and fills its histograms.
    """
    if not memory:
        return None
    begin = max(memory[-1][0] - _SLOPE_WINDOW_SECONDS, memory[0][0] + _SLOPE_MIN_SECONDS)
    recent = [(t, rss) for t, rss, _ in memory if t >= begin]
    if not recent or recent[-1][0] - recent[0][0] < _SLOPE_MIN_SECONDS:
        return None
    mean_t = sum(t for t, _ in recent) / len(recent)
    mean_rss = sum(rss for _, rss in recent) / len(recent)
    variance = sum((t - mean_t) ** 2 for t, _ in recent)
    covariance = sum((t - mean_t) * (rss - mean_rss) for t, rss in recent)
    return covariance / variance * 3600 / 1e6


def stream_summaries(document: DeliveryDocument) -> list[list[Any]]:
    """Per stream: label, mean, sigma and last delay in s, last lumisection, events, bytes (StreamSummary's order)."""
    return [
        [
            stream_label(key),
            *_delay_summary(document, files),
            max(files.lumis, default=0),
            sum(n for n in files.n_accepted if n >= 0),
            sum(n for n in files.sizes_bytes if n >= 0),
        ]
        for key, files in sorted(document.streams.items())
    ]


def _delay_summary(document: DeliveryDocument, files: StreamFiles) -> tuple[float | None, float | None, float | None]:
    delays = [
        delay
        for lumi, mtime in zip(files.lumis, files.mtimes, strict=True)
        if (delay := delivery_delay(document.global_start, document.lumi_seconds, lumi, mtime)) is not None
    ]
    if not delays:
        return None, None, None
    mean = sum(delays) / len(delays)
    sigma = (sum((delay - mean) ** 2 for delay in delays) / len(delays)) ** 0.5
    return round(mean, 3), round(sigma, 3), round(delays[-1], 3)


def delivery_delay(global_start: float | None, lumi_seconds: float, lumi: int, mtime: float) -> float | None:
    """Seconds from a lumisection's end to its file: mtime - global_start - L - (ls-1) L, as fff_dqmtools has it.

    None where the file was unreadable (-1) or the run's start is not known.
    """
    if global_start is None or mtime < 0:
        return None
    return mtime - global_start - lumi * lumi_seconds
