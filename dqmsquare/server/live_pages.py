"""The live page, the partial in it, and the files of a run: routes and what they read."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import bottle
import orjson

from dqmsquare.server import delivery_view, judging
from dqmsquare.server.frames import HTML, Frame, frame, looks, render, whole_number
from dqmsquare.server.live_view import Q_MAX_LENGTH, Choice, LiveView, live_view
from dqmsquare.server.responses import problem, respond
from dqmsquare.server.shortcuts import respond_by_address
from dqmsquare.server.site import Site
from dqmsquare.server.snapshots import EventId, Rendered
from dqmsquare.server.views import SORT_KEYS
from dqmsquare.server.watched import Connection, utc_now
from dqmsquare.states import State
from dqmsquare.storage import host_queries, queries

HIGHEST_RUN = 9_999_999


def add_live_pages(app: bottle.Bottle, site: Site, clock: Callable[[], datetime] = utc_now) -> None:
    """`/`, `/live/partial`, `/runs/<run>/delivery` and its JSON."""

    def live(template: str) -> bottle.HTTPResponse:
        choice = read_choice(site, bottle.request)

        def make(connection: Connection, event: EventId) -> Rendered:
            view, holds_until = read_live(connection, site, choice, clock())
            framed = live_frame(site, view)
            body = render(site, template, now=view.now, view=view, frame=framed, after=event)
            return Rendered(body, HTML, holds_until)

        snapshots = site.clusters[choice.cluster].snapshots
        after = bottle.request.query.get("after")
        return respond_by_address(snapshots, (template, choice), make, run=choice.run, after=after)

    app.get("/", callback=lambda: live("live.html"))
    app.get("/live/partial", callback=lambda: live("live_partial.html"))
    app.get("/runs/<run:int>/delivery", callback=lambda run: _delivery_page(site, run, clock))
    app.get("/runs/<run:int>/delivery.json", callback=lambda run: _delivery_json(site, run))


def read_choice(site: Site, request: bottle.BaseRequest) -> Choice:
    """What the URL asks for. An unknown sort, state or palette counts as not said, so that old links still open."""
    state, sort, look = request.query.get("state", ""), request.query.get("sort", ""), looks(request)
    return Choice(
        cluster=site.cluster(request.query.get("db")).name,
        run=whole_number(request, "run", HIGHEST_RUN),
        sort=sort if sort.removeprefix("-") in SORT_KEYS else "state",
        state=State(state) if state in set(State) else None,
        q=request.query.get("q", "")[:Q_MAX_LENGTH],
        palette=str(look["palette"]),
        kiosk=bool(look["kiosk"]),
    )


def live_frame(site: Site, view: LiveView) -> Frame:
    """The live page's frame; its links keep the whole view."""

    def here(**changes: object) -> str:
        return site.url("/", **view.choice.query(**changes))

    choice = view.choice
    return Frame(
        cluster=choice.cluster, section="Live", here=here, palette=choice.palette, kiosk=choice.kiosk, mood=view.mood
    )


def read_live(connection: Connection, site: Site, choice: Choice, now: datetime) -> tuple[LiveView, datetime | None]:
    """The live page as of `now`, and until when it holds."""
    newest = queries.newest_run(connection)
    number = choice.run or newest
    run = queries.run_summary(connection, number) if number else None
    jobs = queries.jobs_of_run(connection, run.run) if run else []
    hosts = host_queries.hosts_of_cluster(connection)
    judged = judging.judge_jobs(
        jobs,
        newest_run=newest,
        host_has_left={host.host_id: host.has_left for host in hosts},
        now=now,
        stuck_after_seconds=site.config.stuck_after_seconds,
    )
    expected = queries.expected_tags(connection, run.run) if run else []
    view = live_view(
        choice,
        run=run,
        judged=judged,
        missing=judging.missing_tags(judged, expected),
        neighbours=queries.neighbours(connection, number) if number else (None, None),
        newest_run=newest,
        recent=queries.recent_runs(connection),
        playback=queries.playback_of_run(connection, run.run) if run else None,
        hosts=hosts,
        slope_warning=site.config.memory_slope_warning_mb_per_hour,
        now=now,
    )
    return view, judging.hold_until(judged)


def _delivery_page(site: Site, run: int, clock: Callable[[], datetime]) -> bottle.HTTPResponse:
    cluster, look = site.cluster(bottle.request.query.get("db")), looks(bottle.request)
    by_ctime = bottle.request.query.get("time") == "ctime"

    def make(connection: Connection, event: EventId) -> Rendered:
        row = queries.delivery_of_run(connection, run)
        table = delivery_view.delivery_table(row, by_ctime=by_ctime) if row else None
        framed = replace(frame(site, cluster.name, f"/runs/{run}/delivery", look), section="Live")
        now = clock()
        body = render(site, "delivery.html", now=now, run=run, table=table, frame=framed, after=event)
        return Rendered(body, HTML)

    key = ("delivery.html", run, by_ctime, *look.values())
    return respond(cluster.snapshots.get(key, make, run=run), bottle.request)


def _delivery_json(site: Site, run: int) -> bottle.HTTPResponse:
    cluster = site.cluster(bottle.request.query.get("db"))

    def make(connection: Connection, event: EventId) -> Rendered:  # noqa: ARG001
        row = queries.delivery_of_run(connection, run)
        if row is None:
            raise problem(404, f"There are no files of run {run}.")
        return Rendered(orjson.dumps(delivery_view.delivery_data(row)), "application/json")

    return respond(cluster.snapshots.get(("delivery.json", run), make, run=run), bottle.request)
