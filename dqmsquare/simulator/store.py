"""What one host keeps: documents and their headers, numbered by revision, with the quirks of fff_web's database."""

import json
import threading
import time
import zlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Document = dict[str, Any]
_MAX_REV = 2**63 - 1
_HEADER_FIELDS = ("timestamp", "hostname", "type", "tag", "run")


class DocumentMaker(Protocol):
    """Makes a document of long ago when it is asked for: the same one each time."""

    def make(self, document_id: str) -> Document: ...


@dataclass(slots=True)
class _Header:
    document_id: str
    encoded: bytes  # as it stands inside a message that is itself a string


def encode_inside(text: str) -> bytes:
    """Text as it stands inside a JSON string, without the quotes around it."""
    return json.dumps(text)[1:-1].encode("ascii")


class HostStore:
    """The documents of a host. Revisions start after `base_rev`; after a reset they start at 1.

    An updated document gets a new revision and loses its old one (U3). The newest revision is what the table has,
    so that it is given out again after a drop (U4). A document that brings its own `_rev` is stored there, and the
    header that stood at that revision goes (U5). All methods may be called from any thread.
    """

    def __init__(
        self,
        host: str,
        base_rev: int = 0,
        clock: Callable[[], float] = time.time,
        stamp: Callable[[Document], Document] = lambda document: document,
    ) -> None:
        self.host = host
        self._stamp = stamp  # what is changed in each document that is uploaded
        self._clock = clock
        self._lock = threading.RLock()
        self._base_rev = base_rev
        self._revs: list[int] = []
        self._headers: dict[int, _Header] = {}
        self._rev_of: dict[str, int] = {}
        self._bodies: dict[str, bytes | DocumentMaker] = {}

    def __len__(self) -> int:
        return len(self._revs)

    @property
    def newest_rev(self) -> int:
        """The newest revision; 0 where there is no document (yet)."""
        with self._lock:
            return self._revs[-1] if self._revs else 0

    def upload(self, document: Mapping[str, Any]) -> int:
        """Stores a document and returns its revision. Raises ValueError if `_id` or `_rev` cannot be stored."""
        with self._lock:
            stored = self._stamp(dict(document))
            rev = self._next_rev()
            header = {"_id": stored.get("_id"), "_rev": stored.get("_rev", rev)}
            at = stored.get("timestamp", stored.get("report_timestamp", self._clock()))
            header |= {"timestamp": at} | {name: stored.get(name) for name in _HEADER_FIELDS[1:]}
            stored |= header  # written back into the document, as fff_web does
            self._insert(header, zlib.compress(json.dumps(stored).encode("ascii"), 1))
            return int(header["_rev"])

    def add_lazily(self, header: Mapping[str, Any], maker: DocumentMaker, step: int = 1) -> int:
        """Stores the header of a document that `maker` makes when it is asked for; `step` leaves revisions out."""
        with self._lock:
            rev = self._next_rev() + step - 1
            self._insert({"_id": header["_id"], "_rev": rev} | {name: header[name] for name in _HEADER_FIELDS}, maker)
            return rev

    def _next_rev(self) -> int:
        newest = self._revs[-1] if self._revs else self._base_rev
        self._base_rev = 0  # it was for a table that had never been filled
        return (newest + 1) & _MAX_REV

    def _insert(self, header: Mapping[str, Any], body: bytes | DocumentMaker) -> None:
        document_id, rev = header["_id"], header["_rev"]
        if not isinstance(document_id, str) or isinstance(rev, bool) or not isinstance(rev, int):
            raise ValueError(f"_id {document_id!r} or _rev {rev!r} cannot be stored")  # noqa: TRY004  (as documented)
        old = self._rev_of.get(document_id)
        if old is not None:
            self._remove_header(old)
        if rev in self._headers:  # the table's unique index: the other document's header goes, its body stays
            self._remove_header(rev)
        self._revs.insert(bisect_left(self._revs, rev), rev)
        self._headers[rev] = _Header(document_id, encode_inside(json.dumps(header)))
        self._rev_of[document_id] = rev
        self._bodies[document_id] = body

    def _remove_header(self, rev: int) -> None:
        del self._revs[bisect_left(self._revs, rev)]
        del self._rev_of[self._headers.pop(rev).document_id]

    def drop(self, ids: Iterable[str]) -> None:
        """Deletes documents with their headers; unknown ids are passed over."""
        with self._lock:
            for document_id in ids:
                self._bodies.pop(document_id, None)
                if document_id in self._rev_of:
                    self._remove_header(self._rev_of[document_id])

    def reset(self) -> None:
        """The database was made anew: nothing is left, and revisions start at 1."""
        with self._lock:
            self._base_rev = 0
            for table in (self._revs, self._headers, self._rev_of, self._bodies):
                table.clear()

    def newest_ids(self, n: int) -> list[str]:
        """The ids of the `n` newest headers, oldest of them first."""
        with self._lock:
            return [self._headers[rev].document_id for rev in self._revs[len(self._revs) - n if n < len(self) else 0 :]]

    def encoded_headers_from(self, rev: int | None) -> list[tuple[int, bytes]]:
        """Revisions from `rev` on (None: all) with their headers, each as it stands inside a message."""
        with self._lock:
            begin = 0 if rev is None else bisect_left(self._revs, rev)
            return [(r, self._headers[r].encoded) for r in self._revs[begin:]]

    def headers_from(self, rev: int | None) -> list[Document]:
        """The same as dictionaries, in the order of revisions."""
        return [json.loads(json.loads(b'"' + encoded + b'"')) for _, encoded in self.encoded_headers_from(rev)]

    def documents_as_text(self, ids: Iterable[str]) -> list[str]:
        """The JSON of the documents that are there, in no order that was asked for (U6)."""
        asked = sorted(set(ids))  # the table's index gives them in its own order
        with self._lock:
            found = [(document_id, self._bodies[document_id], self._rev_of.get(document_id)) for document_id in asked
                     if document_id in self._bodies]  # fmt: skip
        return [self._text(*row) for row in found]

    def documents(self, ids: Iterable[str]) -> list[Document]:
        """The same as dictionaries."""
        return [json.loads(text) for text in self.documents_as_text(ids)]

    @staticmethod
    def _text(document_id: str, body: bytes | DocumentMaker, rev: int | None) -> str:
        if isinstance(body, bytes):
            return zlib.decompress(body).decode("ascii")
        document = body.make(document_id)
        stamp = document.get("timestamp", document.get("report_timestamp"))
        return json.dumps(document | {"_rev": rev, "timestamp": stamp, "tag": document.get("tag")})
