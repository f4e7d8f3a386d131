import json
import math
from urllib.parse import parse_qs, urlsplit

import pytest
import responses

from dqmsquare.config import parse_config
from dqmsquare.dqm2_http import Dqm2Session
from dqmsquare.errors import UpstreamError, UpstreamMalformed, UpstreamUnavailable
from dqmsquare.grabber.messages import RefusedHeader
from dqmsquare.grabber.status_answer import HostStatus
from dqmsquare.grabber.upstream import DocumentAnswer, HostFeed, Newest, cluster_status

PROXY = "http://dqm2.test/dqm/dqm-square-origin"
CONFIG = parse_config(
    {"CMSWEB_FRONTEND_PROXY_URL": PROXY, "SERVER_FFF_MACHINE": "dqmrubu-c2a06-03-01"}, role="grabber", as_root=False
)
HOST_ID = "abcdefghijklmnop"


@pytest.fixture
def dqm2():
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def feed():
    return HostFeed(Dqm2Session(CONFIG), CONFIG, "dqmfu-c2b03-45-01", HOST_ID)


def line(rev, **changed):
    return {
        "_id": f"dqm-source-state-{rev}",
        "_rev": rev,
        "timestamp": 1662000000.5,
        "hostname": "dqmfu-c2b03-45-01",
        "type": "dqm-source-state",
        "tag": "beam_dqm_sourceclient-live",
        "run": 358788,
        **changed,
    }


def header_message(lines, total_sent, total_available, **changed):
    message = {
        "event": "update_headers",
        "rev": [1, 2],
        "sync_to_rev": 9,
        "headers": lines,
        "total_sent": total_sent,
        "total_avail": total_available,
    }
    return json.dumps({**message, **changed})


def document_message(documents):
    return json.dumps({"event": "update_documents", "documents": documents})


def body(*messages):
    return json.dumps({"messages": messages})


GOOD = header_message([line(1)], 1, 1)


def revisions(answer):
    return [[header.rev for header in message.headers] for message in answer]


def asked(call):
    return json.loads(json.loads(call.request.body)["messages"][0])


def test_a_host_is_asked_through_the_proxy(dqm2, feed):
    dqm2.post(f"{PROXY}/redirect", body=body())
    with feed.headers(42) as answer:
        list(answer)
    query = parse_qs(urlsplit(dqm2.calls[0].request.url).query)
    assert query == {"path": ["dqmfu-c2b03-45-01"], "port": ["9215"]}
    assert asked(dqm2.calls[0]) == {"event": "sync_request", "known_rev": "42"}


def test_the_host_that_the_proxy_stands_on_is_asked_directly(dqm2):
    dqm2.post(f"{PROXY}/sync_proxy", body=body())
    feed = HostFeed(Dqm2Session(CONFIG), CONFIG, "dqmrubu-c2a06-03-01", HOST_ID)
    with feed.headers(None) as answer:
        list(answer)
    assert dqm2.calls[0].request.url == f"{PROXY}/sync_proxy"
    assert asked(dqm2.calls[0]) == {"event": "sync_request", "known_rev": None}


def test_headers_come_message_by_message(dqm2, feed):
    messages = (header_message([line(1), line(2)], 2, 3), header_message([line(9)], 3, 3))
    dqm2.post(f"{PROXY}/redirect", body=body(*messages))
    with feed.headers(0) as answer:
        seen = list(answer)
        assert answer.complete
    assert [(m.sync_to_rev, m.total_sent, m.total_available) for m in seen] == [(9, 2, 3), (9, 3, 3)]
    assert [[h.rev for h in m.headers] for m in seen] == [[1, 2], [9]]
    assert seen[0].headers[0].document_id == "dqm-source-state-1"


def test_an_answer_without_messages_is_complete(dqm2, feed):
    dqm2.post(f"{PROXY}/redirect", body=body())
    with feed.headers(7) as answer:
        assert (list(answer), answer.complete) == ([], True)


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param((header_message([line(1)], 1, 2),), id="fewer-than-there-are"),
        pytest.param((header_message([line(1)], 2, 2),), id="fewer-than-it-says-were-sent"),
        pytest.param((header_message([line(1), line(2)], 1, 1),), id="more-than-it-says"),
    ],
)
def test_an_answer_whose_counts_do_not_agree_is_incomplete(dqm2, feed, messages):
    dqm2.post(f"{PROXY}/redirect", body=body(*messages))
    with feed.headers(0) as answer:
        list(answer)
        assert not answer.complete


def test_an_answer_is_not_complete_before_its_end(dqm2, feed):
    dqm2.post(f"{PROXY}/redirect", body=body(GOOD))
    with feed.headers(0) as answer:
        next(iter(answer))
        assert not answer.complete


def test_f20_headers_that_cannot_be_used_are_listed_beside_the_good_ones(dqm2, feed):
    lines = [
        line(1),
        line(2, _rev="2"),
        line(3, _rev=-3),
        line(4, _rev=True),
        line(5, _id=None),
        line(6, _rev=2**63),
        line(2**62),
        "not a header",
    ]
    dqm2.post(f"{PROXY}/redirect", body=body(header_message(lines, 8, 8)))
    with feed.headers(0) as answer:
        (message,) = answer
        assert answer.complete
    assert [header.rev for header in message.headers] == [1, 2**62]
    assert [(refused.rev, refused.document_id) for refused in message.refused] == [
        (None, "dqm-source-state-2"),
        (None, "dqm-source-state-3"),
        (None, "dqm-source-state-4"),
        (5, None),
        (None, "dqm-source-state-6"),
        (None, None),
    ]
    assert all(isinstance(refused, RefusedHeader) and refused.reason for refused in message.refused)


def test_the_first_message_tells_the_newest_revision(dqm2, feed):
    dqm2.post(f"{PROXY}/redirect", body=body(GOOD, "not JSON, and not read"))
    assert feed.newest() == Newest(rev=9, n_available=1)


def test_without_headers_there_is_no_newest_revision(dqm2, feed):
    dqm2.post(f"{PROXY}/redirect", body=body())
    assert feed.newest(8) is None


ENVELOPES = [
    ("", "cut"),
    ("[]", "not-object"),
    ("null", "not-object"),
    ("true", "not-object"),
    ("17", "not-object"),
    ('"x"', "not-object"),
    ('["messages"]', "not-object"),
    ("{}", "no-messages"),
    ('{"message": []}', "no-messages"),
    ('{"a": {"messages": ["{}"]}}', "no-messages"),
    ('{"messages": null}', "messages"),
    ('{"messages": {}}', "messages"),
    ('{"messages": "x"}', "messages"),
    ('{"messages": 3}', "messages"),
    ('{"messages": [null]}', "message-not-text"),
    ('{"messages": [{}]}', "message-not-text"),
    ('{"messages": [[]]}', "message-not-text"),
    ('{"messages": [1]}', "message-not-text"),
    ('{"messages": []', "cut"),
    ('{"messages": []}}', "not-json"),
    ('{"messages": []} more', "not-json"),
    ("Not found", "not-json"),
    ('{"a": NaN, "messages": []}', "not-json"),
    ('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nesting"),
    ('{"a": ' + "9" * 5_000 + ', "messages": []}', "number"),
]
MESSAGES = [
    ("", "message-not-json"),
    ("{", "message-not-json"),
    ("[]", "message-not-object"),
    ("null", "message-not-object"),
    ('"x"', "message-not-object"),
    ("{}", "event"),
    ('{"event": "update_documents", "documents": []}', "event"),
    ('{"event": ["update_headers"]}', "event"),
    (header_message(None, 1, 1), "headers"),
    (header_message({}, 1, 1), "headers"),
    (header_message("x", 1, 1), "headers"),
    (header_message([], 1, 1, sync_to_rev=None), "sync_to_rev"),
    (header_message([], 1, 1, sync_to_rev="9"), "sync_to_rev"),
    (header_message([], 1, 1, sync_to_rev=True), "sync_to_rev"),
    (header_message([], None, 1), "total_sent"),
    (header_message([], 1, 1.5), "total_avail"),
    ('{"event": "update_headers", "headers": ' + "[" * 100_000 + "]" * 100_000 + "}", "nesting"),
    ('{"event": "update_headers", "sync_to_rev": ' + "9" * 5_000 + "}", "number"),
]
SHAPES = [pytest.param(text, kind, id=f"{kind}: {text[:40]}") for text, kind in ENVELOPES] + [
    pytest.param(body(message), kind, id=f"{kind}: inner {message[:40]}") for message, kind in MESSAGES
]


@pytest.mark.parametrize(("text", "kind"), SHAPES)
def test_f10_f11_a_wrong_shape_has_a_word_of_its_own(dqm2, feed, text, kind):
    dqm2.post(f"{PROXY}/redirect", body=text)
    with pytest.raises(UpstreamMalformed) as caught, feed.headers(0) as answer:
        list(answer)
    assert (caught.value.kind, caught.value.host) == (kind, HOST_ID)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ('{"event": "update_headers"}', "event"),
        ('{"event": "update_documents"}', "documents"),
        ('{"event": "update_documents", "documents": {}}', "documents"),
        ("{", "message-not-json"),
    ],
)
def test_f10_a_wrong_shape_of_documents_has_a_word_of_its_own(dqm2, feed, message, kind):
    dqm2.post(f"{PROXY}/redirect", body=body(message))
    with pytest.raises(UpstreamMalformed) as caught:
        feed.documents(["a"])
    assert (caught.value.kind, caught.value.host) == (kind, HOST_ID)


def test_f11_of_equal_keys_the_last_counts(dqm2, feed):
    dqm2.post(f"{PROXY}/redirect", body=body('{"event": "x", "event": "update_documents", "documents": []}'))
    assert feed.documents(["a"]) == DocumentAnswer()


def test_f12_the_good_messages_before_a_broken_one_come_out(dqm2, feed):
    dqm2.post(f"{PROXY}/redirect", body=body(GOOD, header_message([line(2)], 2, 4), "{", GOOD))
    seen = []
    with pytest.raises(UpstreamMalformed, match="should be JSON"), feed.headers(0) as answer:
        seen.extend(answer)
    assert revisions(seen) == [[1], [2]]
    assert not answer.complete


@pytest.mark.parametrize("rest", [", nonsense]}", f", {'9' * 5_000}]}}"])
def test_f12_so_do_those_before_what_is_no_json(dqm2, feed, rest):
    """Though all of it came at once."""
    good = body(GOOD, header_message([line(2)], 2, 4)).removesuffix("]}")
    dqm2.post(f"{PROXY}/redirect", body=good + rest)
    seen = []
    with pytest.raises(UpstreamMalformed), feed.headers(0) as answer:
        seen.extend(answer)
    assert revisions(seen) == [[1], [2]]


def test_f9_an_answer_cut_at_any_byte_gives_its_whole_messages_and_an_error(dqm2, feed):
    whole = body(GOOD, header_message([line(2)], 2, 2))
    first_end, second_end = whole.index('", "{') + 1, len(whole) - 2
    for length in range(len(whole)):
        dqm2.upsert("POST", f"{PROXY}/redirect", body=whole[:length])
        seen = []
        with pytest.raises(UpstreamMalformed) as caught, feed.headers(0) as answer:
            seen.extend(answer)
        assert caught.value.kind == "cut"
        assert revisions(seen) == [[1], [2]][: (length >= first_end) + (length >= second_end)]


def test_f4_a_message_longer_than_two_mebibytes_is_refused(dqm2, feed):
    dqm2.post(f"{PROXY}/redirect", body=body(GOOD, "x" * 2_500_000))
    seen = []
    with pytest.raises(UpstreamMalformed) as caught, feed.headers(0) as answer:
        seen.extend(answer)
    assert (caught.value.kind, revisions(seen)) == ("too-large", [[1]])


def test_an_error_page_names_the_host_that_was_asked_for(dqm2, feed):
    dqm2.post(f"{PROXY}/redirect", body="<html><title>Error: 500 Internal Server Error</title></html>")
    with pytest.raises(UpstreamUnavailable) as caught:
        feed.newest()
    assert caught.value.host == HOST_ID


def test_f14_documents_are_matched_by_id(dqm2, feed):
    documents = [
        {"_id": "b", "_rev": 5},
        {"_id": "stranger", "_rev": 1},
        {"_id": "a", "_rev": 3},
        {"_id": "a", "_rev": 7},
        {"_id": "a", "_rev": 6},
        "no document",
        {"_rev": 2},
        {"_id": ["a"]},
    ]
    dqm2.post(f"{PROXY}/redirect", body=body(document_message(documents)))
    assert feed.documents(["a", "b", "gone"]) == DocumentAnswer(
        documents={"a": {"_id": "a", "_rev": 7}, "b": {"_id": "b", "_rev": 5}}, n_extra=4, n_duplicate=2
    )
    assert asked(dqm2.calls[0]) == {"event": "request_documents", "ids": ["a", "b", "gone"]}


def test_many_documents_are_asked_for_200_at_a_time(dqm2, feed):
    dqm2.post(f"{PROXY}/redirect", body=body(document_message([])))
    feed.documents([str(number) for number in range(450)])
    assert [len(asked(call)["ids"]) for call in dqm2.calls] == [200, 200, 50]


def test_no_documents_are_not_asked_for(dqm2, feed):
    assert feed.documents([]) == DocumentAnswer()


def test_f23_f25_nan_infinity_and_lone_surrogates_are_read_as_python_wrote_them(dqm2, feed):
    # DQM² is Python, whose JSON has them both ways.
    text = '{"event": "update_documents", "documents": [{"_id": "a", "x": [NaN, -Infinity], "log": "\\ud83d"}]}'
    dqm2.post(f"{PROXY}/redirect", body=body(text))
    document = feed.documents(["a"]).documents["a"]
    assert (math.isnan(document["x"][0]), document["x"][1], document["log"]) == (True, -math.inf, "\ud83d")


def test_f26_bytes_that_are_not_utf8_are_replaced_and_counted(dqm2, feed):
    text = body(document_message([{"_id": "a", "log": "X and Y and Z"}])).encode()
    spoiled = text.replace(b"X", b"\xff").replace(b"Y", "\ufffd".encode()).replace(b"Z", b"\xe2\x82")
    dqm2.post(f"{PROXY}/redirect", body=spoiled)
    answer = feed.documents(["a"])
    assert answer.documents["a"]["log"] == "\ufffd and \ufffd and \ufffd"
    assert answer.n_replaced == 2


@pytest.mark.parametrize(
    ("poison", "kind"),
    [
        ("9" * 5_000, "number"),
        ("[" * 100_000 + "]" * 100_000, "nesting"),
    ],
)
def test_f11_f28_a_document_that_spoils_the_answer_for_all_is_found(dqm2, feed, poison, kind):
    def given(request):
        ids = json.loads(json.loads(request.body)["messages"][0])["ids"]
        documents = [f'{{"_id": "{one}", "x": {poison if one == "d3" else 1}}}' for one in ids]
        return 200, {}, body(f'{{"event": "update_documents", "documents": [{", ".join(documents)}]}}')

    dqm2.add_callback("POST", f"{PROXY}/redirect", given)
    ids = [f"d{number}" for number in range(10)]
    answer = feed.documents(ids)
    assert answer.unreadable == {"d3": kind}
    assert sorted(answer.documents) == sorted(set(ids) - {"d3"})
    assert len(dqm2.calls) <= 9


def test_f46_cluster_status_is_typed_and_hosts_have_their_short_names(dqm2):
    answer = {
        "dqmfu-c2b03-45-01.cms": {"up": True, "msg": None},
        "fu-c2f11-11-04.cms": {"up": False, "msg": "ConnectionError('fu-c2f11-11-04.cms')"},
        "OLD-host.cms": {"up": "true", "msg": ["x"]},
        "long.cms": {"msg": "x" * 5_000},
        "page.cms": {"up": 1, "msg": "<html>502</html>"},
        "odd.cms": None,
        ".cms": {"up": True},
        "x" * 300: {"up": True},
    }
    dqm2.get(f"{PROXY}/cr/exe?what=get_cluster_status&cluster=playback", json=answer)
    assert cluster_status(Dqm2Session(CONFIG), CONFIG, "playback") == {
        "dqmfu-c2b03-45-01": HostStatus(is_up=True, message=None),
        "fu-c2f11-11-04": HostStatus(is_up=False, message="ConnectionError('fu-c2f11-11-04.cms')"),
        "old-host": HostStatus(is_up=None, message=None),
        "long": HostStatus(is_up=None, message="x" * 2_000),
        "page": HostStatus(is_up=None, message="<html>502</html>"),
        "odd": HostStatus(is_up=None, message=None),
    }


@pytest.mark.parametrize(
    ("text", "kind"), [("", "not-json"), ("[]", "not-object"), ("null", "not-object"), ("unknown cluster", "not-json")]
)
def test_f46_a_cluster_status_of_another_shape_is_malformed(dqm2, text, kind):
    dqm2.get(f"{PROXY}/cr/exe", body=text)
    with pytest.raises(UpstreamError) as caught:
        cluster_status(Dqm2Session(CONFIG), CONFIG, "production")
    assert isinstance(caught.value, UpstreamMalformed)
    assert caught.value.kind == kind
