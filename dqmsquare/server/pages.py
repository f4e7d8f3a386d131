"""Everything people look at: adds the pages' routes to the application."""

from collections.abc import Callable
from datetime import datetime

import bottle

from dqmsquare.server.alarm_pages import add_alarm_pages
from dqmsquare.server.frames import HTML, frame, looks, prepare_templates, render
from dqmsquare.server.job_pages import add_job_pages
from dqmsquare.server.live_pages import add_live_pages
from dqmsquare.server.site import Site
from dqmsquare.server.statistics_pages import add_statistics_pages
from dqmsquare.server.status_pages import add_status_pages
from dqmsquare.server.timeline_pages import add_timeline_pages
from dqmsquare.server.views import STATE_WORDS
from dqmsquare.server.watched import utc_now


def add_pages(app: bottle.Bottle, site: Site, clock: Callable[[], datetime] = utc_now) -> None:
    """Every page there is. `clock` says what time it is when one is made."""
    prepare_templates(site.templates)
    add_live_pages(app, site, clock)
    add_job_pages(app, site, clock)
    add_alarm_pages(app, site, clock)
    add_timeline_pages(app, site, clock)
    add_statistics_pages(app, site, clock)
    add_status_pages(app, site, clock)
    app.get("/help", callback=lambda: _help(site, clock))


def _help(site: Site, clock: Callable[[], datetime]) -> bottle.HTTPResponse:
    cluster = site.cluster(bottle.request.query.get("db"))
    framed = frame(site, cluster.name, "/help", looks(bottle.request))
    body = render(site, "help.html", now=clock(), frame=framed, states=STATE_WORDS)
    return bottle.HTTPResponse(body, 200, **{"Content-Type": HTML, "Cache-Control": "no-cache"})
