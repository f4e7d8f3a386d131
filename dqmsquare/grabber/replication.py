"""Replicates one host: what is new is stored and passed, history is filled in, a rewritten history is recognised.

One call of `cycle` is one poll, and `fill` one batch of history. The rules are explained in docs/architecture.md;
threads, pacing and backoff are the worker's.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dqmsquare.errors import UpstreamError, UpstreamRefused
from dqmsquare.grabber.history import History
from dqmsquare.grabber.listing import ListedHeader, Listing
from dqmsquare.grabber.live import LiveAnswer, poll
from dqmsquare.grabber.prefetch import Group, Prefetch
from dqmsquare.grabber.reading import FIRST_GROUP, DocumentReader, Fetched
from dqmsquare.grabber.upstream import HostFeed
from dqmsquare.identity import PublicIds
from dqmsquare.storage.host_record import HostRecord

_logger = logging.getLogger(__name__)

_FIRST_LOOK_REVISIONS = 300  # how far below the newest revision a first start begins
_BREAK_SECONDS = 600.0  # a break in polling after which the host is compared in full


class Replication:
    """Keeps one host's documents in the mirror. Belongs to one thread."""

    def __init__(
        self,
        feed: HostFeed,
        record: HostRecord,
        reader: DocumentReader,
        history: History,
        ids: PublicIds,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._feed = feed
        self._record = record
        self._reader = reader
        self._history = history
        self._ids = ids
        self._monotonic = monotonic
        self._was_empty = False  # the last answer had no header although there is a head
        self._polled_at: float | None = None  # monotonic s
        self._n_waiting = 0  # headers of the answer in hand that are not stored yet

    def cycle(self) -> bool:
        """One poll; False if another grabber has the host. Raises UpstreamError, StoreUnavailable or LeaseLost."""
        if not self._record.hold():
            self._history.forget()
            return False
        if self._record.cursor.head_rev is None:
            self._first_start()
        else:
            self._follow()
        self._note_poll()
        return True

    def fill(self) -> bool:
        """One step of history; True if there is more to do at once. Raises like `cycle`."""
        more = self._history.step()
        self._report_progress()
        return more

    def record_failure(self, error: UpstreamError) -> None:
        """Tells the pages that the host fails, if it is ours to tell. Raises StoreUnavailable or LeaseLost."""
        if self._record.lease.held:
            state = "auth" if isinstance(error, UpstreamRefused) else "backoff"
            self._record.report(state, error=type(error).__name__, n_behind=self._history.n_behind)

    def _first_start(self) -> None:
        """The newest documents first, so that the current run is on the page at once; the rest is history."""
        newest = self._feed.newest()
        if newest is None:
            return  # a host without documents keeps an empty head
        start = max(newest.rev - _FIRST_LOOK_REVISIONS, 0)
        with self._feed.headers(start or None) as messages:
            headers = Listing()
            for message in messages:
                for header in message.headers:
                    headers.add(header)
        if not headers:
            return
        n_taken = min(len(headers), FIRST_GROUP)
        taken = [headers[position] for position in range(len(headers) - n_taken, len(headers))]
        everything = start == 0 and n_taken == len(headers)
        _logger.info("host %s: first start at revision %d", self._record.host_id, taken[-1].rev)
        self._store(self._fetch(taken), {"tail_rev": 0 if everything else taken[0].rev} | self._head(taken[-1]))

    def _follow(self) -> None:
        answer = poll(self._feed, self._ids, self._record.cursor)
        reason = self._rewritten(answer)
        if reason is not None:
            self._history.forget()
            self._record.begin_epoch(reason)
            return
        if answer.is_empty:
            return
        if answer.refused:
            self._record.store((), answer.refused)
        self._store_new(answer.headers)
        if answer.cut is not None:
            raise answer.cut

    def _rewritten(self, answer: LiveAnswer) -> str | None:
        if not answer.is_empty:
            self._was_empty = False
            return answer.rewritten
        if answer.cut is not None:
            return None
        # Asked for the head and what follows, upstream has nothing: believed when it says so twice.
        confirmed, self._was_empty = self._was_empty, not self._was_empty
        return "revisions went down" if confirmed else None

    def _store_new(self, headers: Listing) -> None:
        first = headers.position_of((self._record.cursor.head_rev or 0) + 1)
        self._n_waiting = len(headers) - first
        for group, fetched in Prefetch(f"news of {self._record.host_id}", self._groups(headers, first), self._fetch):
            self._n_waiting -= len(group)
            self._store(fetched, self._head(group[-1]))
        self._n_waiting = 0

    def _groups(self, headers: Listing, first: int) -> Iterator[Group]:
        while first < len(headers):
            end = min(first + self._reader.group_size, len(headers))
            yield [headers[position] for position in range(first, end)]
            first = end

    def _fetch(self, headers: Sequence[ListedHeader]) -> Fetched:
        return self._reader.fetch([header for header in headers if header.is_kept])

    def _store(self, fetched: Fetched, moved: dict[str, Any]) -> None:
        if fetched.n_missing:
            moved = {**moved, "relist": True}
        stored = self._record.store(fetched.documents, fetched.refused, **moved)
        _logger.debug("host %s: %d stored, %d known", self._record.host_id, stored.n_stored, stored.n_unchanged)
        self._report_progress()

    def _head(self, header: ListedHeader) -> dict[str, Any]:
        return {
            "head_rev": header.rev,
            "head_id": self._ids.revision(header.document_id, header.rev, header.stamp),
            "head_document": self._ids.document(header.document_id),
        }

    def _note_poll(self) -> None:
        now = self._monotonic()
        if self._polled_at is not None and now - self._polled_at > _BREAK_SECONDS:
            self._history.ask_for_comparison()
        self._polled_at = now
        self._report_progress()

    def _report_progress(self) -> None:
        if self._record.lease.held:
            n_behind = self._history.n_behind + self._n_waiting
            self._record.report("filling" if self._history.n_behind else "live", n_behind=n_behind)
