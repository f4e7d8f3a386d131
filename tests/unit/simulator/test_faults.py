import gzip
import itertools
import json

import pytest

from dqmsquare.simulator import HostStore, protocol
from dqmsquare.simulator.exchange import Answer, whole
from dqmsquare.simulator.faults import ANSWER_FAULTS, NAMES, ROW_FAULTS, Fault, FaultBoard
from dqmsquare.simulator.garbage import SHAPES
from dqmsquare.simulator.hostile import CHANGES

TRUTH = whole(b'{"messages": []}')


def struck(name: str, answer: Answer = TRUTH) -> Answer:
    word, _, value = name.partition(":")
    return ANSWER_FAULTS[word](answer, Fault(word, value, None, None, None, None))


def changed(name: str, rows: list[dict]) -> list[dict]:
    word, _, value = name.partition(":")
    return ROW_FAULTS[word](rows, Fault(word, value, None, None, None, None))


def test_a_hanging_answer_waits_for_longer_than_anybody_will() -> None:
    assert struck("hang").wait_seconds > 3600
    assert struck("hang:0.5").wait_seconds == 0.5


def test_a_drip_is_the_whole_answer_byte_by_byte() -> None:
    answer = struck("drip:4")
    assert list(answer.pieces) == [bytes([byte]) for byte in b'{"messages": []}']
    assert (answer.pause_seconds, answer.n_bytes) == (0.25, TRUTH.n_bytes)


def test_a_cut_answer_announces_what_it_does_not_send() -> None:
    answer = struck("cut:5", whole(b"0123456789"))
    assert (b"".join(answer.pieces), answer.n_bytes, answer.ends_early) == (b"01234", 10, True)


def test_a_stalled_answer_goes_silent_after_its_beginning() -> None:
    answer = struck("stall:3")
    assert next(iter(answer.pieces)) == b'{"m'
    assert answer.pause_seconds > 3600


def test_an_endless_answer_has_no_length() -> None:
    answer = struck("stream-forever")
    assert sum(map(len, itertools.islice(answer.pieces, 1000))) > 60_000_000
    assert answer.n_bytes is None


def test_a_gzip_bomb_is_small_on_the_wire_and_large_after_decoding() -> None:
    packed = b"".join(struck("gzipbomb:8").pieces)
    assert len(packed) < 20_000
    assert len(gzip.decompress(packed)) > 8 * 1024 * 1024


def test_status_page_redirect_and_retry_after() -> None:
    assert struck("status:503").status == 503
    assert struck("html").content_type.startswith("text/html")
    assert dict(struck("redirect:https://elsewhere/").headers) == {"Location": "https://elsewhere/"}
    assert (struck("retry-after:7").status, dict(struck("retry-after:7").headers)) == (503, {"Retry-After": "7"})


@pytest.mark.parametrize("shape", SHAPES)
def test_each_garbage_shape_can_be_sent(shape: str) -> None:
    assert b"".join(struck(f"garbage:{shape}").pieces) == SHAPES[shape]


def test_rows_are_left_out_by_number_or_by_a_part_of_their_ids() -> None:
    rows = [{"_id": "a-1"}, {"_id": "b-1"}, {"_id": "b-2"}]
    assert changed("leave-out:2", rows) == [{"_id": "b-2"}]
    assert changed("leave-out:b-", rows) == [{"_id": "a-1"}]


def test_rows_are_turned_round_doubled_and_joined_by_a_foreign_one() -> None:
    rows = [{"_id": "a"}, {"_id": "b"}]
    assert changed("reorder", rows) == [{"_id": "b"}, {"_id": "a"}]
    assert changed("duplicate", rows) == rows + rows
    assert changed("foreign", rows) == [*rows, {"_id": "a-foreign"}]


def test_values_that_a_database_would_choke_on() -> None:
    row = {"_id": "a", "tag": "t", "timestamp": 5.0}
    assert changed("nul", [row]) == [row | {"tag": "t\0"}]
    assert changed("surrogate", [row]) == [row | {"tag": "t\ud800"}]
    assert changed("skew:60", [row]) == [row | {"timestamp": 65.0}]
    assert "NaN" in json.dumps(changed("nan", [row]))


@pytest.mark.parametrize("name", CHANGES)
def test_a_hostile_document_is_still_json_of_pythons_kind_and_has_its_id(name: str) -> None:
    row = {"_id": "a", "type": "dqm-source-state", "tag": "t", "run": 1, "extra": {"stdlog_end": ["kept\n"]}}
    [document] = changed(name, [row])
    assert document != row
    assert json.loads(json.dumps(document))["_id"] == "a"


def test_an_odd_revision_comes_beside_the_others() -> None:
    rows = [{"_id": "a", "_rev": 5}]
    assert changed("odd-revs:string", rows) == [{"_id": "a-foreign", "_rev": "12"}, *rows]


def test_bytes_that_are_no_utf8_stand_in_headers_tags() -> None:
    store = HostStore("fu-1")
    store.upload({"_id": "a", "tag": "beam"})
    body = b"".join(struck("bad-utf8", whole(b"".join(protocol.answer(store, [protocol.SyncRequest(None)])))).pieces)
    assert b"\xffbeam" in body
    with pytest.raises(UnicodeDecodeError):
        body.decode()


def test_a_fault_strikes_its_path_host_and_event_only() -> None:
    board = FaultBoard()
    board.set("status:500", path="/redirect", host="fu-1", event="sync_request")
    assert [fault.value for fault in board.strike("/redirect", "fu-1", "sync_request")] == ["500"]
    assert board.strike("/redirect", "fu-2", "sync_request") == []
    assert board.strike("/redirect", "fu-1", "request_documents") == []
    assert board.strike("/cr/exe", "fu-1", "sync_request") == []


def test_a_fault_with_a_number_of_times_strikes_so_often() -> None:
    board = FaultBoard()
    board.set("html", times=2)
    assert [len(board.strike("/sync_proxy", "", "")) for _ in range(4)] == [1, 1, 0, 0]


def test_faults_are_cleared_by_name_by_host_or_all() -> None:
    board = FaultBoard()
    board.set("down:gone fishing", host="fu-1")
    board.set("hang", host="fu-1")
    board.set("hang", host="fu-2")
    assert board.down_hosts() == {"fu-1": "gone fishing"}
    board.clear("down")
    assert board.down_hosts() == {}
    board.clear(host="fu-1")
    assert [fault.host for fault in board.strike("/redirect", "fu-2", "")] == ["fu-2"]
    board.clear()
    assert board.strike("/redirect", "fu-2", "") == []


@pytest.mark.parametrize("name", ["", "hangs", "garbage:nice"])
def test_an_unknown_fault_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no fault is called"):
        FaultBoard().set(name)


def test_what_the_fault_table_of_the_project_asks_for_is_there() -> None:
    assert {
        "hang", "drip", "cut", "status", "html", "redirect", "stream-forever", "gzipbomb", "garbage", "down", "retry-after",
        "bad-utf8", "newer", "odd-revs", "wrong-types", "long-line", "many-lines", "many-points", "poison",
        "leave-out", "reorder", "duplicate", "skew", "nan", "nul", "surrogate", "shrink", "inner-timeout",
    } <= NAMES  # fmt: skip
    assert len(SHAPES) >= 40
