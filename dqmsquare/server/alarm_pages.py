"""The list of alarms: a page of its own, and the partial that every page's bell and that page fetch."""

from collections.abc import Callable
from datetime import datetime

import bottle

from dqmsquare.server.alarm_view import alarm_line
from dqmsquare.server.frames import HTML, frame, looks, render
from dqmsquare.server.responses import respond
from dqmsquare.server.site import Site
from dqmsquare.server.snapshots import EventId, Rendered
from dqmsquare.server.watched import Connection, utc_now
from dqmsquare.storage import alarm_queries

_IN_THE_BELL = 20
_ON_THE_PAGE = 200


def add_alarm_pages(app: bottle.Bottle, site: Site, clock: Callable[[], datetime] = utc_now) -> None:
    """`/alarms` and `/alarms/partial`; with `?whole=1` the partial is the page's, else the bell's."""
    app.get("/alarms", callback=lambda: _alarms(site, clock, "alarms.html", is_whole=True))
    app.get(
        "/alarms/partial",
        callback=lambda: _alarms(site, clock, "alarms_partial.html", is_whole=bottle.request.query.get("whole") == "1"),
    )


def _alarms(site: Site, clock: Callable[[], datetime], template: str, *, is_whole: bool) -> bottle.HTTPResponse:
    cluster, look = site.cluster(bottle.request.query.get("db")), looks(bottle.request)

    def make(connection: Connection, event: EventId) -> Rendered:
        rows = alarm_queries.recent_alarms(connection, _ON_THE_PAGE if is_whole else _IN_THE_BELL)
        body = render(
            site,
            template,
            now=clock(),
            lines=[alarm_line(row, cluster.name) for row in rows],
            is_whole=is_whole,
            frame=frame(site, cluster.name, "/alarms", look),
            after=event,
        )
        return Rendered(body, HTML)

    after = bottle.request.query.get("after")
    key = (template, is_whole, *look.values())
    return respond(cluster.snapshots.get(key, make, run=None, after=after), bottle.request)
