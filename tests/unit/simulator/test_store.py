import pytest

from dqmsquare.simulator.store import HostStore

NOW = 1_700_000_000.0


def store(base_rev: int = 0) -> HostStore:
    return HostStore("fu-1", base_rev, clock=lambda: NOW)


def revisions(host: HostStore, known_rev: int | None = None) -> list[tuple[str, int]]:
    return [(header["_id"], header["_rev"]) for header in host.headers_from(known_rev)]


def test_a_header_has_seven_fields_and_they_are_written_back_into_the_document() -> None:
    host = store(8_000_000)
    uploaded = {"_id": "a", "type": "dqm-files", "hostname": "bu-1", "tag": "analyze_files", "run": 7, "extra": {}}
    assert host.upload(uploaded) == 8_000_001
    header = {
        "_id": "a", "_rev": 8_000_001, "timestamp": NOW, "hostname": "bu-1", "type": "dqm-files",
        "tag": "analyze_files", "run": 7,
    }  # fmt: skip
    assert host.headers_from(None) == [header]
    assert host.documents(["a"]) == [{**header, "extra": {}}]
    assert "_rev" not in uploaded


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ({"timestamp": 1.5, "report_timestamp": 2.5}, 1.5),
        ({"report_timestamp": 2.5}, 2.5),
        ({"timestamp": None, "report_timestamp": 2.5}, None),
        ({}, NOW),
    ],
)
def test_the_timestamp_is_the_documents_then_the_reports_then_the_uploads(times: dict, expected: float | None) -> None:
    host = store()
    host.upload({"_id": "a"} | times)
    assert host.headers_from(None)[0]["timestamp"] == expected


def test_what_a_document_lacks_is_null_in_its_header() -> None:
    host = store()
    host.upload({"_id": "a"})
    assert {name: host.headers_from(None)[0][name] for name in ("hostname", "type", "tag", "run")} == {
        "hostname": None, "type": None, "tag": None, "run": None,
    }  # fmt: skip


def test_a_known_revision_is_answered_with_its_own_header_first() -> None:  # U2
    host = store()
    for name in "abc":
        host.upload({"_id": name})
    assert revisions(host, 2) == [("b", 2), ("c", 3)]
    assert revisions(host, 4) == []
    assert revisions(host, None) == revisions(host, 0) == [("a", 1), ("b", 2), ("c", 3)]


def test_an_updated_document_loses_its_old_revision() -> None:  # U3
    host = store()
    for name in "aba":
        host.upload({"_id": name})
    assert revisions(host) == [("b", 2), ("a", 3)]


def test_a_dropped_newest_revision_is_given_out_again() -> None:  # U4
    host = store()
    for name in "ab":
        host.upload({"_id": name})
    host.drop(["b", "never there"])
    assert host.upload({"_id": "c"}) == 2
    assert revisions(host) == [("a", 1), ("c", 2)]
    assert host.documents(["b"]) == []


def test_a_document_with_its_own_revision_lands_there_and_deletes_the_header_that_stood_there() -> None:  # U5
    host = store()
    for name in "abc":
        host.upload({"_id": name})
    assert host.upload({"_id": "late", "_rev": 2}) == 2
    assert revisions(host) == [("a", 1), ("late", 2), ("c", 3)]
    assert [document["_id"] for document in host.documents(["b"])] == ["b"]  # only its header is gone


def test_a_revision_below_all_others_is_listed_first() -> None:
    host = store(100)
    host.upload({"_id": "a"})
    host.upload({"_id": "b", "_rev": 5})
    assert revisions(host) == [("b", 5), ("a", 101)]


def test_documents_come_in_no_order_that_was_asked_for_and_unknown_ones_not_at_all() -> None:  # U6
    host = store()
    for name in "cab":
        host.upload({"_id": name})
    assert [document["_id"] for document in host.documents(["c", "x", "b", "a", "c"])] == ["a", "b", "c"]


def test_numbers_and_letters_that_json_does_not_know_are_kept() -> None:  # U8
    host = store()
    host.upload({"_id": "a", "rate": float("inf"), "log": ["\ud800", "\0"]})
    assert host.documents(["a"])[0]["log"] == ["\ud800", "\0"]
    assert "Infinity" in host.documents_as_text(["a"])[0]


def test_after_a_reset_revisions_start_at_one() -> None:
    host = store(8_000_000)
    host.upload({"_id": "a"})
    host.reset()
    assert (len(host), host.newest_rev) == (0, 0)
    assert host.upload({"_id": "b"}) == 1


def test_a_host_whose_documents_were_all_dropped_starts_at_one_too() -> None:
    host = store(8_000_000)
    host.upload({"_id": "a"})
    host.drop(["a"])
    assert host.upload({"_id": "b"}) == 1


@pytest.mark.parametrize("document", [{}, {"_id": None}, {"_id": "a", "_rev": None}, {"_id": "a", "_rev": True}])
def test_what_the_table_would_refuse_is_refused(document: dict) -> None:
    with pytest.raises(ValueError, match="cannot be stored"):
        store().upload(document)


def test_a_document_made_on_demand_has_the_revision_of_its_header() -> None:
    class Maker:
        def make(self, document_id: str) -> dict:
            return {"_id": document_id, "report_timestamp": 5.0, "hostname": "fu-1", "type": "t", "tag": "g", "run": 3}

    host = store(10)
    header = {"_id": "old", "timestamp": 5.0, "hostname": "fu-1", "type": "t", "tag": "g", "run": 3}
    assert host.add_lazily(header, Maker(), step=4) == 14
    assert host.headers_from(None) == [header | {"_rev": 14}]
    assert host.documents(["old"]) == [header | {"_rev": 14, "report_timestamp": 5.0}]


def test_the_newest_ids_are_named_oldest_first() -> None:
    host = store()
    for name in "abc":
        host.upload({"_id": name})
    assert host.newest_ids(2) == ["b", "c"]
    assert host.newest_ids(9) == ["a", "b", "c"]
