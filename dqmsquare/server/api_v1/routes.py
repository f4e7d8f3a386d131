"""The addresses of /api/v1: a request is checked, answered from the snapshots, and sent."""

import functools
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import bottle
import orjson

from dqmsquare.server.api_v1.asked import Asked
from dqmsquare.server.api_v1.clusters import cluster_list
from dqmsquare.server.api_v1.openapi import openapi_document
from dqmsquare.server.api_v1.operation import BASE, JSON, NOUNS, PLACES, Operation
from dqmsquare.server.api_v1.operations import OPERATIONS
from dqmsquare.server.api_v1.parameters import NoQuestion, Question, matches, read_query
from dqmsquare.server.counting import NO_RUN, CountingPlaces
from dqmsquare.server.rendered import EventId, Rendered, Snapshot
from dqmsquare.server.responses import RETRY_SECONDS, negotiated, problem, respond
from dqmsquare.server.site import Site
from dqmsquare.server.watched import Connection, utc_now

_OPTIONS = orjson.OPT_UTC_Z
_FIXED = "max-age=300"  # answers that only another version of the program changes


def add_routes(application: bottle.Bottle, site: Site, clock: Callable[[], datetime] = utc_now) -> None:
    """Adds a route for each operation, and what is the same as long as the process lives."""
    for path, content in (("/openapi.json", openapi_document(site)), ("/clusters", cluster_list(site))):
        application.get(BASE + path, callback=functools.partial(_fixed, _as_json(content)))
    api = _Api(site, clock)
    for operation in OPERATIONS:
        application.get(operation.rule, callback=functools.partial(api.answer, operation))


def _as_json(value: object) -> Snapshot:
    return Snapshot(Rendered(orjson.dumps(value, option=_OPTIONS), JSON), "", 0)


def _fixed(content: Snapshot) -> bottle.HTTPResponse:
    read_query(NoQuestion, bottle.request.query.allitems())
    return negotiated(content, bottle.request, _FIXED)


class _Api:
    def __init__(self, site: Site, clock: Callable[[], datetime]) -> None:
        self._site = site
        self._clock = clock
        self._counting = CountingPlaces()

    def answer(self, operation: Operation, **places: str) -> bottle.HTTPResponse:
        """To the request that Bottle has at hand; `places` is what stands in its path."""
        for name, text in places.items():
            if not matches(text, PLACES[name]):
                raise problem(404, f"There is no such {NOUNS[name]}.")
        query = read_query(operation.query, bottle.request.query.allitems())
        snapshot = self._snapshot(operation, places, query)
        if snapshot.stale_since is not None:
            since = f"{snapshot.stale_since:%Y-%m-%d %H:%M:%S}"
            raise problem(503, f"Database unavailable since {since} UTC.", Retry_After=str(RETRY_SECONDS))
        answer = respond(snapshot, bottle.request, max_age_seconds=1)
        answer.set_header("Event-Id", snapshot.event_id)
        return answer

    def _snapshot(self, operation: Operation, places: dict[str, str], query: Question) -> Snapshot:
        cluster, path = self._site.clusters[places["cluster"]], bottle.request.path

        def make(connection: Connection, _: EventId) -> Rendered:
            now = self._clock()
            asked = Asked(site=self._site, cluster=cluster.name, path=path, places=places, query=query, now=now)
            found = operation.read(connection, asked)
            return Rendered(_body(found.value), operation.media, found.holds_until, is_shown=False)

        key = (BASE, operation.name, *places.values(), replace(query, after=""))
        after = query.after or None
        if operation.is_counting:
            at_hand = cluster.snapshots.at_hand(key, after)
            if at_hand is not None:
                return at_hand
            with self._counting.place():
                return cluster.snapshots.get(key, make, run=NO_RUN, after=after)
        return cluster.snapshots.get(key, make, run=int(places["run"]) if "run" in places else None, after=after)


def _body(value: object) -> bytes:
    return value.encode("utf-8", "replace") if isinstance(value, str) else orjson.dumps(value, option=_OPTIONS)
