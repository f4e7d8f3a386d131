"""Whatever is asked of any route, in any words: no failure, no traceback, and the headers that every answer has."""

import io
import itertools
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqmsquare.server.responses import SECURITY_HEADERS
from tests.integration.control_room_stage import PLAYBACK_FU, PREFIX, Stage, control_room_stage
from tests.postgres import Server, copied_databases

ODD = (
    "", "0", "-1", "1", "377827", "99999999999999999999", "1e9", "NaN", "٣", "é", "\xff", "%", "%2e%2e", "..", "a" * 300,
    "' OR 1=1 --", "<script>", "\x1b[2J", "\u202e", "null", "production", "playback", "lookarea", "x" * 16, "gem", "[]",
    "2026-05-01", "2026-13-45T99:99", "true", "runs", "app.css", "{{7*7}}", "a/b", "a\\b", "~", "5-x", "1~x",
)  # fmt: skip
NAMES = (
    "db", "what", "run", "from", "to", "id", "limit", "cursor", "before", "after", "with_lumis", "bad_only", "bad", "key",
    "cluster", "host", "sort", "q", "days", "next", "all", "account", "token", "format", "mode", "ls", "v", "show",
)  # fmt: skip
HEADERS = (
    "ACCEPT", "ACCEPT_ENCODING", "IF_NONE_MATCH", "LAST_EVENT_ID", "COOKIE", "ORIGIN", "REFERER", "HOST", "USER_AGENT",
    "X_FORWARDED_FOR", "SEC_FETCH_SITE", "CMS_AUTHN_LOGIN", "CMS_AUTHN_HMAC", "AUTHORIZATION", "RANGE", "HX_REQUEST",
    "TRANSFER_ENCODING", "EXPECT", "UPGRADE", "X_HTTP_METHOD_OVERRIDE", "IF_MODIFIED_SINCE",
)  # fmt: skip
PARAMETERS_AT_ONCE = 1
METHODS = ("GET", "GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "TRACE", "get", "")
WORDS = st.sampled_from(ODD) | st.text(max_size=30)
QUERIES = st.lists(st.tuples(st.sampled_from(NAMES) | st.text(max_size=8), WORDS), max_size=4)
SENT_HEADERS = st.dictionaries(
    st.sampled_from(HEADERS),
    st.sampled_from(("*/*", "text/html", "gzip;q=x, zstd", "a=b; =; ;;", "null", "1.2.3.4:5, ::1", "W/\"", "bytes=0-"))
    | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=30),
    max_size=4,
)  # fmt: skip
BODIES = st.sampled_from((b"", b"", b"a=b&a=c&%", b"{}", b"\xff\x00", b"token=x&what=restart_hltd", b"&" * 3000))


class Failures(logging.Handler):
    """Keeps what is logged as an error."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"{record.getMessage()} {record.exc_info}")


@pytest.fixture(scope="module")
def stage(
    postgres_18: Server, templates_18: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("any")
    with copied_databases(postgres_18, templates_18, folder) as place, control_room_stage(place, folder) as stage:
        yield stage


@pytest.fixture(scope="module")
def cookie(stage: Stage) -> str:
    """Of somebody who is logged in, but did not give the password again."""
    return "; ".join(f"{name}={value}" for name, value in stage.logged_in(stepped_up=False).cookies.items())


def latin(text: str) -> str:
    """WSGI's spelling of a text's bytes."""
    return text.encode("utf-8", "surrogatepass").decode("latin-1")


def ask(application: Any, method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Any:
    """Status and headers, in lower case."""
    environ = {
        "REQUEST_METHOD": method, "PATH_INFO": latin(path), "QUERY_STRING": latin(query), "SERVER_NAME": "localhost",
        "SERVER_PORT": "80", "SERVER_PROTOCOL": "HTTP/1.1", "REMOTE_ADDR": "127.0.0.1", "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body), "wsgi.errors": io.StringIO(), "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": "application/x-www-form-urlencoded", **{f"HTTP_{name}": text for name, text in headers.items()},
    }  # fmt: skip
    seen: list[Any] = []
    pieces = application(environ, lambda status, sent, exc_info=None: seen.extend((int(status[:3]), dict(sent))))
    sent = {name.lower(): value for name, value in seen[1].items()}
    if "event-stream" not in sent.get("content-type", ""):
        b"".join(pieces)
    getattr(pieces, "close", lambda: None)()
    return seen[0], sent


@st.composite
def paths(draw: st.DrawFn, rules: list[str]) -> str:
    """A route with anything in its places, or nearly a route, or no route."""
    rule = draw(st.sampled_from(rules))
    filled = re.sub("<[^>]+>", lambda _: draw(WORDS), rule)
    ending = draw(st.sampled_from(("", "", "", "/", "//", "/.", "%00", ";x", "\x00")))
    return draw(st.sampled_from((PREFIX, PREFIX, PREFIX, PREFIX, "", PREFIX + "/"))) + filled + ending


@pytest.fixture
def failures() -> Iterator[Failures]:
    failures, logger = Failures(), logging.getLogger("dqmsquare")
    logger.addHandler(failures)
    yield failures
    logger.removeHandler(failures)


def check(answer: tuple[int, dict[str, str]], failures: Failures, asked: str) -> None:
    status, sent = answer
    assert status < 500 or (status in {502, 503} and sent.get("retry-after")), (status, asked)
    assert {name.lower() for name, _ in SECURITY_HEADERS} <= sent.keys(), asked
    assert failures.lines == [], asked


def test_security_e2_f1_any_request_is_answered_without_a_failure(stage: Stage, cookie: str, failures: Failures):
    rules = sorted({route.rule for route in stage.application.routes})

    @settings(max_examples=400, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data())
    def try_one(data: st.DataObject) -> None:
        method, path = data.draw(st.sampled_from(METHODS)), data.draw(paths(rules))
        query = "&".join(f"{name}={word}" for name, word in data.draw(QUERIES))
        headers = data.draw(SENT_HEADERS)
        if data.draw(st.booleans()):
            headers["COOKIE"] = cookie
        check(ask(stage.application, method, path, query, headers, data.draw(BODIES)), failures, path)

    try_one()
    assert stage.simulator.control_room.machines.machines[PLAYBACK_FU].n_restarts == {"hltd": 0, "fff": 0}


def test_security_f1_any_parameter_of_any_route_may_be_anything(stage: Stage, cookie: str, failures: Failures):
    words = itertools.cycle(ODD)
    for rule in sorted({route.rule for route in stage.application.routes}):
        for begin in range(0, len(NAMES), PARAMETERS_AT_ONCE):
            path = PREFIX + re.sub("<[^>]+>", lambda _: next(words), rule)
            query = "&".join(f"{name}={next(words)}" for name in NAMES[begin : begin + PARAMETERS_AT_ONCE])
            answer = ask(stage.application, "GET", path, query, {"COOKIE": cookie}, b"")
            check(answer, failures, f"{path}?{query}")
