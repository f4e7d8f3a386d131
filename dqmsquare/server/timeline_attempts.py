"""What is behind a cell: its card with all attempts, and the way to the job it stands for."""

from collections.abc import Callable
from datetime import datetime

import bottle

from dqmsquare.documents import client_name
from dqmsquare.documents.names import TAG
from dqmsquare.server import judging, views
from dqmsquare.server.frames import HTML, frame, looks, render
from dqmsquare.server.judging import JudgedJob
from dqmsquare.server.live_pages import HIGHEST_RUN
from dqmsquare.server.responses import problem, respond
from dqmsquare.server.site import Site
from dqmsquare.server.snapshots import EventId, Rendered
from dqmsquare.server.watched import Connection
from dqmsquare.storage import queries


class AttemptPages:
    """The routes of one client in one run."""

    def __init__(self, site: Site, clock: Callable[[], datetime]) -> None:
        self._site = site
        self._clock = clock

    def card(self, run: int, tag: str) -> bottle.HTTPResponse:
        """All attempts, worst first."""
        cluster, look = self._site.cluster(bottle.request.query.get("db")), looks(bottle.request)

        def make(connection: Connection, _: EventId) -> Rendered:
            judged = self._read(connection, run, tag)
            lines = [views.job_line(one, last_lumi=None, slope_warning=float("inf")) for one in judged]
            framed = frame(self._site, cluster.name, "/timeline/", look)
            values = {"run": run, "client": client_name(tag), "lines": lines, "frame": framed}
            body = render(self._site, "timeline_card.html", now=self._clock(), **values)
            return Rendered(body, HTML, judging.hold_until(judged), is_shown=False)

        after, key = bottle.request.query.get("after"), ("timeline_card.html", run, tag, *look.values())
        return respond(cluster.snapshots.get(key, make, run=run, after=after), bottle.request)

    def job(self, run: int, tag: str) -> bottle.HTTPResponse:
        """Leads to the worst job, of several the one heard of last."""
        cluster, look = self._site.cluster(bottle.request.query.get("db")), looks(bottle.request)
        with cluster.database.reading() as connection:
            judged = self._read(connection, run, tag)
        if not judged:
            raise problem(404, "This client has no job in this run.")
        address = self._site.url(f"/jobs/{judged[0].job.job_id}", db=cluster.name, palette=look["palette"] or None)
        return bottle.HTTPResponse(b"", 303, Location=address, **{"Cache-Control": "no-store"})

    def _read(self, connection: Connection, run: int, tag: str) -> list[JudgedJob]:
        if run > HIGHEST_RUN or not TAG.fullmatch(tag):
            raise problem(404, "There is no such client.")
        judged = judging.judge_jobs(
            (job for job in queries.jobs_of_run(connection, run) if job.tag == tag),
            newest_run=queries.newest_run(connection),
            host_has_left=judging.hosts_that_left(connection),
            now=self._clock(),
            stuck_after_seconds=self._site.config.stuck_after_seconds,
        )
        newest_first = sorted(judged, key=lambda one: one.job.heard_at, reverse=True)
        return sorted(newest_first, key=lambda one: views.severity(one.state))
