"""Puts the parts together into one WSGI application; there is none at module level. Site is defined in site.py."""

import functools
import time
from collections.abc import Callable, Iterable
from typing import Any

import bottle

from dqmsquare.errors import StoreUnavailable
from dqmsquare.server import events_route, first_api, guards, metrics
from dqmsquare.server.api_v1 import routes as api_v1
from dqmsquare.server.pages import add_pages
from dqmsquare.server.problems import log_failure, problem_of, render_problem
from dqmsquare.server.responses import RETRY_SECONDS, Problem, problem
from dqmsquare.server.shortcuts import Shortcuts, address_of
from dqmsquare.server.site import Site

# Each adds its routes.
_PARTS: tuple[Callable[[bottle.Bottle, Site], None], ...] = (
    first_api.add_routes,
    api_v1.add_routes,
    events_route.add_routes,
    add_pages,
)
_STYLESHEET = "app.css"


def make_application(site: Site) -> "Application":
    """The whole application: static files, the first API, the events, the pages."""
    application = Application(site)
    application.get("/static/<name:path>", callback=functools.partial(_static_file, site))
    for add_routes in _PARTS:
        add_routes(application, site)
    return application


def _static_file(site: Site, name: str) -> bottle.HTTPResponse:
    return site.assets.respond(name, bottle.request)


def _counted(environ: dict[str, Any], start_response: guards.StartResponse) -> guards.StartResponse:
    begun = time.perf_counter()

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        route = getattr(environ.get("bottle.route"), "rule", "none")
        metrics.count(route, status[:3], time.perf_counter() - begun)
        return start_response(status, headers, exc_info)

    return start


class Application(bottle.Bottle):  # type: ignore[misc]  # Bottle has no types
    """Bottle behind the guards, with errors that show nothing internal. Routes are written without the prefix."""

    def __init__(self, site: Site) -> None:
        super().__init__()
        self.config["json.enable"] = False
        self._site = site
        self._bodies = guards.Bodies()
        self._shortcuts = Shortcuts()
        self.install(self._translating_errors)

    def __call__(self, environ: dict[str, Any], start_response: guards.StartResponse) -> Iterable[bytes]:
        at_hand = self._shortcuts.answer(environ, start_response)
        if at_hand is not None:
            return at_hand
        address = address_of(environ)  # before the prefix is taken off
        start = _counted(environ, guards.with_security_headers(start_response))
        try:
            guards.below_prefix(environ, self._site.config.server_url_prefix)
            guards.check_request(environ)
            with self._bodies.place(environ):
                answer: Iterable[bytes] = self.wsgi(environ, start)
        except Problem as found:
            return guards.answer_problem(found, self._render, environ, start)
        self._shortcuts.learn(address, environ)
        return answer

    def default_error_handler(self, error: bottle.HTTPError) -> bytes:
        """Every error that a route or Bottle itself answers with."""
        found = problem_of(error)
        bottle.response.content_type, body = self._render(found, bottle.request.environ)
        bottle.response.set_header("Cache-Control", "no-store")
        return body

    def _render(self, found: Problem, environ: dict[str, Any]) -> tuple[str, bytes]:
        has_sheet = _STYLESHEET in self._site.assets.names()
        stylesheet = self._site.asset(_STYLESHEET) if has_sheet else None
        return render_problem(found, environ, home=self._site.url("/"), stylesheet=stylesheet)

    def _translating_errors(self, callback: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(callback)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return callback(*args, **kwargs)
            except bottle.HTTPResponse:
                raise
            except StoreUnavailable:
                return self._unavailable()
            except Exception as error:  # noqa: BLE001  (the app's error handler: the reader gets an id, the log the rest)
                error_id = log_failure(error, bottle.request.environ)
                return Problem(500, "Something went wrong here; it has been noted.", {}, error_id=error_id)

        return guarded

    def _unavailable(self) -> Problem:
        gone = [cluster.database.gone_since for cluster in self._site.clusters.values()]
        since = min((instant for instant in gone if instant is not None), default=None)
        words = f"Database unavailable since {since:%Y-%m-%d %H:%M:%S} UTC." if since else "Database unavailable."
        return problem(503, words, Retry_After=str(RETRY_SECONDS))
