import json
from typing import Any

import pytest

from dqmsquare.simulator.control_room import ControlRoom
from dqmsquare.simulator.exchange import Answer, Request
from dqmsquare.simulator.gateway import Gateway
from dqmsquare.simulator.plan import Cluster
from dqmsquare.simulator.store import HostStore

HOSTS = ("gate", "fu-1", "fu-2")


def make_gateway(**changed: Any) -> Gateway:
    clusters = {"production": Cluster("production", ("fu-1", "fu-2")), "playback": Cluster("playback", ("gate",))}
    down = changed.pop("down", {})
    return Gateway(
        name="gate",
        stores={host: HostStore(host, clock=lambda: 1.0) for host in HOSTS},
        control_room=ControlRoom(clusters, "gate", lambda: down),
        control=changed.pop("control", lambda command: {"had": command}),
        down_hosts=lambda: down,
        **changed,
    )


def post(gateway: Gateway, where: str, *inner: Any, **query: str) -> Answer:
    body = json.dumps({"messages": [json.dumps(message) for message in inner]}).encode()
    return gateway.answer(Request(method="POST", path=where, query=query, headers={}, body=body))


def get(gateway: Gateway, where: str, cookie: str = "", **query: str) -> Answer:
    return gateway.answer(Request(method="GET", path=where, query=query, headers={"cookie": cookie}))


def text(answer: Answer) -> str:
    return b"".join(answer.pieces).decode()


SYNC = {"event": "sync_request", "known_rev": None}
MALFORMED = {"event": "sync_request", "known_rev": "ten"}


def test_the_gateways_own_documents_and_those_behind_it() -> None:
    gateway = make_gateway()
    gateway.stores["gate"].upload({"_id": "mine"})
    gateway.stores["fu-1"].upload({"_id": "theirs"})
    own = post(gateway, "/sync_proxy", SYNC)
    behind = post(gateway, "/redirect", SYNC, path="fu-1", port="9215")
    assert (own.content_type, "mine" in text(own)) == ("application/json", True)
    assert "theirs" in text(behind)


def test_what_comes_through_the_proxy_is_labelled_as_html_whatever_it_is() -> None:
    gateway = make_gateway()
    assert post(gateway, "/redirect", SYNC, path="fu-1", port="9215").content_type == "text/html; charset=UTF-8"


def test_a_malformed_question_is_a_500_at_the_gateway_and_a_200_through_the_proxy() -> None:  # U9
    gateway = make_gateway()
    own = post(gateway, "/sync_proxy", MALFORMED)
    behind = post(gateway, "/redirect", MALFORMED, path="fu-1", port="9215")
    assert (own.status, behind.status) == (500, 200)
    assert text(own) == text(behind)
    assert text(own).startswith("<!DOCTYPE html>")


@pytest.mark.parametrize(
    "query", [{"path": "fu-2", "port": "9215"}, {"path": "nobody", "port": "9215"}, {"path": "fu-1", "port": "80"}, {}]
)
def test_a_host_that_is_not_there_is_a_page_of_html(query: dict[str, str]) -> None:
    answer = post(make_gateway(down={"fu-2": ""}), "/redirect", SYNC, **query)
    assert (answer.status, answer.content_type) == (200, "text/html; charset=UTF-8")
    assert "Max retries exceeded" in text(answer)


def test_the_proxy_gives_a_slow_host_up_after_its_own_timeout() -> None:
    gateway = make_gateway(inner_timeout_seconds=0.2)
    gateway.faults.set("inner-timeout", host="fu-1")
    answer = post(gateway, "/redirect", SYNC, path="fu-1", port="9215")
    assert (answer.wait_seconds, "Read timed out" in text(answer)) == (0.2, True)


def test_without_the_cookie_there_is_a_redirect_to_a_login_page() -> None:
    gateway = make_gateway(secret="s3cret")
    for cookie in ("", "selenium-secret-secret=wrong", "selenium-secret-secret"):
        answer = get(gateway, "/cr/exe", cookie, what="get_cluster_status")
        assert (answer.status, dict(answer.headers)) == (302, {"Location": "/auth/login"})
    assert "Sign in" in text(get(gateway, "/auth/login"))
    assert gateway.visits.count("/auth/login") == 1


def test_the_cookie_is_found_behind_the_bare_word_that_the_front_end_puts_first() -> None:
    cookie = f"{'a1' * 40}; selenium-secret-secret=s3cret"
    assert get(make_gateway(secret="s3cret"), "/cr/exe", cookie, what="get_cluster_status").status == 200


def test_cluster_status_names_hosts_in_full_and_says_why_one_is_down() -> None:
    gateway = make_gateway(down={"fu-1": "", "fu-2": "asleep", "gate": "the gateway does not ask itself"})
    status = json.loads(text(get(gateway, "/cr/exe", what="get_cluster_status", cluster="production")))
    assert status["fu-2.cms"] == {"up": False, "msg": "asleep"}
    assert not status["fu-1.cms"]["up"]
    assert "fu-1.cms:9215" in status["fu-1.cms"]["msg"]
    playback = json.loads(text(get(gateway, "/cr/exe", what="get_cluster_status")))
    assert playback == {"gate.cms": {"up": True, "msg": None}}


def test_a_cluster_that_is_not_known_is_a_404_with_a_json_string() -> None:
    answer = get(make_gateway(), "/cr/exe", what="get_cluster_status", cluster="moon")
    assert (answer.status, json.loads(text(answer))[:20]) == (404, "Cluster moon does no")


def test_commands_can_be_added_to_the_control_room() -> None:
    gateway = make_gateway()
    assert get(gateway, "/cr/exe", what="sing").status == 500
    gateway.control_room.commands["sing"] = lambda query: Answer(pieces=(query["song"].encode(),))
    assert text(get(gateway, "/cr/exe", what="sing", song="la")) == "la"


def test_documents_are_uploaded_as_objects_or_as_text() -> None:
    gateway = make_gateway()
    body = json.dumps({"docs": [{"_id": "a"}, json.dumps({"_id": "b"})]}).encode()
    request = Request(method="POST", path="/_upload/", query={"host": "fu-1"}, headers={}, body=body)
    assert json.loads(text(gateway.answer(request))) == {"revs": [1, 2]}
    assert [header["_id"] for header in gateway.stores["fu-1"].headers_from(None)] == ["a", "b"]


def test_an_upload_that_fff_web_would_trip_over_is_a_500() -> None:
    request = Request(method="POST", path="/_upload", query={"host": "fu-1"}, headers={}, body=b'{"docs": [5]}')
    assert make_gateway().answer(request).status == 500


def test_control_is_for_this_machine_only() -> None:
    gateway = make_gateway()
    request = Request(method="POST", path="/__ctl", query={}, headers={}, body=b'{"do": "x"}')
    assert json.loads(text(gateway.answer(request))) == {"had": {"do": "x"}}
    far = Request(method="POST", path="/__ctl", query={}, headers={}, body=b"{}", peer="192.0.2.1")
    assert gateway.answer(far).status == 403


def test_a_command_that_cannot_be_carried_out_is_a_400_with_a_sentence() -> None:
    def refuse(command: Any) -> Any:
        raise ValueError("do must be one of fault, clear")

    request = Request(method="POST", path="/__ctl", query={}, headers={}, body=b'{"do": "x"}')
    answer = make_gateway(control=refuse).answer(request)
    assert (answer.status, json.loads(text(answer))) == (400, {"error": "do must be one of fault, clear"})


def test_faults_strike_by_event_and_leave_documents_out() -> None:
    gateway = make_gateway()
    for name in "ab":
        gateway.stores["gate"].upload({"_id": name})
    gateway.faults.set("leave-out:1", event="request_documents")
    documents = text(post(gateway, "/sync_proxy", {"event": "request_documents", "ids": ["a", "b"]}))
    assert len(json.loads(json.loads(documents)["messages"][0])["documents"]) == 1
    assert len(json.loads(json.loads(text(post(gateway, "/sync_proxy", SYNC)))["messages"][0])["headers"]) == 2


def test_requests_are_counted_by_path_host_and_event() -> None:
    gateway = make_gateway()
    for host in ("fu-1", "fu-1", "FU-2.cms"):
        post(gateway, "/redirect", SYNC, path=host, port="9215")
    post(gateway, "/sync_proxy", {"event": "request_documents", "ids": []})
    visits = gateway.visits
    assert (visits.count("/redirect"), visits.count(host="fu-2"), visits.count(event="request_documents")) == (3, 1, 1)
    assert len(visits.times("/redirect", "fu-1")) == 2
    visits.clear()
    assert visits.count() == 0


def test_a_document_may_be_newer_than_the_header_that_named_it() -> None:  # U7
    gateway = make_gateway()
    rev = gateway.stores["fu-1"].upload({"_id": "a", "type": "dqm-other"})
    gateway.faults.set("newer")
    answer = post(gateway, "/redirect", {"event": "request_documents", "ids": ["a"]}, path="fu-1", port="9215")
    [document] = json.loads(json.loads(text(answer))["messages"][0])["documents"]
    assert (document["_id"], document["_rev"]) == ("a", rev + 1)
