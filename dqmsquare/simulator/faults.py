"""What can go wrong on the way, by name: each fault is a small function on an answer, its headers or its documents."""

import threading
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import chain, repeat

from dqmsquare.simulator.exchange import HTML, JSON, Answer, error_page, login_page, redirect, whole
from dqmsquare.simulator.garbage import SHAPES
from dqmsquare.simulator.hostile import CHANGES, ODD_REVISIONS
from dqmsquare.simulator.store import Document

_FOR_EVER_SECONDS = 86_400.0
_PIECE = 64 * 1024


@dataclass(slots=True)
class Fault:
    """A fault that is set. None stands for any path, host or event; `times` is how often it still strikes."""

    name: str
    value: str
    path: str | None
    host: str | None
    event: str | None
    times: int | None

    def number(self, otherwise: float) -> float:
        """The value as a number."""
        return float(self.value) if self.value else otherwise

    def fits(self, path: str, host: str, event: str) -> bool:
        """Whether it strikes this request."""
        return self.path in {None, path} and self.host in {None, host} and self.event in {None, event}


def _hang(answer: Answer, fault: Fault) -> Answer:
    return replace(answer, wait_seconds=fault.number(_FOR_EVER_SECONDS))


def _drip(answer: Answer, fault: Fault) -> Answer:
    bytes_one_by_one = (piece[i : i + 1] for piece in answer.pieces for i in range(len(piece)))
    return replace(answer, pieces=bytes_one_by_one, pause_seconds=1.0 / fault.number(1.0))


def _first_bytes(pieces: Iterable[bytes], n: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:n]
        n -= len(piece)
        if n <= 0:
            return


def _cut(answer: Answer, fault: Fault) -> Answer:
    # The length of the whole answer stays announced; without one the last chunk is missing.
    return replace(answer, pieces=_first_bytes(answer.pieces, int(fault.number(100))), ends_early=True)


def _stall(answer: Answer, fault: Fault) -> Answer:
    begun = b"".join(_first_bytes(answer.pieces, int(fault.number(100))))
    return replace(answer, pieces=(begun, b" "), pause_seconds=_FOR_EVER_SECONDS, ends_early=True)


def _stream_forever(answer: Answer, _: Fault) -> Answer:
    pieces = chain([b'{"messages": ["'], repeat(b"x" * _PIECE))
    return replace(answer, pieces=pieces, n_bytes=None, content_type=JSON)


def _zipped_spaces(n_mib: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    yield packer.compress(b'{"messages": [')
    for _ in range(n_mib):
        yield packer.compress(b" " * 1024 * 1024)
    yield packer.compress(b"]}") + packer.flush()


def _gzip_bomb(answer: Answer, fault: Fault) -> Answer:
    pieces = _zipped_spaces(int(fault.number(1024)))
    return replace(answer, pieces=pieces, n_bytes=None, headers=(*answer.headers, ("Content-Encoding", "gzip")))


def _retry_after(_: Answer, fault: Fault) -> Answer:
    wait = fault.value or "5"
    return replace(error_page(HTTPStatus.SERVICE_UNAVAILABLE), headers=(("Retry-After", wait),))


def _bad_utf8(answer: Answer, _: Fault) -> Answer:
    # Into the tags of headers and documents alike, which are text inside of text.
    pieces = (piece.replace(b'tag\\": \\"', b'tag\\": \\"\xff') for piece in answer.pieces)
    return replace(answer, pieces=pieces, n_bytes=None)


ANSWER_FAULTS: dict[str, Callable[[Answer, Fault], Answer]] = {
    "hang": _hang,  # never answers; with a value: answers after so many seconds
    "drip": _drip,  # a byte at a time, value bytes per second
    "cut": _cut,  # ends after value bytes
    "stall": _stall,  # goes silent after value bytes
    "break": lambda answer, _: replace(answer, breaks_off=True),  # TCP reset
    "status": lambda _, fault: error_page(int(fault.number(502))),
    "html": lambda _, __: login_page(),
    "redirect": lambda _, fault: redirect(fault.value or "/auth/login"),
    "retry-after": _retry_after,
    "stream-forever": _stream_forever,
    "gzipbomb": _gzip_bomb,  # value: MiB after decoding
    "garbage": lambda _, fault: whole(SHAPES[fault.value or "object"]),
    "body": lambda _, fault: whole(fault.value.encode("utf-8", "surrogatepass")),  # any text as the answer
    "bad-utf8": _bad_utf8,
    "html-type": lambda answer, _: replace(answer, content_type=HTML),
}  # fmt: skip


def _leave_out(rows: list[Document], fault: Fault) -> list[Document]:
    if fault.value and not fault.value.isdigit():
        return [row for row in rows if fault.value not in str(row.get("_id"))]
    return rows[int(fault.number(1)) :]


def _changed(change: Callable[[Document], Document]) -> Callable[[list[Document], Fault], list[Document]]:
    return lambda rows, _: [row | change(row) for row in rows]


def _foreign(row: Document) -> Document:
    return {**row, "_id": f"{row.get('_id')}-foreign"}


def _with_odd_revision(row: Document, fault: Fault) -> Document:
    return {**_foreign(row), "_rev": ODD_REVISIONS[fault.value or "2-62"]}


ROW_FAULTS: dict[str, Callable[[list[Document], Fault], list[Document]]] = {  # on headers and documents alike
    "leave-out": _leave_out,  # value: how many, or a part of their ids
    "reorder": lambda rows, _: rows[::-1],
    "duplicate": lambda rows, _: rows + rows,
    "foreign": lambda rows, _: rows + [_foreign(row) for row in rows[:1]],
    "skew": lambda rows, fault: [
        row | {key: row[key] + fault.number(7200.0) for key in ("timestamp", "report_timestamp") if row.get(key)}
        for row in rows
    ],
    "odd-revs": lambda rows, fault: [_with_odd_revision(row, fault) for row in rows[:1]] + rows,
    **{name: _changed(change) for name, change in CHANGES.items()},
}

HOST_FAULTS = {
    "down": "down in cluster status, dead behind the proxy; value: the message",
    "inner-timeout": "the proxy waits for the host, gives up and shows an error page",
    "newer": "documents are updated between their headers and the question for them",
}
NAMES = frozenset(ANSWER_FAULTS) | frozenset(ROW_FAULTS) | frozenset(HOST_FAULTS)


class FaultBoard:
    """The faults that are set at the moment; may be changed from any thread while requests are answered."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def set(
        self,
        name: str,
        *,
        path: str | None = None,
        host: str | None = None,
        event: str | None = None,
        times: int | None = None,
    ) -> None:
        """Sets a fault, `name` or `name:value`, for a path (`/redirect`), a host, an event (`sync_request`) or all.

        Raises ValueError for a name or a shape of garbage that is not known.
        """
        word, _, value = name.partition(":")
        if word not in NAMES or (word == "garbage" and value and value not in SHAPES):
            raise ValueError(f"no fault is called {name!r}; there are {', '.join(sorted(NAMES))}")
        with self._lock:
            self._faults.append(Fault(word, value, path, host, event, times))

    def clear(self, name: str | None = None, host: str | None = None) -> None:
        """Takes faults away: those of a name, of a host, or all."""
        with self._lock:
            self._faults = [
                fault
                for fault in self._faults
                if (name is not None and fault.name != name) or (host is not None and fault.host != host)
            ]

    def strike(self, path: str, host: str, event: str) -> list[Fault]:
        """The faults of a request, in the order in which they were set; counts down their `times`."""
        with self._lock:
            struck = [fault for fault in self._faults if fault.fits(path, host, event)]
            for fault in struck:
                fault.times = None if fault.times is None else fault.times - 1
            self._faults = [fault for fault in self._faults if fault.times is None or fault.times > 0]
            return struck

    def down_hosts(self) -> dict[str, str]:
        """Hosts that are down, with the message that was set ("" for the usual one)."""
        with self._lock:
            return {fault.host: fault.value for fault in self._faults if fault.name == "down" and fault.host}
