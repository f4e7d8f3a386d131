"""How an error looks: a sentence and an id, as a page, as JSON or as plain text, whichever was asked for."""

import logging
import secrets
from html import escape
from typing import Any

import orjson

from dqmsquare.server.responses import Problem

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
        return "application/json", orjson.dumps({"error": found.text, "id": error_id})
    if "text/html" not in environ.get("HTTP_ACCEPT", ""):
        return "text/plain; charset=utf-8", f"{found.text}\nError {error_id}\n".encode()
    link = f'<link rel="stylesheet" href="{escape(stylesheet)}">' if stylesheet else ""
    page = _PAGE.format(
        status=found.status_line, text=escape(found.text), error_id=error_id, home=escape(home), stylesheet=link
    )
    return "text/html; charset=utf-8", page.encode()
