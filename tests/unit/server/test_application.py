import io
import logging
import re
from typing import Any

import bottle
import pytest

from dqmsquare import __version__
from dqmsquare.errors import StoreUnavailable
from dqmsquare.server.application import Application, make_application
from dqmsquare.server.guards import Bodies
from dqmsquare.server.responses import SECURITY_HEADERS, Problem, problem
from tests.unit.server.server_fakes import Cluster, ask, make_site, settings

HTML: dict[str, Any] = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def production():
    return Cluster()


@pytest.fixture
def site(tmp_path, production):
    return make_site(tmp_path, production=production)


@pytest.fixture
def application(site):
    """An application with a few routes for trying things."""
    application = Application(site)
    application.get("/fine", callback=lambda: "fine")

    @application.post("/form")
    def form():
        return bottle.request.body.read()

    @application.get("/fails")
    def fails():
        raise ValueError("SELECT password FROM /secret/path")

    @application.get("/refuses")
    def refuses():
        raise problem(409, "Not while <another> runs.", Retry_After="7")

    @application.get("/gone")
    def gone():
        with site.clusters["production"].database.reading():
            pass

    return application


EVERY_ANSWER = [
    ("GET", "/fine", 200),
    ("HEAD", "/fine", 200),
    ("POST", "/fine", 405),
    ("PUT", "/fine", 405),
    ("TRACE", "/fine", 405),
    ("GET", "/no/such/page", 404),
    ("GET", "/fails", 500),
    ("GET", "/refuses", 409),
]


@pytest.mark.parametrize(("method", "path", "status"), EVERY_ANSWER)
def test_security_e1_e2_every_answer_carries_the_security_headers(application, method, path, status):
    answer = ask(application, path, method)
    assert answer.status == status
    assert {name.lower(): value for name, value in SECURITY_HEADERS}.items() <= answer.headers.items()


@pytest.mark.parametrize(("method", "path", "status"), EVERY_ANSWER[2:])
def test_security_e3_no_error_is_kept_by_anybody(application, method, path, status):
    assert ask(application, path, method).headers["cache-control"] == "no-store"


def test_security_b4_head_answers_like_get_without_the_body(application):
    get, head = ask(application, "/fine"), ask(application, "/fine", "HEAD")
    assert (head.status, head.headers, head.body) == (get.status, get.headers, b"")
    assert ask(application, "/no/such/page", "HEAD").body == b""
    assert ask(application, "/fine", "HEAD", Transfer_Encoding="chunked").body == b""


def test_a_method_that_is_not_served_names_those_that_are(application):
    assert ask(application, "/fine", "POST").headers["allow"] == "GET"
    assert ask(application, "/fine", "PROPFIND").headers["allow"] == "GET, HEAD, POST"


def test_security_f1_a_fault_shows_an_id_and_nothing_else(application, caplog):
    answer = ask(application, "/fails", **HTML)
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    [error_id] = re.findall(r"Error ([0-9a-f]{8})", answer.text)
    assert not re.search("SELECT|secret|ValueError|Traceback|test_application", answer.text)
    [record] = caplog.records
    assert (record.levelno, record.getMessage()) == (logging.ERROR, f"error {error_id} in GET /fails")
    assert record.exc_info


@pytest.mark.parametrize("path", ["/<script>alert(1)</script>", "/etc/passwd", "/\xe9", "/%00"])
def test_a_page_that_is_not_there_is_not_named_in_the_answer(application, path):
    answer = ask(application, path, **HTML)
    assert answer.status == 404
    assert "There is no such page." in answer.text
    assert path not in answer.text


@pytest.mark.parametrize("path", ["/\u4e2d", "/\xff", "/fi\xffne", "/fine\xc3", "/\x80fine", "/\xc0\xaffine"])
def test_a_path_that_is_no_text_is_not_there(application, path):
    """Nor is it another one: Bottle alone would leave out what is no UTF-8, and find /fine."""
    assert ask(application, path).status == 404


def test_a_sentence_for_the_reader_is_escaped(application):
    page = ask(application, "/refuses", **HTML)
    assert "Not while &lt;another&gt; runs." in page.text
    assert page.headers["retry-after"] == "7"
    assert ask(application, "/refuses").text.startswith("Not while <another> runs.\nError ")


def test_programs_get_an_error_as_a_problem_document(site):
    application = make_application(site)
    answer = ask(application, "/api/v1/clusters/lookarea/events", **HTML)
    assert (answer.status, answer.headers["content-type"]) == (404, "application/problem+json")
    assert re.fullmatch(
        r'\{"type":"about:blank","title":"Not Found","status":404,"detail":"There is no such cluster.",'
        r'"instance":"urn:dqmsquare:error:[0-9a-f]{8}"\}',
        answer.text,
    )


def test_f50_without_a_database_it_says_since_when(application, production):
    production.fake.is_gone = True
    answer = ask(application, "/gone", **HTML)
    assert answer.status == 503
    assert "Database unavailable since 2026-05-01 12:00:00 UTC." in answer.text
    assert answer.headers["retry-after"] == "5"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/dqm/dqm-square/fine", 200),
        ("/dqm/dqm-square", 404),
        ("/dqm/dqm-square/", 404),
        ("/dqm/dqm-square-k8/fine", 404),
        ("/fine", 404),
        ("/", 404),
        ("", 404),
    ],
)
def test_all_routes_lie_below_the_prefix(tmp_path, path, status):
    application = Application(make_site(tmp_path, settings(SERVER_URL_PREFIX="dqm/dqm-square")))
    application.get("/fine", callback=lambda: "fine")
    assert ask(application, path).status == status


def test_the_prefix_alone_is_the_first_page(tmp_path):
    application = Application(make_site(tmp_path, settings(SERVER_URL_PREFIX="dqm/dqm-square")))
    application.get("/", callback=lambda: "live")
    assert [ask(application, path).text for path in ("/dqm/dqm-square", "/dqm/dqm-square/")] == ["live", "live"]


def test_security_i2_addresses_are_made_of_the_prefix_never_of_the_host_header(tmp_path):
    site = make_site(tmp_path, settings(SERVER_URL_PREFIX="dqm/dqm-square"))
    assert site.url("/") == "/dqm/dqm-square/"
    assert site.url("/timeline/", from_=1, to=2, q="a&b", db=None) == "/dqm/dqm-square/timeline/?from=1&to=2&q=a%26b"
    application = Application(site)
    application.get("/", callback=lambda: site.url("/"))
    answer = ask(application, "/dqm/dqm-square/no", Host="evil.example", X_Forwarded_Host="evil.example", **HTML)
    assert "evil" not in answer.text


def test_security_h6k_a_body_is_taken_up_to_64_kib(application):
    assert ask(application, "/form", "POST", b"x" * 65536).body == b"x" * 65536
    assert ask(application, "/form", "POST", b"x" * 65537).status == 413


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Transfer_Encoding": "chunked"}, 400),
        ({"Transfer_Encoding": "chunked", "Content_Length": "3"}, 400),
        ({"Content_Length": "-1"}, 400),
        ({"Content_Length": "١٢"}, 400),
        ({"Content_Length": "1e3"}, 400),
        ({"Content_Length": "9" * 40}, 413),
    ],
)
def test_security_h6k_a_body_of_unknown_length_ends_the_connection(application, headers, status):
    answer = ask(application, "/form", "POST", **headers)
    assert (answer.status, answer.headers["connection"]) == (status, "close")


def test_security_h6k_only_so_many_bodies_are_handled_at_once():
    bodies = Bodies(places=1)
    five = {"CONTENT_LENGTH": "5", "wsgi.input": io.BytesIO(b"abcde")}
    with bodies.place(five):
        with bodies.place({"CONTENT_LENGTH": "0"}), bodies.place({}):
            pass
        with pytest.raises(Problem) as refused, bodies.place(five):
            pass
        assert refused.value.status_code == 503
    with bodies.place(five):
        pass


def test_a_stream_that_cannot_be_had_is_told_as_unavailable(site, production):
    application = make_application(site)
    production.hub.stop()
    answer = ask(application, "/api/v1/clusters/production/events")
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")


def test_an_event_stream_is_not_kept_back_on_its_way(site, production):
    application = make_application(site)
    answer = ask(application, "/api/v1/clusters/production/events", "HEAD")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert (answer.headers["x-accel-buffering"], answer.headers["cache-control"]) == ("no", "no-store")
    assert production.places.n_open == 0


@pytest.mark.parametrize(
    ("asked", "after"),
    [
        (("", {}), None),
        (("?after=a-1", {}), "a-1"),
        (("?after=a-1", {"Last_Event_ID": "a-2"}), "a-2"),
        (("?after=", {}), None),
    ],
)
def test_a_browser_that_comes_back_is_believed_before_its_address(site, production, monkeypatch, asked, after):
    query, headers = asked
    seen = []

    def open_stream(wanted):
        seen.append(wanted)
        raise StoreUnavailable("enough")

    monkeypatch.setattr(production.hub, "open", open_stream)
    ask(make_application(site), "/api/v1/clusters/production/events" + query, **headers)
    assert seen == [after]


@pytest.mark.parametrize("path", ["/metrics", "/healthz", "/readyz", "/log/server.log", "/tmp/x", "/debug"])
def test_security_g3_what_is_for_the_monitoring_port_or_for_nobody_is_not_served(site, path):
    assert ask(make_application(site), path).status == 404


def test_security_i4_nothing_is_served_for_debugging_and_a_version_names_no_commit(site):
    application = make_application(site)
    assert not bottle.DEBUG
    assert [route.rule for route in application.routes if re.search("debug|reload|profil|trace", route.rule)] == []
    assert re.fullmatch(r"[0-9]+(\.[0-9]+){2}", __version__)
    assert ask(application, "/api/v1/openapi.json").text.count(f'"version":"{__version__}"') == 1


def test_security_b4_no_route_answers_to_more_than_reading_and_posting(site):
    methods = {route.method for route in make_application(site).routes}
    assert methods <= {"GET", "POST"}


def test_security_g3_requests_are_counted_by_route_never_by_what_was_sent(site):
    from prometheus_client import generate_latest

    application = make_application(site)
    ask(application, "/api?what=canary1")
    ask(application, "/canary2")
    text = generate_latest().decode()
    assert 'dqmsquare_http_requests_total{route="/api",status="404"}' in text
    assert 'route="none",status="404"' in text
    assert "canary" not in text
