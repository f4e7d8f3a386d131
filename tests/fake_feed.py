"""A host's feed without HTTP: the simulator's store behind the interface that replication asks through."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from dqmsquare.documents import read_header
from dqmsquare.errors import UpstreamMalformed, UpstreamUnavailable, UpstreamUnreachable
from dqmsquare.grabber.messages import HeaderMessage
from dqmsquare.grabber.upstream import DocumentAnswer, HeaderAnswer, HostFeed, Newest
from dqmsquare.simulator.store import HostStore


class FakeAnswer(HeaderAnswer):
    """Messages of `size` headers; `cut_after` ends the answer by an error after so many."""

    def __init__(self, rows: list[dict[str, Any]], sync_to_rev: int, size: int, cut_after: int | None) -> None:
        self._rows, self._sync_to_rev, self._size, self._cut_after = rows, sync_to_rev, size, cut_after
        self._complete = False

    def __iter__(self) -> Iterator[HeaderMessage]:
        for number, start in enumerate(range(0, len(self._rows), self._size)):
            if number == self._cut_after:
                raise UpstreamMalformed("cut", kind="cut")
            part = self._rows[start : start + self._size]
            headers = [read_header(row) for row in part]
            yield HeaderMessage(headers, [], self._sync_to_rev, start + len(part), len(self._rows))
        self._complete = True


class FakeFeed(HostFeed):
    """Answers from `store`; its public attributes are the faults."""

    def __init__(self, store: HostStore, host_id: str) -> None:
        self.store = store
        self.host_id = host_id
        self.message_size = 1000
        self.cut_after: int | None = None
        self.no_full_listing = False
        self.lowest_listed = 0
        self.left_out: set[str] = set()
        self.is_dead = False
        self.n_listings = 0
        self.asked: list[tuple[str, ...]] = []

    @contextlib.contextmanager
    def headers(
        self, known_rev: int | None, *, deadline_seconds: float | None = None, pause_seconds: float | None = None
    ) -> Iterator[FakeAnswer]:
        if self.is_dead:
            raise UpstreamUnreachable("dead")
        if known_rev is not None and known_rev < self.lowest_listed:
            raise UpstreamUnavailable("it takes too long")
        if known_rev is None:
            self.n_listings += 1
        cut_after = 0 if known_rev is None and self.no_full_listing else self.cut_after
        yield FakeAnswer(self.store.headers_from(known_rev), self.store.newest_rev, self.message_size, cut_after)

    def newest(self, known_rev: int | None = None) -> Newest | None:
        if self.is_dead:
            raise UpstreamUnreachable("dead")
        return Newest(self.store.newest_rev, len(self.store)) if len(self.store) else None

    def documents(self, ids: Sequence[str]) -> DocumentAnswer:
        if self.is_dead:
            raise UpstreamUnreachable("dead")
        self.asked.append(tuple(ids))
        found = {d["_id"]: d for d in self.store.documents(ids) if d["_id"] not in self.left_out}
        return DocumentAnswer(documents=found)
