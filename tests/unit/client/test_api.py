import pytest
import requests
import responses

from dqmsquare.client.api import MirrorApi
from dqmsquare.errors import MirrorRefused, MirrorUnreachable

URL = "https://mirror.example/dqm/dqm-square"
RUNS = f"{URL}/api/v1/clusters/production/runs"


@pytest.fixture
def api() -> MirrorApi:
    return MirrorApi(URL + "/", "production")


@responses.activate
def test_pages_are_followed_by_the_address_that_the_answer_gives(api):
    path = "/dqm/dqm-square/api/v1/clusters/production/runs?limit=2&cursor=8"
    responses.get(f"{RUNS}?limit=2&bad=true", json={"runs": [9, 8], "next": path})
    responses.get(f"https://mirror.example{path}", json={"runs": [7], "next": None})
    assert list(api.pages("/runs", "runs", limit=2, bad=True, run_key=None)) == [[9, 8], [7]]


@responses.activate
@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        ({"status": 400, "json": {"detail": "limit must be\x1b[2J 1"}}, MirrorRefused, "limit must be[2J 1"),
        ({"status": 404, "body": "<html>"}, MirrorRefused, f"{RUNS} answers with status 404"),
        ({"status": 302, "headers": {"Location": "https://login.example"}}, MirrorRefused, "wants to know who asks"),
        ({"status": 403, "body": "no"}, MirrorRefused, "see --cert and --key"),
        ({"status": 200, "body": "<html>"}, MirrorRefused, "is --url the address of a mirror?"),
        ({"status": 500, "json": {"detail": "noted"}}, MirrorUnreachable, "noted"),
        ({"body": requests.ConnectionError("refused")}, MirrorUnreachable, "cannot be reached (refused)"),
    ],
)
def test_what_goes_wrong_is_told_in_a_sentence(api, answer, kind, words):
    responses.get(RUNS, **answer)
    with pytest.raises(kind) as caught:
        api.get("/runs")
    assert words in str(caught.value)
    assert len(responses.calls) == 1  # above all, no redirect was followed


@responses.activate
def test_events_are_read_as_they_come(api):
    stream = "retry: 2000\n\nid: a-1\nevent: change\ndata: {}\n\nevent: beat\ndata: {}\n\n"
    responses.get(f"{URL}/api/v1/clusters/production/events", body=stream)
    assert list(api.events()) == [("change", "{}"), ("beat", "{}")]


def test_a_certificate_that_is_not_there_is_named(tmp_path):
    api = MirrorApi(URL, "production", cert=(tmp_path / "none.pem", tmp_path / "none.pem"))
    with pytest.raises(MirrorUnreachable, match=r"none\.pem"):
        api.get("/runs")
