"""What is settled before a route is asked: where the site lies, methods, bodies, and headers for every answer."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from dqmsquare.server.responses import SECURITY_HEADERS, Problem, problem
from dqmsquare.server.slow_bodies import Body, Readings

METHODS = ("GET", "HEAD", "POST")
BODY_MAX_BYTES = 64 * 1024

_BODIES_AT_ONCE = 16  # a slow sender holds a thread: the worker reads a body where it is asked for, and waits

StartResponse = Callable[..., Any]
Environ = dict[str, Any]


class Bodies:
    """At most so many requests with a body are handled at once; the others are refused without reading theirs."""

    def __init__(self, places: int = _BODIES_AT_ONCE) -> None:
        self._places = threading.BoundedSemaphore(places)
        self._readings = Readings()

    @contextmanager
    def place(self, environ: Environ) -> Iterator[None]:
        """Raises a 503 where no place is left. The body may then be read, once, within its time."""
        n_bytes = int(environ.get("CONTENT_LENGTH") or 0)
        if not n_bytes:
            yield
            return
        if not self._places.acquire(blocking=False):
            raise problem(503, "Too many requests with a body at once.", Retry_After="1", Connection="close")
        port = int(environ.get("SERVER_PORT", 0))
        environ["wsgi.input"] = Body(environ["wsgi.input"], n_bytes, port, self._readings)
        try:
            yield
        finally:
            self._places.release()


def below_prefix(environ: Environ, prefix: str) -> None:
    """Takes the prefix off the path; a path outside it raises a 404."""
    path = environ.get("PATH_INFO", "")
    if path != prefix and not path.startswith(f"{prefix}/"):
        raise problem(404, "There is no such page.")
    environ["SCRIPT_NAME"] = prefix
    environ["PATH_INFO"] = path[len(prefix) :] or "/"
    if not _is_text(path):
        raise problem(404, "There is no such page.")


def _is_text(path: str) -> bool:
    """Whether it is UTF-8 in WSGI's spelling. Bottle would leave out what is not, and find another page."""
    try:
        path.encode("latin-1").decode()
    except UnicodeError:
        return False
    return True


def check_request(environ: Environ) -> None:
    """Raises a 405 for a method nobody serves, a 400 or 413 for a body that is not taken.

    Bottle cannot read a chunked body under Granian; the connection is closed, so that nothing is taken for a request.
    """
    if environ["REQUEST_METHOD"] not in METHODS:
        raise problem(405, "This method is not served.", Allow=", ".join(METHODS))
    if environ.get("HTTP_TRANSFER_ENCODING"):
        raise problem(400, "A body must have a Content-Length.", Connection="close")
    length = environ.get("CONTENT_LENGTH") or "0"
    if not (length.isascii() and length.isdecimal()):
        raise problem(400, "Content-Length is not a number.", Connection="close")
    if int(length) > BODY_MAX_BYTES:
        raise problem(413, f"A body may have {BODY_MAX_BYTES} bytes.", Connection="close")


def with_security_headers(start_response: StartResponse) -> StartResponse:
    """Adds what every answer carries, unless the answer has its own."""

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        present = {name.lower() for name, _ in headers}
        more = [header for header in SECURITY_HEADERS if header[0].lower() not in present]
        return start_response(status, headers + more, exc_info)

    return start


def answer_problem(
    found: Problem, render: Callable[[Problem, Environ], tuple[str, bytes]], environ: Environ, start: StartResponse
) -> Iterable[bytes]:
    """A problem found before Bottle was asked. `render` gives media type and body."""
    content_type, body = render(found, environ)
    headers = [
        ("Content-Type", content_type),
        ("Content-Length", str(len(body))),
        ("Cache-Control", "no-store"),
        *((name, value) for name, value in found.headerlist if name not in {"Content-Type", "Content-Length"}),
    ]
    start(found.status_line, headers)
    return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
