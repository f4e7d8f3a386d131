"""A job's page, the partial in it, its row in the live table, its log: routes and what they read."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import bottle

from dqmsquare.server import judging
from dqmsquare.server.frames import HTML, clusters_to_try, frame, job_id, looks, render
from dqmsquare.server.job_view import JobView, job_view
from dqmsquare.server.live_view import mood
from dqmsquare.server.log_view import log_text, log_view
from dqmsquare.server.responses import Problem, problem, respond
from dqmsquare.server.site import ClusterSite, Site
from dqmsquare.server.snapshots import EventId, Rendered
from dqmsquare.server.watched import Connection, utc_now
from dqmsquare.storage import client_queries, queries

PLAIN_TEXT = "text/plain; charset=utf-8"
_HISTORY_RUNS = 10
_MAKER = Callable[[Connection, ClusterSite, EventId], Rendered]


def add_job_pages(app: bottle.Bottle, site: Site, clock: Callable[[], datetime] = utc_now) -> None:
    """`/jobs/<id>` and what lies below it."""

    def page(template: str, raw_id: str, *, with_log: bool) -> bottle.HTTPResponse:
        look = looks(bottle.request)
        only_errors = bottle.request.query.get("errors") == "1"

        def make(connection: Connection, cluster: ClusterSite, event: EventId) -> Rendered:
            view, holds_until = read_job(connection, site, raw_id, clock())
            log = queries.log_of_job(connection, raw_id) if with_log else None
            path = f"/jobs/{raw_id}/log" if template.startswith("log") else f"/jobs/{raw_id}"
            framed = replace(frame(site, cluster.name, path, look), mood=mood_of(view))
            values = {"log": log_view(log) if log else None, "only_errors": only_errors}
            body = render(site, template, now=view.now, view=view, frame=framed, after=event, **values)
            return Rendered(body, HTML, holds_until)

        return _answer(site, raw_id, (template, only_errors, *look.values()), make)

    app.get("/jobs/<raw_id>", callback=lambda raw_id: page("job.html", raw_id, with_log=True))
    app.get("/jobs/<raw_id>/partial", callback=lambda raw_id: page("job_partial.html", raw_id, with_log=True))
    app.get("/jobs/<raw_id>/row", callback=lambda raw_id: page("job_row.html", raw_id, with_log=True))
    app.get("/jobs/<raw_id>/log", callback=lambda raw_id: page("log.html", raw_id, with_log=True))
    app.get("/jobs/<raw_id>/log/partial", callback=lambda raw_id: page("log_partial.html", raw_id, with_log=True))
    app.get("/jobs/<raw_id>/log.txt", callback=lambda raw_id: _answer(site, raw_id, ("log.txt",), _raw_log(raw_id)))


def mood_of(view: JobView) -> str:
    """The favicon of a job's page."""
    return mood(Counter({view.line.state: 1}))


def read_job(connection: Connection, site: Site, wanted: str, now: datetime) -> tuple[JobView, datetime | None]:
    """A job as of `now`, and until when that holds. Raises a 404 where this cluster has no such job."""
    job = queries.job(connection, wanted)
    if job is None:
        raise problem(404, "There is no such job.")
    jobs = queries.jobs_of_run(connection, job.run)
    judged = judging.judge_jobs(
        jobs,
        newest_run=queries.newest_run(connection),
        host_has_left=judging.hosts_that_left(connection),
        now=now,
        stuck_after_seconds=site.config.stuck_after_seconds,
    )
    view = job_view(
        job,
        run=queries.run_summary(connection, job.run),
        judged=judged,
        series=queries.series_of_job(connection, wanted),
        history=client_queries.client_history(connection, job.tag, job.run - 1, _HISTORY_RUNS),
        slope_warning=site.config.memory_slope_warning_mb_per_hour,
        now=now,
    )
    return view, judging.hold_until(judged)


def _raw_log(wanted: str) -> _MAKER:
    def make(connection: Connection, cluster: ClusterSite, event: EventId) -> Rendered:  # noqa: ARG001
        row = queries.log_of_job(connection, wanted)
        if row is None:
            raise problem(404, "There is no log of that job.")
        return Rendered(log_text(row).encode("utf-8", "replace"), PLAIN_TEXT)

    return make


def _answer(site: Site, raw_id: str, key: tuple[object, ...], make: _MAKER) -> bottle.HTTPResponse:
    """From the cluster that has the job: an id does not say which one that is."""
    wanted, after = job_id(raw_id), bottle.request.query.get("after")
    not_there: Problem | None = None
    for cluster in clusters_to_try(site, bottle.request):

        def make_here(connection: Connection, event: EventId, cluster: ClusterSite = cluster) -> Rendered:
            return make(connection, cluster, event)

        try:
            # A job's run is not known before it is read, so any change may concern it.
            return respond(cluster.snapshots.get((*key, wanted), make_here, run=None, after=after), bottle.request)
        except Problem as error:
            not_there = not_there or error
    raise not_there or problem(404, "There is no such job.")
