"""A host's full listing, read by a thread of its own while live polls go on."""

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


def read_as_much_as_possible(
    feed: HostFeed, config: Config, tail_rev: int, on_failure: Callable[[UpstreamError], None]
) -> FullListing:
    """The full listing, or where upstream cannot give it the longest one below `tail_rev` that it can.

    Raises UpstreamError if it can give none at all; `on_failure` is told of those that were put up with.
    """
    try:
        return read_listing(feed, config, 0)
    except UpstreamError as error:
        on_failure(error)
        shortfall = type(error).__name__
    best: FullListing | None = None
    span = _FIRST_SPAN_REVISIONS
    while best is None or best.lowest_rev > 0:
        try:
            best = read_listing(feed, config, max(tail_rev - span, 0))
        except UpstreamError as error:
            if best is None:
                raise
            on_failure(error)
            best.shortfall = shortfall
            return best
        span *= 2
    return best
