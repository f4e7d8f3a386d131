"""A run's files as they are stored: differences instead of values, as whole numbers, which zstd likes."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, chain
from typing import Any

from dqmsquare.documents import StreamFiles
from dqmsquare.storage.packing import Body, differences, json_body, unpack_json

_TICKS = 2**22  # per second: doubles of these decades have no finer steps, so that nothing is rounded


def delivery_body(streams: Mapping[str, StreamFiles]) -> Body:
    """The streams' files, to be compressed."""
    times = chain.from_iterable((*files.mtimes, *files.ctimes) for files in streams.values())
    ticks = _TICKS if all(seconds * _TICKS % 1 == 0 for seconds in times) else 0
    return json_body([ticks, {key: _columns(files, ticks) for key, files in streams.items()}])


def unpack_delivery(body: bytes) -> dict[str, StreamFiles]:
    """What delivery_body was given; also of bodies that were stored as they are."""
    stored: Any = unpack_json(body)
    ticks, streams = (0, stored) if isinstance(stored, dict) else stored
    return {key: _files(columns, ticks) for key, columns in streams.items()}


def _columns(files: StreamFiles, ticks: int) -> list[Sequence[float]]:
    counts = [files.n_processed, files.n_accepted, files.sizes_bytes]
    if not ticks:
        return [files.lumis, files.mtimes, files.ctimes, *counts]
    mtimes = [int(seconds * ticks) for seconds in files.mtimes]
    ctimes = [int(seconds * ticks) for seconds in files.ctimes]
    lags = [named - written for written, named in zip(mtimes, ctimes, strict=True)]
    return [differences(files.lumis), differences(mtimes), lags, *counts]


def _files(columns: Sequence[Sequence[Any]], ticks: int) -> StreamFiles:
    if not ticks:
        return StreamFiles(*map(tuple, columns))
    lumis, mtimes, lags, *counts = columns
    written = list(accumulate(mtimes))
    named = map(sum, zip(written, lags, strict=True))
    return StreamFiles(
        tuple(accumulate(lumis)),
        tuple(n / ticks for n in written),
        tuple(n / ticks for n in named),
        *map(tuple, counts),
    )
