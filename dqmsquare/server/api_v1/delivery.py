"""The files that were delivered for a run, stream by stream and lumisection by lumisection."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated

from dqmsquare.documents import StreamFiles, stream_label
from dqmsquare.server.api_v1.asked import Asked, Found
from dqmsquare.server.api_v1.jobs import Host
from dqmsquare.server.delivery_view import UNREADABLE, delay_seconds
from dqmsquare.server.responses import problem
from dqmsquare.server.watched import Connection
from dqmsquare.storage import queries
from dqmsquare.storage.rows import DeliveryRow


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamColumns:
    """The files of one stream: equally long columns, by lumisection. Null stands where a file could not be read."""

    label: Annotated[str, "Name of the stream, such as DQM."]
    lumi: tuple[int, ...]
    written_at: Annotated[tuple[datetime | None, ...], "When the file was last written to."]
    named_at: Annotated[tuple[datetime | None, ...], "When it got its name."]
    delay_seconds: Annotated[tuple[float | None, ...], "From the end of the lumisection to written_at, s."]
    n_processed: Annotated[tuple[int | None, ...], "Events that the builder read."]
    n_accepted: Annotated[tuple[int | None, ...], "Events in the file."]
    size_bytes: tuple[int | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """The files that a builder delivered for a run."""

    run: int
    host: Host
    started_at: Annotated[datetime | None, "Begin of the run's first lumisection; delays count from there."]
    started_at_is_estimated: Annotated[bool, "Whether the builder had to guess it from its first file."]
    lumi_seconds: Annotated[float, "Length of a lumisection, s."]
    streams: tuple[StreamColumns, ...]


def read_delivery(connection: Connection, asked: Asked) -> Found:
    """The delivery of the run in the path. Raises a 404 where there is none."""
    row = queries.delivery_of_run(connection, asked.run)
    if row is None:
        raise problem(404, "There are no files of this run.")
    named = sorted((stream_label(key), files) for key, files in row.streams.items())
    delivery = Delivery(
        run=row.run,
        host=Host(host_id=row.host_id, label=row.host_label),
        started_at=None if row.global_start is None else datetime.fromtimestamp(row.global_start, UTC),
        started_at_is_estimated=row.global_start_estimated,
        lumi_seconds=row.lumi_seconds,
        streams=tuple(_columns(label, files, row) for label, files in named),
    )
    return Found(delivery)


def _columns(label: str, files: StreamFiles, row: DeliveryRow) -> StreamColumns:
    return StreamColumns(
        label=label,
        lumi=files.lumis,
        written_at=_instants(files.mtimes),
        named_at=_instants(files.ctimes),
        delay_seconds=_delays(files, row),
        n_processed=_counts(files.n_processed),
        n_accepted=_counts(files.n_accepted),
        size_bytes=_counts(files.sizes_bytes),
    )


def _instants(times: Sequence[float]) -> tuple[datetime | None, ...]:
    return tuple(None if time == UNREADABLE else datetime.fromtimestamp(time, UTC) for time in times)


def _counts(values: Sequence[int]) -> tuple[int | None, ...]:
    return tuple(None if value == UNREADABLE else value for value in values)


def _delays(files: StreamFiles, row: DeliveryRow) -> tuple[float | None, ...]:
    start, pairs = row.global_start, zip(files.mtimes, files.lumis, strict=True)
    if start is None:
        return (None,) * len(files.lumis)
    return tuple(
        None if time == UNREADABLE else round(delay_seconds(time, lumi, start, row.lumi_seconds), 1)
        for time, lumi in pairs
    )
