import pytest

from dqmsquare.server.assets import Assets
from dqmsquare.server.responses import Problem
from tests.unit.server.server_fakes import ask, make_site


@pytest.fixture
def static(tmp_path):
    folder = tmp_path / "static"
    (folder / "vendor" / "chart-1.0").mkdir(parents=True)
    (folder / "app.css").write_text("body { color: black }\n" * 100)
    (folder / "vendor" / "chart-1.0" / "chart.js").write_text("export const one = 1;\n")
    (folder / ".hidden").write_text("no")
    (tmp_path / "secret").write_text("no")
    return folder


@pytest.fixture
def application(static):
    from dqmsquare.server.application import make_application

    return make_application(make_site(static))


def test_a_file_asked_for_with_its_hash_may_be_kept_for_ever(static, application):
    answer = ask(application, "/static/app.css?v=" + Assets(static).version("app.css"))
    assert (answer.status, answer.headers["content-type"]) == (200, "text/css; charset=utf-8")
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("query", ["", "?v=", "?v=0123456789abcdef"])
def test_without_its_hash_or_with_another_it_is_asked_for_each_time(application, query):
    answer = ask(application, "/static/app.css" + query)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-cache")
    again = ask(application, "/static/app.css" + query, If_None_Match=answer.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_a_file_in_a_folder_is_found_and_has_its_type(application):
    answer = ask(application, "/static/vendor/chart-1.0/chart.js")
    assert (answer.headers["content-type"], answer.text) == (
        "text/javascript; charset=utf-8",
        "export const one = 1;\n",
    )


def test_a_file_is_sent_compressed(application):
    answer = ask(application, "/static/app.css", Accept_Encoding="gzip")
    assert answer.headers["content-encoding"] == "gzip"
    assert len(answer.body) < 100


@pytest.mark.parametrize(
    "path",
    [
        "../secret",
        "..%2fsecret",
        "vendor/../../secret",
        "vendor/../app.css",
        "/etc/passwd",
        "app.css\0",
        ".hidden",
        "vendor",
        "",
        "nothing.js",
        "APP.CSS",
    ],
)
def test_security_d5_no_path_leads_elsewhere(application, path):
    answer = ask(application, "/static/" + path)
    assert answer.status == 404
    assert "secret" not in answer.text


def test_a_page_that_names_a_file_that_is_not_there_fails_loudly(static):
    with pytest.raises(KeyError):
        Assets(static).version("nothing.js")


def test_a_developer_sees_a_changed_file_at_once(static):
    import os

    watching, other = Assets(static, watch=True), Assets(static)
    before = watching.version("app.css")
    (static / "app.css").write_text("body { color: red }")
    os.utime(static / "app.css", ns=(1, 1))
    (static / "new.css").write_text("")
    assert watching.version("app.css") != before == other.version("app.css")
    assert watching.version("new.css")
    with pytest.raises(Problem):
        watching.respond("../secret", None)
