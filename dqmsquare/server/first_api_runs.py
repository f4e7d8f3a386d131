"""get_runs: a short range in one piece, all of history a few runs at a time, so that memory stays flat."""

import itertools
from collections.abc import Iterable, Iterator
from contextlib import closing

import orjson

from dqmsquare.server.first_api_shapes import JobFilter, chosen_entry
from dqmsquare.server.watched import Connection, ReadableDatabase
from dqmsquare.storage.listings import listings_between

_RUNS_PER_PIECE = 100


def first_and_last(one: int, other: int) -> tuple[int, int]:
    """A range's ends, which may be asked for in either order."""
    return min(one, other), max(one, other)


def whole_answer(connection: Connection, first: int, last: int, chosen: JobFilter) -> bytes:
    """The JSON of get_runs."""
    return b"{" + b", ".join(_entries(listings_between(connection, first, last), chosen)) + b"}"


def runs_in_pieces(database: ReadableDatabase, first: int, last: int, chosen: JobFilter) -> Iterator[bytes]:
    """The same, read piece by piece: a reader who takes his time holds no connection.

    Raises StoreUnavailable; at the first piece that can still be told, later the answer breaks off.
    """
    glue = b"{"
    next_run: int | None = last
    while next_run is not None:
        entries, next_run = _piece(database, first, next_run, chosen)
        if entries:
            yield glue + b", ".join(entries)
            glue = b", "
    yield b"}" if glue == b", " else b"{}"


def _piece(database: ReadableDatabase, first: int, last: int, chosen: JobFilter) -> tuple[list[bytes], int | None]:
    """The entries of the newest runs up to `last`, and the run to go on with; None where history is read."""
    with database.reading() as connection, closing(listings_between(connection, first, last)) as runs:
        read = list(itertools.islice(runs, _RUNS_PER_PIECE))
    lowest = read[-1][0] if len(read) == _RUNS_PER_PIECE else first
    return _entries(read, chosen), lowest - 1 if lowest > first else None


def _entries(runs: Iterable[tuple[int, str]], chosen: JobFilter) -> list[bytes]:
    if chosen.takes_all:
        return [b'"%d": %b' % (run, body.encode()) for run, body in runs]
    entries = ((run, chosen_entry(orjson.loads(body), chosen)) for run, body in runs)
    return [b'"%d": %b' % (run, orjson.dumps(entry)) for run, entry in entries if entry is not None]
