"""A request and its answer, apart from sockets: what the gateway decides and the server carries out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from itertools import chain

JSON = "application/json"
HTML = "text/html; charset=UTF-8"
_WHOLE_BYTES = 4 * 1024 * 1024  # an answer up to this size is sent with its length


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A request; `path` is without the prefix, header names are in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""
    peer: str = "127.0.0.1"

    def cookie(self, name: str) -> str | None:
        """A cookie's value. CMSWEB puts a bare word before the others, which a strict parser would stumble over."""
        for part in self.headers.get("cookie", "").split(";"):
            key, equals, value = part.strip().partition("=")
            if equals and key == name:
                return value
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer. `n_bytes` is the length that is announced, None where it is not known beforehand.

    `wait_seconds` passes before the first byte, `pause_seconds` between two pieces. `breaks_off`: the connection
    is reset instead of an answer; `ends_early`: it is closed after the last piece, whatever was announced.
    """

    status: int = HTTPStatus.OK
    content_type: str = JSON
    pieces: Iterable[bytes] = ()
    n_bytes: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    wait_seconds: float = 0.0
    pause_seconds: float = 0.0
    breaks_off: bool = False
    ends_early: bool = False


def whole(body: bytes, content_type: str = JSON, status: int = HTTPStatus.OK) -> Answer:
    """An answer that is there as a whole."""
    return Answer(status=status, content_type=content_type, pieces=(body,), n_bytes=len(body))


def streamed(pieces: Iterator[bytes], content_type: str = JSON) -> Answer:
    """An answer that is made while it is sent, unless it turns out to be small."""
    begun: list[bytes] = []
    for piece in pieces:
        begun.append(piece)
        if sum(map(len, begun)) > _WHOLE_BYTES:
            return Answer(content_type=content_type, pieces=chain(begun, pieces))
    return whole(b"".join(begun), content_type)


def page(title: str, text: str, status: int = HTTPStatus.OK) -> Answer:
    """A page of HTML, such as the front-end or upstream's framework answer with."""
    body = (
        f"<!DOCTYPE html>\n<html><head><title>{title}</title></head>\n"
        f"<body><h1>{title}</h1><p>{text}</p></body></html>\n"
    )
    return whole(body.encode(), HTML, status)


def error_page(status: int) -> Answer:
    """What upstream shows for an exception, or the front-end for an upstream that is away."""
    phrase = HTTPStatus(status).phrase
    return page(f"Error: {status} {phrase}", f"Sorry, the requested URL caused an error: {phrase}.", status)


def login_page() -> Answer:
    """What a browser without a session sees at CERN."""
    return page("CERN Authentication", "Sign in with your CERN account or with a certificate.")


def redirect(location: str, status: int = HTTPStatus.FOUND) -> Answer:
    """A redirect to another place."""
    return Answer(status=status, content_type=HTML, n_bytes=0, headers=(("Location", location),))
