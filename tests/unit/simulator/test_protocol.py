import json
from typing import Any

import pytest

from dqmsquare.simulator import protocol
from dqmsquare.simulator.store import HostStore


def body(*inner: Any) -> bytes:
    return json.dumps({"messages": [json.dumps(message) for message in inner]}).encode()


def sync(known_rev: Any) -> dict:
    return {"event": "sync_request", "known_rev": known_rev}


def ask(host: HostStore, *inner: Any) -> list[dict]:
    outer = json.loads(b"".join(protocol.answer(host, protocol.read_messages(body(*inner)))))
    assert list(outer) == ["messages"]
    return [json.loads(message) for message in outer["messages"]]


def filled(n: int) -> HostStore:
    host = HostStore("fu-1", 500, clock=lambda: 1.0)
    for i in range(n):
        host.upload({"_id": f"document {i}", "tag": 'a "quoted" \\ tag'})
    return host


def test_all_newer_headers_come_in_one_answer_cut_into_messages_of_a_thousand() -> None:  # U1
    messages = ask(filled(2500), sync(None))
    assert [len(message["headers"]) for message in messages] == [1000, 1000, 500]
    assert [message["rev"] for message in messages] == [[501, 1500], [1501, 2500], [2501, 3000]]
    assert [message["total_sent"] for message in messages] == [1000, 2000, 2500]
    assert {(m["event"], m["sync_to_rev"], m["total_avail"]) for m in messages} == {("update_headers", 3000, 2500)}
    assert messages[2]["headers"][-1] == {
        "_id": "document 2499", "_rev": 3000, "timestamp": 1.0, "hostname": None, "type": None,
        "tag": 'a "quoted" \\ tag', "run": None,
    }  # fmt: skip


def test_the_totals_count_from_the_revision_that_was_asked_from() -> None:
    (message,) = ask(filled(20), sync("515"))
    assert (message["rev"], message["total_sent"], message["total_avail"]) == ([515, 520], 6, 6)


def test_there_is_no_message_where_no_header_is_newer() -> None:  # U2
    assert ask(filled(3), sync(504)) == []


def test_an_empty_host_answers_without_messages() -> None:
    assert ask(HostStore("fu-1"), sync(None)) == []


def test_two_questions_in_one_request_are_both_answered_in_their_order() -> None:
    messages = ask(filled(3), sync(503), {"event": "request_documents", "ids": ["document 0", "gone"]})
    assert [message["event"] for message in messages] == ["update_headers", "update_documents"]
    assert [document["_id"] for document in messages[1]["documents"]] == ["document 0"]


def test_unknown_documents_are_an_empty_list() -> None:  # U6
    assert ask(filled(1), {"event": "request_documents", "ids": ["gone"]}) == [
        {"event": "update_documents", "documents": []}
    ]


def test_an_event_that_is_not_known_is_passed_over() -> None:
    assert ask(filled(1), {"event": "hello"}) == []
    assert protocol.read_messages(b"{}") == []


@pytest.mark.parametrize(
    "request_body",
    [
        b"", b"[]", b"null", b"not json", b'{"messages": ["not json"]}', b'{"messages": [5]}', b'{"messages": 5}',
        body({}), body([]), body(sync("ten")), body(sync("")), body(sync([])), body(sync({})), body(sync(2**70)),
        body({"event": "request_documents"}), body({"event": "request_documents", "ids": None}),
        body({"event": "request_documents", "ids": [{}]}),
        body({"event": "request_documents", "ids": [str(i) for i in range(32_767)]}),
    ],
)  # fmt: skip
def test_what_upstreams_code_trips_over_is_malformed(request_body: bytes) -> None:  # U9
    with pytest.raises(protocol.MalformedRequest):
        protocol.read_messages(request_body)


def test_a_fault_may_change_headers_and_documents() -> None:
    messages = protocol.read_messages(body(sync(None), {"event": "request_documents", "ids": ["document 0"]}))
    outer = json.loads(b"".join(protocol.answer(filled(2), messages, lambda rows: rows[::-1] + rows[:1])))
    headers, documents = map(json.loads, outer["messages"])
    assert [header["_rev"] for header in headers["headers"]] == [502, 501, 501]
    assert len(documents["documents"]) == 2
