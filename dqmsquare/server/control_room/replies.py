"""How the Control Room answers: never kept by anybody, and its forms say where they come from."""

import bottle
import orjson

from dqmsquare.errors import CommandRefused
from dqmsquare.server.responses import Problem, problem

TEXT = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
CSV = "text/csv; charset=utf-8"
_HEADERS = {
    "Cache-Control": "no-store",
    # With no-referrer, as everywhere else, a browser would send a form's origin as null.
    "Referrer-Policy": "same-origin",
    "Vary": "Cookie",
}


def respond(body: str | bytes, content_type: str, status: int = 200, **headers: str) -> bottle.HTTPResponse:
    """An answer; `headers` with _ for -."""
    encoded = body if isinstance(body, bytes) else body.encode("utf-8", "replace")
    more = {name.replace("_", "-"): value for name, value in headers.items()}
    lengths = {"Content-Type": content_type, "Content-Length": str(len(encoded))}
    return bottle.HTTPResponse(encoded, status, **_HEADERS, **lengths, **more)


def respond_json(value: object, status: int = 200) -> bottle.HTTPResponse:
    """JSON."""
    return respond(orjson.dumps(value), "application/json", status)


def redirect(path: str) -> bottle.HTTPResponse:
    """To another page of this site, by GET. `path` has the prefix and never the request's Host."""
    return respond("", TEXT, 303, Location=path)


def problem_of(refused: CommandRefused) -> Problem:
    """A refusal as a page or as text, whichever was asked for."""
    headers = {"Retry-After": str(refused.retry_after_seconds)} if refused.retry_after_seconds else {}
    return problem(refused.status, str(refused), **headers)
