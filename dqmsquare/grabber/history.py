"""What lies behind the live end of a host: filled in after a first start, and compared with upstream once a day."""

import logging
import time
from array import array
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from dqmsquare.config import Config
from dqmsquare.errors import UpstreamError, UpstreamUnreachable
from dqmsquare.grabber.full_listing import FullListing, read_as_much_as_possible, read_listing
from dqmsquare.grabber.prefetch import Group, Prefetch
from dqmsquare.grabber.reading import DocumentReader, Fetched
from dqmsquare.grabber.task import Task
from dqmsquare.grabber.upstream import HostFeed
from dqmsquare.identity import PublicIds
from dqmsquare.storage.host_record import HostRecord

_logger = logging.getLogger(__name__)

_RETRY_SECONDS = 60.0  # after a listing that failed altogether
_STEP_SECONDS = 0.1  # that a step waits for a listing: then its thread looks whether to poll, or to end


class History:
    """Fills and compares one host's history, a batch at a call. `new_feed` makes a feed for the listing's thread.

    `on_failure` is told of each listing that failed, from whichever thread.
    """

    def __init__(
        self,
        record: HostRecord,
        reader: DocumentReader,
        new_feed: Callable[[], HostFeed],
        ids: PublicIds,
        config: Config,
        *,
        on_failure: Callable[[UpstreamError], None] = lambda _: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._record = record
        self._reader = reader
        self._new_feed = new_feed
        self._ids = ids
        self._config = config
        self._on_failure = on_failure
        self._monotonic = monotonic
        self._task: Task[FullListing] | None = None
        self._listing: FullListing | None = None
        self._todo: array[int] = array("L")  # positions in the listing still to be stored, the next one last
        self._coming: Prefetch | None = None  # their documents
        self._not_before = 0.0  # monotonic s
        self._wanted = False
        self._n_missing = 0  # of the listing in use
        self._name = f"history of {record.host_id}"

    @property
    def n_behind(self) -> int:
        """Headers that are listed but not fetched yet."""
        return len(self._todo)

    @property
    def is_busy(self) -> bool:
        """Whether a listing is under way, or in use."""
        return self._task is not None or self._listing is not None

    def ask_for_comparison(self) -> None:
        """Compares at the next opportunity, whenever the last time was."""
        self._wanted = True
        self._not_before = 0.0

    def forget(self) -> None:
        """Throws away what was listed: it belongs to another epoch, or to another grabber."""
        self._task = self._listing = self._coming = None
        self._todo = array("L")
        self._not_before = 0.0

    def step(self) -> bool:
        """One step: True if there is more to do at once. Raises UpstreamError, StoreUnavailable or LeaseLost."""
        if self._listing is not None:
            return self._fetch_batch(self._listing)
        if self._task is None:
            if not self._is_due():
                return False
            self._task = self._begun()
        if not self._task.wait(_STEP_SECONDS):
            return True
        task, self._task = self._task, None
        try:
            self._use(task.result())
        except UpstreamError as error:
            self._on_failure(error)
            self._not_before = self._monotonic() + _RETRY_SECONDS
            # That nobody is there is told once, by the polls.
            _logger.log(
                logging.INFO if isinstance(error, UpstreamUnreachable) else logging.WARNING,
                "host %s: no full listing, next try in %.0f s (%s)",
                self._record.host_id,
                _RETRY_SECONDS,
                type(error).__name__,
            )
        return self._listing is not None

    @property
    def _is_filling(self) -> bool:
        return self._record.cursor.tail_rev != 0

    def _is_due(self) -> bool:
        cursor = self._record.cursor
        if cursor.head_rev is None or self._monotonic() < self._not_before:
            return False
        if self._is_filling or self._wanted or cursor.relist or cursor.compared_at is None:
            return True
        return datetime.now(UTC) - cursor.compared_at >= timedelta(seconds=self._config.full_check_seconds)

    def _begun(self) -> Task[FullListing]:
        feed, config, told = self._new_feed(), self._config, self._on_failure
        tail_rev = self._record.cursor.tail_rev or 0
        # What a fault asked for is not asked for again before its time, whatever comes of this one.
        self._not_before = self._monotonic() + config.relist_seconds
        self._wanted = False
        if self._is_filling:
            return Task(self._name, lambda: read_as_much_as_possible(feed, config, tail_rev, told))
        return Task(self._name, lambda: read_listing(feed, config, 0))

    def _use(self, listing: FullListing) -> None:
        positions = self._below_tail(listing) if self._is_filling else self._differing(listing)
        if positions is None:
            self._record.begin_epoch("the full listing has an older history than the mirror")
            self.forget()
            return
        self._listing, self._todo, self._coming, self._n_missing = listing, positions, None, 0
        kind = "to fill in" if self._is_filling else "that differ"
        _logger.info(
            "host %s: %d headers listed, %d %s", self._record.host_id, len(listing.headers), len(positions), kind
        )
        self._record.store((), listing.refused)

    def _below_tail(self, listing: FullListing) -> "array[int]":
        end = listing.headers.position_of(self._record.cursor.tail_rev or 0)
        return array("L", (position for position in range(end) if listing.headers.is_kept(position)))

    def _differing(self, listing: FullListing) -> "array[int] | None":
        """What is not stored as listed; None where the listing shows that history was rewritten."""
        epoch = self._record.cursor.epoch
        held = self._record.held_documents()
        differing = array("L")
        for position, header in enumerate(listing.headers):
            if not header.is_kept:
                continue
            held_epoch, held_rev, held_stamp = held.get(self._ids.document(header.document_id), (-1, -1, None))
            if held_epoch == epoch and held_rev <= listing.sync_to_rev:
                rewritten = (
                    header.rev == held_rev and None not in (held_stamp, header.stamp) and held_stamp != header.stamp
                )
                if header.rev < held_rev or rewritten:
                    return None
            if (held_epoch, held_rev) < (epoch, header.rev):
                differing.append(position)
        return differing

    def _fetch_batch(self, listing: FullListing) -> bool:
        """Newest first; `tail_rev` falls with every batch that is committed."""
        coming, self._coming = self._coming or Prefetch(self._name, self._groups(listing), self._reader.fetch), None
        headers, fetched = next(coming, ((), Fetched([], [], 0)))
        is_last = len(headers) == len(self._todo)
        self._n_missing += fetched.n_missing
        moved: dict[str, Any] = {"relist": True} if fetched.n_missing else {}
        if self._is_filling:
            moved["tail_rev"] = listing.lowest_rev if is_last else min(header.rev for header in headers)
        self._record.store(fetched.documents, fetched.refused, **moved)
        # Only now: what was not stored for an error is fetched again.
        self._coming = coming
        del self._todo[len(self._todo) - len(headers) :]
        if is_last:
            self._finish(listing)
        return not is_last

    def _groups(self, listing: FullListing) -> Iterator[Group]:
        end = len(self._todo)
        while end:
            begin = max(end - self._reader.group_size, 0)
            yield [listing.headers[position] for position in self._todo[begin:end]]
            end = begin

    def _finish(self, listing: FullListing) -> None:
        self._listing = self._coming = None
        if listing.shortfall is not None:
            self._record.record_gap(listing.lowest_rev - 1, listing.shortfall)
            self._not_before = self._monotonic() + self._config.full_check_seconds
            return
        self._record.forget_gap()
        if not self._n_missing:
            self._record.complete_comparison()
