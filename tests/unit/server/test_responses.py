import gzip
from datetime import UTC, datetime

import bottle
import pytest
import zstandard

from dqmsquare.server.rendered import Rendered, Snapshot
from dqmsquare.server.responses import STALE_MARK, accepted_encoding, respond

HTML = "text/html; charset=utf-8"
PAGE = b"<main>" + STALE_MARK + b"text " * 300 + b"</main>"


def snapshot(body=PAGE):
    return Snapshot(Rendered(body, HTML), "5ba1c0de", 10)


def request(**headers):
    return bottle.BaseRequest({f"HTTP_{name.upper()}": value for name, value in headers.items()})


def test_an_answer_is_whole_and_is_asked_for_again_each_time():
    answer = respond(snapshot(), request())
    assert (answer.status_code, answer.body) == (200, PAGE)
    assert dict(answer.headerlist) == {
        "Content-Type": HTML,
        "Content-Length": str(len(PAGE)),
        "Cache-Control": "no-cache",
        "Etag": snapshot().etag,
        "Vary": "Accept-Encoding",
    }


def test_an_answer_for_programs_may_be_kept_for_a_moment():
    assert respond(snapshot(), request(), max_age_seconds=1).get_header("Cache-Control") == "max-age=1"


@pytest.mark.parametrize("sent", ["{etag}", '"other", {etag}', "{strong}"])
def test_f50_who_has_the_answer_is_told_so(sent):
    etag = snapshot().etag
    answer = respond(snapshot(), request(if_none_match=sent.format(etag=etag, strong=etag[2:])))
    assert (answer.status_code, answer.body) == (304, "")
    assert answer.get_header("ETag") == etag


@pytest.mark.parametrize("sent", ["", '"other"', "W/"])
def test_who_has_another_answer_gets_this_one(sent):
    assert respond(snapshot(), request(if_none_match=sent)).status_code == 200


def test_an_answer_is_compressed_as_the_reader_accepts_it():
    answer = respond(snapshot(), request(accept_encoding="gzip, deflate, br, zstd"))
    assert (answer.get_header("Content-Encoding"), zstandard.decompress(answer.body)) == ("zstd", PAGE)
    answer = respond(snapshot(), request(accept_encoding="gzip, deflate"))
    assert (answer.get_header("Content-Encoding"), gzip.decompress(answer.body)) == ("gzip", PAGE)
    assert answer.get_header("Content-Length") == str(len(answer.body))


def test_a_few_bytes_are_not_compressed():
    answer = respond(snapshot(b"[1, 2]"), request(accept_encoding="gzip"))
    assert (answer.get_header("Content-Encoding"), answer.body) == (None, b"[1, 2]")


@pytest.mark.parametrize(
    ("header", "encoding"),
    [
        ("", ""),
        ("identity", ""),
        ("GZIP", "gzip"),
        ("gzip;q=0", ""),
        ("gzip; q=0.000, zstd", "zstd"),
        ("zstd;q=0.1, gzip;q=1", "zstd"),
        ("gzip;q=0.001", "gzip"),
        ("xgzip", ""),
        (",,;;q", ""),
    ],
)
def test_encodings_that_are_accepted(header, encoding):
    assert accepted_encoding(header) == encoding


def test_without_a_database_the_last_copy_says_so_at_its_top():
    last = snapshot().stale(datetime(2026, 5, 1, 12, 0, 7, tzinfo=UTC))
    answer = respond(last, request(if_none_match=last.etag, accept_encoding="gzip"))
    assert answer.status_code == 503
    assert answer.body.startswith(
        b'<main><p class="database-unavailable" role="alert">Database unavailable since '
        b'<time datetime="2026-05-01T12:00:07+00:00">2026-05-01 12:00:07 UTC</time>'
    )
    assert answer.body.endswith(b"text </main>")
    headers = {
        name: answer.get_header(name) for name in ("Cache-Control", "Retry-After", "Database-Unavailable-Since", "ETag")
    }
    assert headers == {
        "Cache-Control": "no-store",
        "Retry-After": "5",
        "Database-Unavailable-Since": "2026-05-01T12:00:07+00:00",
        "ETag": None,
    }
