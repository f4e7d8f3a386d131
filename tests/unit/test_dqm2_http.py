import errno
import http.client
import socket
import ssl
from datetime import UTC, datetime

import pytest
import requests
import responses
import urllib3.exceptions
from urllib3.connection import HTTPConnection

from dqmsquare.config import parse_config
from dqmsquare.dqm2_http import Dqm2Session
from dqmsquare.dqm2_http.failures import translate
from dqmsquare.dqm2_http.pages import page_title, printable, retry_after_seconds
from dqmsquare.dqm2_http.watchdog import Deadline
from dqmsquare.errors import (
    UpstreamError,
    UpstreamMalformed,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamUnreachable,
)

PROXY = "http://dqm2.test/dqm/dqm-square-origin"
CONFIG = parse_config(
    {"CMSWEB_FRONTEND_PROXY_URL": PROXY, "DQM_FFF_SECRET": " a\nsecret "}, role="grabber", as_root=False
)
NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def dqm2():
    with responses.RequestsMock() as mock:
        yield mock


def fetch(config=CONFIG, **more):
    return Dqm2Session(config).fetch("GET", "/cr/exe", deadline_seconds=5, cap_bytes=100_000, **more)


def failure(**more):
    with pytest.raises(UpstreamError) as caught:
        fetch(**more)
    return caught.value


def test_the_body_of_a_good_answer_comes_back(dqm2):
    dqm2.get(f"{PROXY}/cr/exe", body=b'{"a": 1}')
    assert fetch() == b'{"a": 1}'


def test_the_cookie_goes_along_stripped_of_white_space(dqm2):
    dqm2.get(f"{PROXY}/cr/exe", body=b"{}")
    fetch()
    assert dqm2.calls[0].request.headers["Cookie"] == b"selenium-secret-secret=asecret"


def test_without_a_secret_no_cookie_goes_along(dqm2):
    dqm2.get(f"{PROXY}/cr/exe", body=b"{}")
    fetch(parse_config({"CMSWEB_FRONTEND_PROXY_URL": PROXY}, role="grabber", as_root=False))
    assert "Cookie" not in dqm2.calls[0].request.headers


def test_a_cookie_that_the_front_end_sets_is_not_kept(dqm2):
    dqm2.get(f"{PROXY}/cr/exe", body=b"{}", headers={"Set-Cookie": "cms-auth=0123abcd; Path=/"})
    session = Dqm2Session(CONFIG)
    for _ in range(2):
        session.fetch("GET", "/cr/exe", deadline_seconds=5, cap_bytes=100)
    assert dqm2.calls[1].request.headers["Cookie"] == b"selenium-secret-secret=asecret"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308, 401, 403])
def test_f7_f8_what_sends_us_to_a_login_is_a_refusal(dqm2, status):
    dqm2.get(f"{PROXY}/cr/exe", status=status, headers={"Location": "https://login.test/"})
    assert type(failure()) is UpstreamRefused


@pytest.mark.parametrize(
    ("page", "message"),
    [
        (
            b"<!DOCTYPE html><html><head><title>CERN Single Sign-On</title></head></html>",
            "answered with an HTML page: CERN Single Sign-On",
        ),
        (
            b"\xef\xbb\xbf \r\n<HTML><body><h1>Please log in</h1></body></HTML>",
            "answered with an HTML page: Please log in",
        ),
        (
            b'<html><body><form><input type="password"></form></body></html>',
            "answered with an HTML page: without a title",
        ),
        (
            b'<?xml version="1.0" encoding="UTF-8"?>\n<html><title>Sign in to CERN</title></html>',
            "answered with an HTML page: Sign in to CERN",
        ),
    ],
)
def test_f8_a_login_page_with_status_200_is_a_refusal(dqm2, page, message):
    dqm2.get(f"{PROXY}/cr/exe", body=page)
    refused = failure()
    assert (type(refused), str(refused)) == (UpstreamRefused, message)


@pytest.mark.parametrize(
    "title", ["503 Service Unavailable", "Error: 500 Internal Server Error", "Bad Gateway", "Gateway Time-out"]
)
def test_f5_an_error_page_with_status_200_is_transient_and_says_what_it_was(dqm2, title):
    # The proxy passes on what a host answers with status 200, whatever the host's own status was.
    dqm2.get(f"{PROXY}/cr/exe", body=f"<html><head><title>{title}</title></head></html>")
    away = failure()
    assert (type(away), str(away)) == (UpstreamUnavailable, f"answered with an HTML page: {title}")


def test_any_other_page_is_malformed(dqm2):
    dqm2.get(f"{PROXY}/cr/exe", body="<html><title>DQM^2</title></html>")
    other = failure()
    assert (type(other), other.kind, str(other)) == (
        UpstreamMalformed,
        "html",
        "answered with an HTML page: DQM^2",
    )


def test_what_is_called_html_but_is_none_is_good(dqm2):
    # Bottle, in which DQM² is written, calls all text HTML.
    dqm2.get(f"{PROXY}/cr/exe", body="\n<strong>Playback:</strong>\n", content_type="text/html; charset=UTF-8")
    assert fetch() == b"\n<strong>Playback:</strong>\n"


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_f5_a_status_of_trouble_is_transient(dqm2, status):
    dqm2.get(f"{PROXY}/cr/exe", status=status, body="<html><title>Trouble</title>dqmfu-c2b03-45-01</html>")
    away = failure()
    assert (type(away), str(away), away.retry_after_seconds) == (
        UpstreamUnavailable,
        f"answered {status}: Trouble",
        None,
    )


def test_f6_it_says_when_to_come_back(dqm2):
    dqm2.get(f"{PROXY}/cr/exe", status=503, headers={"Retry-After": "17"})
    assert failure().retry_after_seconds == 17


def test_another_status_is_malformed(dqm2):
    dqm2.get(f"{PROXY}/cr/exe", status=404, body="nothing here")
    lost = failure()
    assert (type(lost), lost.kind, str(lost)) == (UpstreamMalformed, "status", "answered 404")


def test_f4_an_answer_longer_than_the_cap_is_dropped(dqm2):
    dqm2.get(f"{PROXY}/cr/exe", body=b"[" + b"1," * 60_000)
    long = failure()
    assert (type(long), long.kind) == (UpstreamMalformed, "too-large")


def test_a_closed_session_asks_no_more():
    session = Dqm2Session(CONFIG)
    session.close()
    with pytest.raises(UpstreamUnreachable, match="closed"):
        session.fetch("GET", "/cr/exe", deadline_seconds=5, cap_bytes=100)


def test_a_failure_names_neither_host_nor_path(dqm2):
    dqm2.get(f"{PROXY}/cr/exe", body=requests.ConnectionError("HTTPConnectionPool(host='dqm2.test', port=80): /dqm"))
    assert str(failure()) == "the request failed (ConnectionError)"


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except type(error) as caught:
        return caught


def pool_error(name):
    return urllib3.exceptions.NewConnectionError(HTTPConnection(name), f"Failed to connect to {name}")


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (socket.gaierror(-2, "Name or service not known"), UpstreamUnreachable, "its name cannot be resolved"),
        (
            raised(requests.ConnectionError("x"), raised(pool_error("x"), ConnectionRefusedError(111, "x"))),
            UpstreamUnreachable,
            "the connection was refused",
        ),
        (requests.ConnectTimeout("x"), UpstreamUnreachable, "no connection came about in time"),
        (requests.ReadTimeout("x"), UpstreamTimeout, "nothing came for too long"),
        (http.client.RemoteDisconnected("x"), UpstreamUnreachable, "the connection was broken off"),
        (ConnectionResetError(errno.ECONNRESET, "x"), UpstreamUnreachable, "the connection was broken off"),
        (OSError(errno.EHOSTUNREACH, "x"), UpstreamUnreachable, "the connection failed (EHOSTUNREACH)"),
        (http.client.IncompleteRead(b"x", 5), UpstreamMalformed, "the answer ended early"),
        (http.client.BadStatusLine("x"), UpstreamMalformed, "the answer is not HTTP"),
        (urllib3.exceptions.DecodeError("x"), UpstreamMalformed, "the answer cannot be decompressed"),
        (ssl.SSLEOFError(8, "EOF"), UpstreamUnreachable, "TLS failed (SSLEOFError)"),
    ],
)
def test_f1_each_failure_of_the_network_has_its_own_error(error, kind, message):
    meaning = translate(error, Deadline(60))
    assert (type(meaning), str(meaning)) == (kind, message)


def test_whatever_fails_after_the_deadline_fails_because_of_it():
    deadline = Deadline(60)
    deadline.cut()
    assert type(translate(ConnectionResetError(), deadline)) is UpstreamTimeout


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None),
        ("0", 0),
        (" 30 ", 30),
        ("301", 300),
        ("999999999", 300),
        ("-5", None),
        ("soon", None),
        ("", None),
        ("Sun, 01 Mar 2026 12:01:00 GMT", 60),
        ("Sun, 01 Mar 2026 11:00:00 GMT", 0),
        ("Mon, 02 Mar 2026 12:00:00 GMT", 300),
        ("Sun, 01 Mar 2026 12:01:00 -0000", 60),
        ("Sun, 99 Mar 2026 12:01:00 GMT", None),
    ],
)
def test_f6_retry_after_is_seconds_or_a_date_and_at_most_five_minutes(value, seconds):
    assert retry_after_seconds(value, NOON) == seconds


def test_f5_foreign_text_is_one_printable_line_of_200_characters():
    assert printable("a\tb\r\n c\x00\x1b[31m\u202e") == r"a b c\x00\x1b[31m\u202e"
    assert len(printable("\x00" * 500)) == 200
    assert page_title(b"<html><title>" + b"x" * 500 + b"</title>") == "x" * 200
