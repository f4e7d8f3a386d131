"""The address of the event streams: /api/v1/clusters/<cluster>/events."""

import functools

import bottle

from dqmsquare.server.responses import RETRY_SECONDS, problem
from dqmsquare.server.site import Site
from dqmsquare.server.streams import StreamRefused

_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",  # nginx would keep events back until its buffer is full
}


def add_routes(application: bottle.Bottle, site: Site) -> None:
    """Adds the one route."""
    application.get("/api/v1/clusters/<name>/events", callback=functools.partial(_events, site))


def _events(site: Site, name: str) -> bottle.HTTPResponse:
    cluster = site.clusters.get(name)
    if cluster is None:
        raise problem(404, "There is no such cluster.")
    if bottle.request.method == "HEAD":
        return bottle.HTTPResponse("", 200, **_HEADERS)
    # The browser sends what it saw last when it comes back to the same address.
    after = bottle.request.get_header("Last-Event-ID") or bottle.request.query.get("after")
    try:
        stream = cluster.hub.open(after or None)
    except StreamRefused:
        raise problem(503, "No stream is free: ask again for the page.", Retry_After=str(RETRY_SECONDS)) from None
    return bottle.HTTPResponse(stream, 200, **_HEADERS)
