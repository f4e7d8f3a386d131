"""Answers: a snapshot as bytes with ETag and compression, and problems as a status with a sentence."""

import functools
import re
from datetime import datetime
from typing import Any, Protocol

import bottle

# A page puts it at the top of its content, where the words "Database unavailable since" go when they are needed.
STALE_MARK = b"<!--database unavailable-->"

_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; worker-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
SECURITY_HEADERS = (
    ("Content-Security-Policy", _CONTENT_SECURITY_POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
)
RETRY_SECONDS = 5

_COMPRESSED_FROM_BYTES = 500  # below that a packet is a packet
_Q_ZERO = re.compile(r"q=0(?:\.0{0,3})?")


class Compressible(Protocol):
    """A body in its forms, each made once: a Snapshot or an Asset."""

    @property
    def body(self) -> bytes:
        """As it is."""

    @property
    def content_type(self) -> str:
        """The media type, with the charset."""

    @property
    def etag(self) -> str:
        """In quotes."""

    @property
    def gzip(self) -> bytes:
        """By gzip."""

    @property
    def zstd(self) -> bytes:
        """By zstandard."""


class Stored(Compressible, Protocol):
    """A kept answer: a Snapshot."""

    @property
    def stale_since(self) -> datetime | None:
        """Set where it is served because the database has been gone since then."""


class Problem(bottle.HTTPError):  # type: ignore[misc]  # Bottle has no types
    """An error whose sentence was written for the reader; problems.py renders it. `error_id`: as it was logged."""

    def __init__(self, status: int, text: str, headers: dict[str, str], *, error_id: str = "") -> None:
        super().__init__(status, text, **headers)
        self.text = text
        self.error_id = error_id


def problem(status: int, text: str, **headers: str) -> Problem:
    """An error to return or raise. `text` is shown as it stands: a sentence with nothing internal in it."""
    return Problem(status, text, {name.replace("_", "-"): value for name, value in headers.items()})


def respond(snapshot: Stored, request: bottle.BaseRequest, *, max_age_seconds: int = 0) -> bottle.HTTPResponse:
    """The snapshot as an answer: 304 where the reader has it, compressed as the reader accepts it.

    With `max_age_seconds` 0 a browser asks each time whether its copy is still good. A snapshot that is served for
    want of a database comes as a 503, with the words "Database unavailable since …" in the place of STALE_MARK.
    """
    if snapshot.stale_since is not None:
        return _last_copy(snapshot, snapshot.stale_since)
    return negotiated(snapshot, request, cache_control(max_age_seconds))


def cache_control(max_age_seconds: int) -> str:
    """How long a browser may keep an answer without asking again."""
    return f"max-age={max_age_seconds}" if max_age_seconds else "no-cache"


def negotiated(stored: Compressible, request: bottle.BaseRequest, kept: str) -> bottle.HTTPResponse:
    """A 304 or the body in the best form that the reader accepts. `kept` is the Cache-Control."""
    known, accepted = request.get_header("If-None-Match", ""), request.get_header("Accept-Encoding", "")
    status, headers, body = in_best_form(stored, known, accepted, kept)
    return bottle.HTTPResponse(body or "", status, **dict(headers))


def in_best_form(
    stored: Compressible, known: str, accepted: str, kept: str
) -> tuple[str, list[tuple[str, str]], bytes]:
    """Status, headers and body: a 304 where the reader has it, compressed as the reader accepts it.

    `known` is the request's If-None-Match, `accepted` its Accept-Encoding, `kept` the answer's Cache-Control.
    """
    headers = [("Cache-Control", kept), ("ETag", stored.etag), ("Vary", "Accept-Encoding")]
    if known and _has_it(known, stored.etag):
        return "304 Not Modified", headers, b""
    body = stored.body
    encoding = accepted_encoding(accepted) if len(body) >= _COMPRESSED_FROM_BYTES else ""
    if encoding:
        headers.append(("Content-Encoding", encoding))
        body = stored.zstd if encoding == "zstd" else stored.gzip
    headers += [("Content-Type", stored.content_type), ("Content-Length", str(len(body)))]
    return "200 OK", headers, body


@functools.lru_cache(maxsize=256)  # browsers send a handful of different ones
def accepted_encoding(header: str) -> str:
    """zstd, gzip or nothing, whichever of them the reader accepts first in this order.

    >>> accepted_encoding("gzip, deflate, br, zstd"), accepted_encoding("gzip;q=0.5, zstd;q=0"), accepted_encoding("br")
    ('zstd', 'gzip', '')
    """
    accepted = set()
    for part in header.lower().split(","):
        name, _, weight = part.partition(";")
        if not _Q_ZERO.fullmatch(weight.replace(" ", "")):
            accepted.add(name.strip())
    return next((name for name in ("zstd", "gzip") if name in accepted), "")


def _has_it(header: str, etag: str) -> bool:
    opaque = etag.removeprefix("W/")
    return any(tag.strip().removeprefix("W/") == opaque for tag in header.split(","))


def _last_copy(snapshot: Stored, since: datetime) -> bottle.HTTPResponse:
    instant = since.isoformat(timespec="seconds")
    words = (
        '<p class="database-unavailable" role="alert">Database unavailable since '
        f'<time datetime="{instant}">{since:%Y-%m-%d %H:%M:%S} UTC</time>. This is the last there was.</p>'
    )
    headers = {"Cache-Control": "no-store", "Retry-After": str(RETRY_SECONDS), "Database-Unavailable-Since": instant}
    return _whole(snapshot.body.replace(STALE_MARK, words.encode(), 1), 503, snapshot.content_type, headers)


def _whole(body: bytes, status: int, content_type: str, headers: dict[str, Any]) -> bottle.HTTPResponse:
    return bottle.HTTPResponse(
        body, status, **{"Content-Type": content_type, "Content-Length": str(len(body)), **headers}
    )
