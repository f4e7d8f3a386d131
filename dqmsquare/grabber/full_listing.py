"""A host's full listing, read by a thread of its own while live polls go on."""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from dqmsquare.config import Config
from dqmsquare.errors import UpstreamError, UpstreamMalformed
from dqmsquare.grabber.listing import Listing
from dqmsquare.grabber.upstream import HostFeed
from dqmsquare.storage.store import Refused

_FIRST_SPAN_REVISIONS = 1_000


@dataclass(slots=True)
class FullListing:
    """What upstream listed. `lowest_rev` is 0, or where it could be listed from, then with `shortfall`'s reason."""

    headers: Listing = field(default_factory=Listing)
    refused: list[Refused] = field(default_factory=list)
    sync_to_rev: int = 0
    lowest_rev: int = 0
    shortfall: str | None = None


def read_listing(feed: HostFeed, config: Config, known_rev: int) -> FullListing:
    """Everything from `known_rev` up (0: everything). Raises UpstreamError unless it is complete."""
    listing = FullListing(lowest_rev=known_rev)
    deadline, pause = config.listing_deadline_seconds, config.listing_pause_seconds
    with feed.headers(known_rev or None, deadline_seconds=deadline, pause_seconds=pause) as answer:
        for message in answer:
            listing.sync_to_rev = max(listing.sync_to_rev, message.sync_to_rev)
            for header in message.headers:
                listing.headers.add(header)
            listing.refused += (Refused(r.reason, rev=-1 if r.rev is None else r.rev) for r in message.refused)
        if not answer.complete:
            raise UpstreamMalformed("a listing came incomplete", host=feed.host_id, kind="incomplete")
    return listing


def read_as_much_as_possible(feed: HostFeed, config: Config, tail_rev: int) -> FullListing:
    """The full listing, or where upstream cannot give it the longest one below `tail_rev` that it can.

    Raises UpstreamError if it can give none at all.
    """
    try:
        return read_listing(feed, config, 0)
    except UpstreamError as error:
        shortfall = type(error).__name__
    best: FullListing | None = None
    span = _FIRST_SPAN_REVISIONS
    while best is None or best.lowest_rev > 0:
        try:
            best = read_listing(feed, config, max(tail_rev - span, 0))
        except UpstreamError:
            if best is None:
                raise
            best.shortfall = shortfall
            return best
        span *= 2
    return best


class ListingTask:
    """One listing under way. `result` once it is done; the thread ends with its deadline at the latest."""

    def __init__(self, name: str, read: Callable[[], FullListing]) -> None:
        self._read = read
        self._thread = threading.Thread(target=self._run, name=f"listing {name}", daemon=True)
        self._outcome: FullListing | Exception | None = None
        self._thread.start()

    @property
    def done(self) -> bool:
        """Whether `result` has something to say."""
        return self._outcome is not None

    def result(self) -> FullListing:
        """The listing. Raises what went wrong while it was read."""
        if self._outcome is None:
            raise RuntimeError("the listing is still under way")
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return self._outcome

    def _run(self) -> None:
        try:
            self._outcome = self._read()
        except Exception as error:  # noqa: BLE001  (handed to the worker's thread, which judges it)
            self._outcome = error
