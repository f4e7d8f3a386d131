"""How an error looks: a sentence and an id, as a page, as JSON or as plain text, whichever was asked for."""

import logging
import secrets
from dataclasses import dataclass
from html import escape
from http import HTTPStatus
from typing import Annotated, Any

import orjson

from dqmsquare.server.responses import Problem

PROBLEM_JSON = "application/problem+json"

_logger = logging.getLogger(__name__)

_SENTENCES = {
    400: "This request is not understood.",
    404: "There is no such page.",
    405: "This method is not served here.",
    413: "The request is too large.",
    503: "This is not available at the moment.",
}
_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{status} · DQM² Mirror</title>
{stylesheet}
<main class="problem">
<h1>{status}</h1>
<p>{text}</p>
<p class="problem-id">Error {error_id}</p>
<p><a href="{home}">DQM² Mirror</a></p>
</main>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemDetails:
    """What went wrong, as RFC 9457 has it."""

    type: Annotated[str, "about:blank: the status says what kind of problem it is."]
    title: Annotated[str, "The status in words."]
    status: int
    detail: Annotated[str, "What went wrong, in a sentence."]
    instance: Annotated[str, "This very occurrence, for whoever is asked about it.", {"pattern": "^urn:"}]


def problem_of(error: Any) -> Problem:
    """Bottle's own errors name paths and exceptions: only their status is kept."""
    if isinstance(error, Problem):
        return error
    status = error.status_code
    kept = {name: value for name, value in error.headerlist if name == "Allow"}
    return Problem(status, _SENTENCES.get(status, "Something went wrong here; it has been noted."), kept)


def log_failure(error: Exception, environ: dict[str, Any]) -> str:
    """Logs what no route expected; returns the id that the reader sees."""
    error_id = secrets.token_hex(4)
    rule = getattr(environ.get("bottle.route"), "rule", "?")
    _logger.error("error %s in %s %s", error_id, environ["REQUEST_METHOD"], rule, exc_info=error)
    return error_id


def render_problem(found: Problem, environ: dict[str, Any], *, home: str, stylesheet: str | None) -> tuple[str, bytes]:
    """Media type and body. The first API's sentences stand alone, as people's scripts know them."""
    error_id = found.error_id or secrets.token_hex(4)
    path = environ.get("PATH_INFO", "")
    if path == "/api":
        return "text/plain; charset=utf-8", found.text.encode()
    if path.startswith("/api/"):
        return PROBLEM_JSON, orjson.dumps(_details(found, error_id))
    if "text/html" not in environ.get("HTTP_ACCEPT", ""):
        return "text/plain; charset=utf-8", f"{found.text}\nError {error_id}\n".encode()
    link = f'<link rel="stylesheet" href="{escape(stylesheet)}">' if stylesheet else ""
    page = _PAGE.format(
        status=found.status_line, text=escape(found.text), error_id=error_id, home=escape(home), stylesheet=link
    )
    return "text/html; charset=utf-8", page.encode()


def _details(found: Problem, error_id: str) -> ProblemDetails:
    return ProblemDetails(
        type="about:blank",
        title=HTTPStatus(found.status_code).phrase,
        status=found.status_code,
        detail=found.text,
        instance=f"urn:dqmsquare:error:{error_id}",
    )
