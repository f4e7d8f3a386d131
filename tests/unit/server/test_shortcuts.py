"""An answer that is at hand is given without asking Bottle, and is the answer that Bottle would have given."""

import bottle
import pytest

from dqmsquare.server import shortcuts
from dqmsquare.server.application import make_application
from dqmsquare.server.rendered import Rendered
from dqmsquare.server.shortcuts import respond_by_address
from tests.unit.server.server_fakes import Cluster, ask, make_site, settings

BODY = b"something worth being compressed " * 100


@pytest.fixture
def production():
    return Cluster()


@pytest.fixture
def routed():
    """The queries that came as far as the route."""
    return []


@pytest.fixture
def application(tmp_path, production, routed):
    config = settings(SERVER_URL_PREFIX="dqm")
    application = make_application(make_site(tmp_path, config, production=production))

    def route():
        query = bottle.request.query_string
        routed.append(query)
        made = Rendered(BODY + b"%d" % production.fake.newest, "text/plain")
        after = bottle.request.query.get("after")
        key = bottle.request.query.get("what")
        return respond_by_address(production.snapshots, key, lambda *_: made, run=400, after=after)

    application.route("/answer", ["GET", "POST"], route)
    return application


def test_who_asks_again_gets_the_same_without_bottle(application, routed):
    first = ask(application, "/dqm/answer?what=x", Accept_Encoding="gzip")
    again = ask(application, "/dqm/answer?what=x", Accept_Encoding="gzip")
    assert (first.status, routed) == (200, ["what=x"])
    assert (again.status, again.body, again.headers) == (first.status, first.body, first.headers)
    assert again.headers["content-encoding"] == "gzip"
    assert "content-security-policy" in again.headers


def test_each_reader_gets_the_form_he_accepts(application, routed):
    etag = ask(application, "/dqm/answer?what=x").headers["etag"]
    assert ask(application, "/dqm/answer?what=x").body == BODY + b"10"
    assert ask(application, "/dqm/answer?what=x", Accept_Encoding="zstd").headers["content-encoding"] == "zstd"
    known = ask(application, "/dqm/answer?what=x", If_None_Match=etag)
    assert (known.status, known.body, known.headers["etag"]) == (304, b"", etag)
    assert len(routed) == 1


def test_another_address_is_another_question(application, routed):
    for path in ("/dqm/answer?what=x", "/dqm/answer?what=y", "/dqm/answer?what=x&more"):
        assert ask(application, path).status == 200
    assert routed == ["what=x", "what=y", "what=x&more"]
    assert [ask(application, path).status for path in ("/answer?what=x", "/dqm/dqm/answer?what=x")] == [404, 404]


def changed(production):
    production.fake.newest = 11
    production.snapshots.forget([400], 11)


def cleared(production):
    production.fake.newest = 11
    production.snapshots.clear()


@pytest.mark.parametrize("happens", [changed, cleared])
def test_what_is_wrong_by_now_is_made_anew(application, routed, production, happens):
    ask(application, "/dqm/answer?what=x")
    happens(production)
    assert ask(application, "/dqm/answer?what=x").body == BODY + b"11"
    assert len(routed) == 2


def test_who_knows_of_a_newer_change_gets_nothing_older(application, routed, production):
    for _ in range(2):
        ask(application, f"/dqm/answer?what=x&after={production.fake.database_id}-10")
    assert len(routed) == 1
    production.fake.newest = 11  # not announced yet
    newer = f"/dqm/answer?what=x&after={production.fake.database_id}-11"
    assert ask(application, newer).body == BODY + b"11"


def test_without_a_database_the_reader_is_told_so(application, routed, production):
    ask(application, "/dqm/answer?what=x")
    production.fake.is_gone = True
    ask(application, "/dqm/answer?what=y")
    production.clock.advance(5)
    assert ask(application, "/dqm/answer?what=x").status == 503


def test_only_a_plain_get_takes_the_shortcut(application, routed):
    ask(application, "/dqm/answer?what=x")
    assert ask(application, "/dqm/answer?what=x", "HEAD").body == b""
    assert ask(application, "/dqm/answer?what=x", "POST", b"x").status == 200
    assert ask(application, "/dqm/answer?what=x", "PUT").status == 405
    assert ask(application, "/dqm/answer?what=x", Transfer_Encoding="chunked").status == 400
    assert ask(application, "/dqm/answer?what=x", body=b"x" * 70_000).status == 413
    assert len(routed) == 3


def test_made_up_addresses_fill_no_memory(application, monkeypatch):
    monkeypatch.setattr(shortcuts, "_ADDRESSES_MAX", 5)
    for number in range(23):
        assert ask(application, f"/dqm/answer?what=x&n={number}").status == 200
    assert len(application._shortcuts._known) <= 5
