"""How the API answers when something is wrong: always a problem document."""

from typing import Any

import orjson
import pytest

from dqmsquare.server.api_v1 import routes, statistics
from dqmsquare.server.application import Application, make_application
from dqmsquare.storage import host_queries, queries
from tests.unit.server.server_fakes import Cluster, ask, make_site, settings

PRODUCTION = "/api/v1/clusters/production"


@pytest.fixture
def production(monkeypatch):
    monkeypatch.setattr(queries, "run_range", lambda connection: (377813, 377827))
    monkeypatch.setattr(host_queries, "hosts_of_cluster", lambda connection: [])
    return Cluster()


@pytest.fixture
def application(tmp_path, production):
    return make_application(make_site(tmp_path, production=production))


def details(answer):
    """The document, checked for its form, without the id of its occurrence."""
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document = orjson.loads(answer.body)
    assert document.pop("instance").startswith("urn:dqmsquare:error:")
    assert document["status"] == answer.status
    return document


def test_a_problem_says_what_is_wrong(application):
    assert details(ask(application, f"{PRODUCTION}/runs?limit=0")) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "limit must be a whole number from 1 to 500.",
    }


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/api/v1/nothing", 404, "There is no such page."),
        ("/api/v1/clusters/lookarea", 404, "There is no such cluster."),
        ("/api/v1/clusters/lookarea/events", 404, "There is no such cluster."),
        (f"{PRODUCTION}/runs/0377827", 404, "There is no such run."),
        (f"{PRODUCTION}/runs/-1", 404, "There is no such run."),
        (f"{PRODUCTION}/jobs/dqm-source-state-run1-hostfu-c2f11-pid1", 404, "There is no such job."),
        (f"{PRODUCTION}/jobs/nqgjufgw2habjipc/log/", 404, "There is no such page."),
        (f"{PRODUCTION}/hosts/fu..01/statuses", 404, "There is no such host."),
        (f"{PRODUCTION}/alarms?cursor=1", 400, "cursor must be of the form ^[0-9]{1,16}~[A-Za-z0-9_./-]{1,300}$."),
        ("/api/v1/clusters?db=production", 400, "Parameters that are known here: none."),
        ("/api/v1/openapi.json?x", 400, "Parameters that are known here: none."),
    ],
)
def test_security_f1_what_is_not_there_or_not_understood_is_a_problem(application, production, path, status, detail):
    asked = ask(application, path, Accept="text/html")
    assert (asked.status, details(asked)["detail"]) == (status, detail)
    assert production.fake.n_asked == 0


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "TRACE", "OPTIONS"])
def test_another_method_is_a_problem(application, method):
    answer = ask(application, PRODUCTION, method)
    assert (answer.status, details(answer)["title"]) == (405, "Method Not Allowed")
    assert "GET" in answer.headers["allow"]


def test_what_the_guards_refuse_is_a_problem(application):
    assert details(ask(application, PRODUCTION, Transfer_Encoding="chunked"))["status"] == 400
    assert details(ask(application, PRODUCTION, Content_Length="70000"))["status"] == 413


def test_a_path_that_is_no_text_is_a_problem_below_a_prefix_too(tmp_path):
    site = make_site(tmp_path, settings(SERVER_URL_PREFIX="dqm/dqm-square"))
    answer = ask(make_application(site), "/dqm/dqm-square/api/v1/\xff")
    assert (answer.status, details(answer)["detail"]) == (404, "There is no such page.")


def test_security_f1_a_failure_shows_nothing_but_its_id(application, monkeypatch, caplog):
    def fail(connection):
        raise ValueError("SELECT secret FROM /path")

    monkeypatch.setattr(queries, "run_range", fail)
    answer = ask(application, PRODUCTION)
    assert details(answer) == {
        "type": "about:blank",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Something went wrong here; it has been noted.",
    }
    error_id = orjson.loads(answer.body)["instance"].rpartition(":")[2]
    assert f"error {error_id} in GET /api/v1/clusters/<cluster>" in caplog.text


def test_without_a_database_there_is_a_problem_and_no_old_answer(application, production):
    assert ask(application, PRODUCTION).status == 200
    production.fake.is_gone = True
    for path in (f"{PRODUCTION}/runs", PRODUCTION):  # one that was not answered before, one that was
        answer = ask(application, path)
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert details(answer)["detail"] == "Database unavailable since 2026-05-01 12:00:00 UTC."
        production.clock.advance(5)
    assert ask(application, "/api/v1/clusters").status == 200


def test_an_answer_is_made_once_per_change_and_names_it(application, production):
    first = ask(application, PRODUCTION)
    assert orjson.loads(first.body) == {
        "name": "production",
        "first_run": 377813,
        "last_run": 377827,
        "polled_at": None,
    }
    assert first.headers["event-id"] == "5ba1c0de-10"
    asked_again = ask(application, PRODUCTION, If_None_Match=first.headers["etag"])
    assert (asked_again.status, asked_again.headers["cache-control"], asked_again.body) == (304, "max-age=1", b"")
    production.fake.newest = 11
    assert ask(application, f"{PRODUCTION}?after=5ba1c0de-11").headers["event-id"] == "5ba1c0de-11"


def test_what_is_counted_over_many_runs_is_not_counted_anew_for_each_report(tmp_path, production, monkeypatch):
    monkeypatch.setattr(statistics, "select_runs", lambda connection, **chosen: None)
    site = make_site(tmp_path, production=production)
    application = Application(site)
    routes.add_routes(application, site, production.clock)
    path = f"{PRODUCTION}/statistics/clients?first=377813"
    nothing: dict[str, Any] = {"first_run": None, "last_run": None, "n_runs": 0, "rows": []}
    assert orjson.loads(ask(application, path).body) == nothing

    production.fake.newest = 11
    production.snapshots.forget({377827}, 11)
    production.clock.advance(29)
    assert ask(application, path).headers["event-id"] == "5ba1c0de-10"
    production.clock.advance(2)
    assert ask(application, path).headers["event-id"] == "5ba1c0de-11"
