"""Answers at hand go out before Bottle is asked: most requests ask for the same few answers, again and again.

An address is learned when a route has answered it with a snapshot; from then on it is looked up, not routed, for as
long as that snapshot is good.
"""

import functools
from collections.abc import Callable, Hashable
from dataclasses import dataclass

import bottle

from dqmsquare.server import guards, metrics
from dqmsquare.server.rendered import EventId, Snapshot
from dqmsquare.server.responses import SECURITY_HEADERS, cache_control, in_best_form, respond
from dqmsquare.server.snapshots import Make, Snapshots

_ADDRESSES_MAX = 2_000  # anybody may make up addresses: then all are forgotten, and learned again
_LEARNED = "dqmsquare.shortcut"

Address = tuple[str, str]


@dataclass(frozen=True, slots=True)
class _Shortcut:
    find: Callable[[], Snapshot | None]
    cache_control: str
    rule: str = ""


def respond_by_address(
    snapshots: Snapshots,
    key: Hashable,
    make: Make,
    *,
    run: int | None,
    after: EventId | None = None,
    max_age_seconds: int = 0,
) -> bottle.HTTPResponse:
    """Answers with the snapshot of `key` (see Snapshots.get), and has its address learned.

    Only for answers that follow from path and query alone: no cookie, no header but those of responses.respond.
    """
    snapshot = snapshots.get(key, make, run=run, after=after)
    find = functools.partial(snapshots.at_hand, key, after)
    bottle.request.environ[_LEARNED] = _Shortcut(find, cache_control(max_age_seconds))
    return respond(snapshot, bottle.request, max_age_seconds=max_age_seconds)


class Shortcuts:
    """The addresses that one application has learned. Safe to use from many threads."""

    def __init__(self) -> None:
        self._known: dict[Address, _Shortcut] = {}

    def answer(self, environ: guards.Environ, start_response: guards.StartResponse) -> list[bytes] | None:
        """The answer where it is at hand; None where Bottle must be asked."""
        shortcut = self._known.get(address_of(environ))
        if shortcut is None or not _is_plain(environ):
            return None
        snapshot = shortcut.find()
        if snapshot is None:
            return None
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        status, headers, body = in_best_form(
            snapshot, environ.get("HTTP_IF_NONE_MATCH", ""), accepted, shortcut.cache_control
        )
        metrics.count(shortcut.rule, status[:3])
        start_response(status, [*headers, *SECURITY_HEADERS])
        return [body] if body else []

    def learn(self, address: Address, environ: guards.Environ) -> None:
        """To be called when Bottle has answered."""
        found = environ.get(_LEARNED)
        if found is None:
            return
        if len(self._known) >= _ADDRESSES_MAX:
            self._known.clear()
        self._known[address] = _Shortcut(found.find, found.cache_control, environ["bottle.route"].rule)


def address_of(environ: guards.Environ) -> Address:
    """Path and query as they were sent."""
    return environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", "")


def _is_plain(environ: guards.Environ) -> bool:
    """Whether it is a GET without a body: anything else is for the guards to judge."""
    return (
        environ["REQUEST_METHOD"] == "GET"
        and environ.get("CONTENT_LENGTH") in {None, "", "0"}
        and not environ.get("HTTP_TRANSFER_ENCODING")
    )
