"""Answers of another shape than DQM²'s, over HTTP and into a real PostgreSQL: nothing half stored, nothing lost."""

import json
import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dqmsquare.errors import UpstreamError
from dqmsquare.simulator.garbage import SHAPES
from tests.faults.wire import HOST, IDS, Wire, public
from tests.integration.test_replication import Rig
from tests.postgres import TestPlace

few = settings(
    max_examples=20, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def stand(wire: Wire) -> tuple[dict[str, int], int | None]:
    return wire.mirrored(), wire.cursor.head_rev


def listing(*lines: Any, n_more: int = 0) -> str:
    """The body of an answer with these headers; it says that there are `n_more` besides."""
    revs = [line["_rev"] for line in lines if isinstance(line, dict) and type(line.get("_rev")) is int]
    message = {
        "event": "update_headers",
        "rev": [0, 0],
        "sync_to_rev": max(revs),
        "headers": lines,
        "total_sent": len(lines),
        "total_avail": len(lines) + n_more,
    }
    return json.dumps({"messages": [json.dumps(message)]})


def take_as_full_listing(wire: Wire) -> None:
    """Gives the next fault to a comparison, and waits for its end."""
    history = wire.worker._replication._history
    history.ask_for_comparison()
    while wire.simulator.faults._faults or history.is_busy:
        wire.worker._replication.fill()


@few
@given(offset=st.integers(0, 2500), event=st.sampled_from(["sync_request", "request_documents"]))
def test_f9_an_answer_that_is_cut_stores_nothing_by_half_and_moves_nothing(wire: Wire, offset: int, event: str):
    wire.upload(1)
    wire.cycle()
    wire.simulator.faults.clear()
    before = stand(wire)
    wire.upload(1, 2, 3)
    wire.simulator.faults.set(f"cut:{offset}", event=event)
    wire.cycle()
    expected_rev = wire.simulator.stores[HOST].newest_rev
    assert stand(wire) == before or stand(wire)[1] == expected_rev
    wire.simulator.faults.clear()
    wire.cycle()
    assert stand(wire)[1] == expected_rev
    wire.assert_same()
    assert wire.cursor.epoch == 1


def test_f10_each_wrong_shape_is_counted_by_its_kind_and_costs_nothing(wire: Wire):
    wire.upload(*range(5))
    wire.settle()
    for name in SHAPES:
        wire.simulator.faults.set(f"garbage:{name}", event="sync_request", times=1)
        wire.cycle()
        wire.settle()
        wire.simulator.faults.set(f"garbage:{name}", event="sync_request", times=1)
        take_as_full_listing(wire)
        wire.settle()
    wire.assert_same()
    kinds = {
        "cut", "not-object", "no-messages", "messages", "message-not-text", "message-not-json", "message-not-object",
        "not-json", "event", "headers", "sync_to_rev", "total_sent", "number", "incomplete",
    }  # fmt: skip
    errors = {kind: wire.counted("protocol_errors_total", kind=kind) for kind in kinds}
    assert [kind for kind, n in errors.items() if not n] == []
    reasons = {reason for _, reason, _ in wire.quarantine()}
    assert reasons == {"shape", "id", "rev", "missing"}
    assert not wire.worker.crashes._at


def test_f10_documents_of_a_wrong_shape_move_nothing_or_are_missing(wire: Wire):
    wire.upload(1)
    wire.settle()
    for number, name in enumerate(name for name in SHAPES if name.startswith("document")):
        wire.upload(10 * number, 10 * number + 1)
        n_before = len(wire.quarantine()) + wire.counted("protocol_errors_total", kind="documents")
        wire.simulator.faults.set(f"garbage:{name}", event="request_documents", times=2)
        wire.cycle()
        assert len(wire.quarantine()) + wire.counted("protocol_errors_total", kind="documents") > n_before, name
        wire.simulator.faults.clear()
        wire.settle(compare=True)


@pytest.mark.parametrize("lowest", [7_999_500, 9_000_000])
def test_f10_a_full_listing_that_fails_is_counted_too(place: TestPlace, lowest: int):
    """Where a part of it can be had, and where nothing can."""
    told: list[UpstreamError] = []
    rig = Rig(place, base_rev=8_000_000)
    rig.history._on_failure = told.append
    rig.upload(*range(600))
    rig.feed.no_full_listing = True
    rig.cycle(n_fills=0)
    rig.feed.lowest_listed = lowest
    rig.replication.fill()
    while rig.history.is_busy:
        rig.replication.fill()
    assert [type(error).__name__ for error in told] == ["UpstreamMalformed", "UpstreamUnavailable"]
    rig.kill()


@pytest.mark.parametrize("poison", ["[" * 100_000 + "]" * 100_000, "9" * 5_000])
def test_f11_what_python_itself_refuses_to_read_costs_an_answer_and_no_more(wire: Wire, poison: str):
    wire.upload(1)
    wire.settle()
    message = json.dumps('{"event": "update_headers", "headers": ' + poison + "}")
    wire.simulator.faults.set('body:{"messages": [' + message + "]}", event="sync_request", times=1)
    wire.cycle()
    wire.simulator.faults.set("body:" + poison, event="sync_request", times=1)
    wire.cycle()
    assert wire.counted("protocol_errors_total", kind="nesting" if "[" in poison else "number") >= 1
    wire.upload(2)
    wire.settle()


def test_f12_the_good_half_of_an_answer_is_stored_and_the_cursor_stands_at_its_end(wire: Wire):
    wire.upload(1)
    wire.settle()
    wire.upload(*range(2, 6))
    headers = wire.simulator.stores[HOST].headers_from(wire.cursor.head_rev)
    good = json.loads(listing(*headers[:3]))["messages"][0]
    wire.simulator.faults.set("body:" + json.dumps({"messages": [good, "{broken"]}), event="sync_request", times=1)
    wire.cycle()
    assert set(wire.mirrored()) == {public(number) for number in (1, 2, 3)}
    assert wire.cursor.head_rev == headers[2]["_rev"]
    assert wire.counted("protocol_errors_total", kind="message-not-json") == 1
    wire.settle()


def test_f12_headers_that_are_missing_from_an_answer_are_noticed_and_asked_for_again(wire: Wire):
    wire.upload(1)
    wire.settle()
    wire.upload(2, 3, 4)
    headers = wire.simulator.stores[HOST].headers_from(wire.cursor.head_rev)
    body = "body:" + listing(*headers[:3], n_more=1)
    wire.simulator.faults.set(body, event="sync_request", times=1)
    wire.cycle()
    assert set(wire.mirrored()) == {public(number) for number in (1, 2, 3)}
    assert wire.counted("protocol_errors_total", kind="incomplete") == 1
    wire.settle()
    compared_at = wire.cursor.compared_at
    wire.simulator.faults.set(body, event="sync_request", times=1)
    take_as_full_listing(wire)
    assert wire.counted("protocol_errors_total", kind="incomplete") == 2
    assert wire.cursor.compared_at == compared_at, "such a listing is no comparison"


@few
@given(seed=st.integers(0, 10**6))
def test_f13_headers_in_any_order_and_number_are_taken_as_if_they_came_in_theirs(wire: Wire, seed: int):
    dice = random.Random(seed)
    wire.upload(*range(6))
    wire.cycle()
    stale = dice.sample(wire.simulator.stores[HOST].headers_from(wire.cursor.head_rev), 1)
    wire.upload(*(dice.randrange(12) for _ in range(8)))
    headers = [*wire.simulator.stores[HOST].headers_from(wire.cursor.head_rev), *stale]
    headers += dice.choices(headers, k=4)
    # Another one at a revision that is taken, neither the head's nor the newest.
    headers.append({**headers[0], "_rev": headers[2]["_rev"]})
    dice.shuffle(headers)
    wire.simulator.faults.set("body:" + listing(*headers), event="sync_request", times=1)
    wire.cycle()
    newest = wire.simulator.stores[HOST].newest_rev
    assert (wire.cursor.head_rev, wire.cursor.epoch) == (newest, 1)
    wire.assert_same()


def test_f14_documents_are_matched_by_id_and_what_was_not_asked_for_is_counted(wire: Wire):
    wire.upload(1)
    wire.settle()
    for fault in ("reorder", "duplicate", "foreign"):
        wire.simulator.faults.set(fault, event="request_documents")
    wire.upload(2, 3, 4)
    wire.settle()
    assert wire.counted("oddities_total", kind="duplicate") >= 3
    assert wire.counted("oddities_total", kind="extra") >= 1
    assert wire.quarantine() == []


def test_f14_a_document_left_out_goes_to_quarantine_as_missing(wire: Wire):
    wire.upload(1)
    wire.settle()
    wire.simulator.faults.set("leave-out:app2", event="request_documents")
    wire.upload(2, 3)
    n_before = wire.simulator.requests.count(event="request_documents")
    store = wire.simulator.stores[HOST]
    rev = store.headers_from(wire.cursor.head_rev)[1]["_rev"]
    wire.worker._replication.cycle()
    assert wire.simulator.requests.count(event="request_documents") - n_before == 2, "it was asked for once more"
    assert wire.quarantine() == [(public(2), "missing", rev)]
    assert wire.counted("docs_total", result="missing") == 1
    assert (public(3) in wire.mirrored(), wire.cursor.head_rev) == (True, store.newest_rev)
    assert wire.cursor.relist, "a full comparison is asked for"
    wire.simulator.faults.clear()
    wire.settle(compare=True)
    assert not wire.cursor.relist


def test_f15_a_document_newer_than_its_header_is_stored_once(wire: Wire):
    wire.upload(1)
    wire.settle()
    wire.upload(2)
    wire.before_documents(lambda: wire.upload(2))
    wire.cycle()
    assert wire.mirrored()[public(2)] == wire.counter, "the newer one"
    stored = wire.counted("docs_total", result="stored")
    announced = wire.place.rows("SELECT count(*) FROM mirror.changes")
    wire.cycle()
    wire.settle()
    assert wire.counted("docs_total", result="stored") == stored, "the header that follows is no news"
    assert wire.place.rows("SELECT count(*) FROM mirror.changes") == announced
    assert wire.cursor.head_rev == wire.simulator.stores[HOST].newest_rev


def test_f20_headers_without_a_revision_go_to_quarantine_and_the_rest_goes_on(wire: Wire):
    wire.upload(1)
    wire.settle()
    wire.upload(2, 3)
    headers = wire.simulator.stores[HOST].headers_from(wire.cursor.head_rev)
    odd: list[Any] = [-1, 2**63, 5.0, "12", None, True, float("nan"), [], {}]
    headers[1:1] = [{**headers[0], "_id": f"dqm-diskspace-odd{n}", "_rev": rev} for n, rev in enumerate(odd)]
    wire.simulator.faults.set("body:" + listing(*headers), event="sync_request", times=1)
    wire.cycle()
    wire.assert_same()
    assert wire.counted("docs_total", result="quarantined") == len(odd)
    assert {(reason, at) for _, reason, at in wire.quarantine()} == {("rev", -1)}
    assert wire.cursor.head_rev == headers[-1]["_rev"]


def test_f20_a_revision_of_63_bits_is_stored(wire: Wire):
    wire.upload(1)
    wire.settle()
    wire.upload(2, _rev=2**62)
    wire.upload(3, _rev=2**63 - 1)
    wire.settle()
    assert wire.cursor.head_rev == 2**63 - 1
    assert wire.place.rows("SELECT rev FROM mirror.host_disks ORDER BY rev DESC LIMIT 2") == [(2**63 - 1,), (2**62,)]


def test_f24_an_id_with_a_nul_goes_to_quarantine_and_a_tag_with_one_is_cleaned(wire: Wire):
    wire.upload(1)
    wire.settle()
    wire.upload(2)
    headers = wire.simulator.stores[HOST].headers_from(wire.cursor.head_rev)
    headers.insert(1, {**headers[0], "_id": "dqm-diskspace-\0", "_rev": headers[0]["_rev"]})
    wire.simulator.faults.set("body:" + listing(*headers), event="sync_request", times=1)
    wire.simulator.faults.set("nul", event="request_documents")
    wire.settle()
    assert [reason for _, reason, _ in wire.quarantine()] == ["id"]
    assert wire.mirrored()[public(2)] == wire.counter
    assert IDS.document("dqm-diskspace-\0") not in wire.mirrored()


def test_f26_bytes_that_are_no_utf8_are_replaced_counted_and_stored(wire: Wire):
    wire.upload(1)
    wire.settle()
    wire.upload(2)
    document = wire.simulator.stores[HOST].documents([f"dqm-diskspace-{HOST}-app2"])[0]
    text = json.dumps({"event": "update_documents", "documents": [{**document, "odd": "X"}]})
    # Half of a surrogate pair as UTF-8 would have it, which no UTF-8 has.
    spoiled = json.dumps({"messages": [text]}).replace("X", "\udcff")
    wire.simulator.faults.set("body:" + spoiled, event="request_documents", times=1)
    wire.settle()
    assert wire.counted("oddities_total", kind="utf8") >= 1
    assert wire.counted("oddities_total", kind="unknown-key") == 1
    assert wire.quarantine() == []
