"""The mirror's first API (/api?what=…), kept for the scripts and pages that people have."""

import functools
import itertools
import re
from collections.abc import Callable
from datetime import datetime, timedelta

import bottle
import orjson

from dqmsquare.config import CLUSTERS
from dqmsquare.server import first_api_shapes as shapes
from dqmsquare.server.first_api_runs import first_and_last, runs_in_pieces, whole_answer
from dqmsquare.server.rendered import EventId, Rendered
from dqmsquare.server.responses import problem
from dqmsquare.server.shortcuts import respond_by_address
from dqmsquare.server.site import ClusterSite, Site
from dqmsquare.server.watched import Connection, utc_now
from dqmsquare.storage import host_queries, queries

JSON = "application/json"
_HTML = "text/html; charset=utf-8"
_INTEGER = re.compile(r"\s*[+-]?[0-9]{1,18}\s*")
_HIGHEST_RUN = 2**31 - 1  # of the database's integers; no run is above 9,999,999
_AGES_HOLD = timedelta(seconds=1)
_WHOLE_ANSWER_RUNS_MAX = 1_000  # a wider range is sent as it is read
_SHOWN_WORD_MAX = 60

Answer = Callable[[ClusterSite], bottle.HTTPResponse]


def add_routes(application: bottle.Bottle, site: Site) -> None:
    """Adds the one route."""
    application.get("/api", callback=functools.partial(_api, site))


def _api(site: Site) -> bottle.HTTPResponse:
    what = _parameter("what", "")
    answer = _ANSWERS.get(what)
    if answer is None:
        shown = "".join(character for character in what if character.isprintable())[:_SHOWN_WORD_MAX]
        raise problem(404, f"{shown or 'An empty what'} is not supported")
    name = _parameter("cluster" if what == "get_cluster_status" else "db", CLUSTERS[0])
    if name not in site.clusters:
        raise problem(400, f"db must be one of {list(CLUSTERS)}")
    return answer(site.clusters[name])


def _get_info(cluster: ClusterSite) -> bottle.HTTPResponse:
    def make(connection: Connection, _: EventId) -> Rendered:
        return _json(queries.run_range(connection) or (None, None))

    return respond_by_address(cluster.snapshots, "get_info", make, run=None, max_age_seconds=1)


def _get_run(cluster: ClusterSite) -> bottle.HTTPResponse:
    run = _integer("run")

    def make(connection: Connection, _: EventId) -> Rendered:
        now = utc_now()
        jobs = queries.jobs_of_run(connection, run)
        answer = [queries.neighbours(connection, run), shapes.run_answer(jobs, now)]
        # The ages in it are of this moment.
        return _json(answer, holds_until=now + _AGES_HOLD)

    return respond_by_address(cluster.snapshots, ("get_run", run), make, run=None)


def _get_runs(cluster: ClusterSite) -> bottle.HTTPResponse:
    first, last = first_and_last(_integer("from"), _integer("to"))
    chosen = shapes.JobFilter(bad_only=bool(_integer("bad_only")), with_lumis=bool(_integer("ls")))
    if last - first >= _WHOLE_ANSWER_RUNS_MAX:
        pieces = runs_in_pieces(cluster.database, first, last, chosen)
        begun = itertools.chain([next(pieces)], pieces)  # the first is read here, where a 503 can still be told
        return bottle.HTTPResponse(begun, 200, **{"Content-Type": JSON, "Cache-Control": "no-cache"})

    def make(connection: Connection, _: EventId) -> Rendered:
        return Rendered(whole_answer(connection, first, last, chosen), JSON)

    key = ("get_runs", first, last, chosen)
    return respond_by_address(cluster.snapshots, key, make, run=None, max_age_seconds=1)


def _get_clients(cluster: ClusterSite) -> bottle.HTTPResponse:
    first, last = first_and_last(_integer("from"), _integer("to"))

    def make(connection: Connection, _: EventId) -> Rendered:
        return _json(shapes.clients_answer(queries.tags_between(connection, first, last)))

    key = ("get_clients", first, last)
    return respond_by_address(cluster.snapshots, key, make, run=None, max_age_seconds=1)


def _get_graph(cluster: ClusterSite) -> bottle.HTTPResponse:
    run = _integer("run")

    def make(connection: Connection, _: EventId) -> Rendered:
        return _json(shapes.graph_answer(queries.delivery_of_run(connection, run)))

    return respond_by_address(cluster.snapshots, ("get_graph", run), make, run=run, max_age_seconds=1)


def _get_logs(cluster: ClusterSite) -> bottle.HTTPResponse:
    job_id = _parameter("id", "")

    def make(connection: Connection, _: EventId) -> Rendered:
        log = queries.log_of_job(connection, job_id)
        if log is None and queries.job(connection, job_id) is None:
            raise problem(404, "There is no job with this id")
        return Rendered(shapes.log_page(log), _HTML)

    return respond_by_address(cluster.snapshots, ("get_logs", job_id), make, run=None, max_age_seconds=1)


def _get_cluster_status(cluster: ClusterSite) -> bottle.HTTPResponse:
    def make(connection: Connection, _: EventId) -> Rendered:
        # When a host was last seen is stored without an event.
        hosts = shapes.cluster_status_answer(host_queries.hosts_of_cluster(connection))
        return _json(hosts, holds_until=utc_now() + _AGES_HOLD)

    return respond_by_address(cluster.snapshots, "get_cluster_status", make, run=None, max_age_seconds=1)


_ANSWERS: dict[str, Answer] = {
    "get_info": _get_info,
    "get_run": _get_run,
    "get_runs": _get_runs,
    "get_clients": _get_clients,
    "get_graph": _get_graph,
    "get_logs": _get_logs,
    "get_cluster_status": _get_cluster_status,
}


def _json(answer: object, *, holds_until: datetime | None = None) -> Rendered:
    return Rendered(orjson.dumps(answer), JSON, holds_until, is_shown=False)


def _parameter(name: str, default: str) -> str:
    """The first value of that name, as today; others are passed over."""
    values = bottle.request.query.getall(name)
    return str(values[0]) if values else default


def _integer(name: str) -> int:
    """A parameter as integer, 0 where it is not given, as today."""
    text = _parameter(name, "0")
    if not _INTEGER.fullmatch(text):
        raise problem(400, f"{name} must be an integer")
    return max(-_HIGHEST_RUN, min(int(text), _HIGHEST_RUN))
