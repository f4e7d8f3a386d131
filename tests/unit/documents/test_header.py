import pytest

from dqmsquare.documents import Header, read_header
from dqmsquare.errors import DocumentRefused

HEADER = {
    "_id": "dqm-source-state-run358788-hostfu-c2f11-11-04-pid041552",
    "_rev": 8_000_001,
    "timestamp": 1663242347.024707,
    "hostname": "fu-c2f11-11-04",
    "type": "dqm-source-state",
    "tag": "beam_dqm_sourceclient-live",
    "run": 358788,
}


def test_a_header_is_read_as_sent():
    assert read_header(HEADER) == Header(
        document_id="dqm-source-state-run358788-hostfu-c2f11-11-04-pid041552",
        rev=8_000_001,
        timestamp=1663242347.024707,
        hostname="fu-c2f11-11-04",
        kind="dqm-source-state",
        tag="beam_dqm_sourceclient-live",
        run=358788,
    )


def test_a_host_document_has_neither_tag_nor_run():
    header = read_header(HEADER | {"type": "dqm-stats", "tag": None, "run": None, "hostname": None})
    assert (header.kind, header.tag, header.run, header.hostname) == ("dqm-stats", None, None, None)


def test_headers_of_kinds_that_are_not_kept_are_headers_too():
    assert read_header(HEADER | {"type": "fff-anything"}).kind == "fff-anything"


@pytest.mark.parametrize("rev", [0, 2**62, 2**63 - 1])
def test_f20_revisions_have_63_bits(rev):
    assert read_header(HEADER | {"_rev": rev}).rev == rev


@pytest.mark.parametrize("rev", [-1, 2**63, 12.0, 1.5, "12", None, True, float("nan"), [], {}])
def test_f20_what_is_no_revision_is_refused(rev):
    with pytest.raises(DocumentRefused) as refused:
        read_header(HEADER | {"_rev": rev})
    assert refused.value.reason == "rev"


@pytest.mark.parametrize("document_id", [None, "", 5, "a\0b", "a\ud800b", "a\x1b[0m", "x" * 201, ["a"]])
def test_f24_f25_an_id_that_cannot_be_asked_for_is_refused(document_id):
    with pytest.raises(DocumentRefused) as refused:
        read_header(HEADER | {"_id": document_id})
    assert refused.value.reason == "id"


@pytest.mark.parametrize("kind", [None, "", 5, True, {}, "x" * 121])
def test_a_type_that_is_none_is_refused(kind):
    with pytest.raises(DocumentRefused) as refused:
        read_header(HEADER | {"type": kind})
    assert refused.value.reason == "type"


@pytest.mark.parametrize("raw", [None, [], "x", 5, True, [HEADER]])
def test_what_is_no_object_is_refused(raw):
    with pytest.raises(DocumentRefused) as refused:
        read_header(raw)
    assert refused.value.reason == "shape"


@pytest.mark.parametrize("run", ["x", -1, 0, 10_000_000, True, 1.5, {}])
def test_a_run_that_is_none_does_not_cost_the_header(run):
    assert read_header(HEADER | {"run": run}).run is None


@pytest.mark.parametrize("timestamp", [None, "x", float("nan"), float("inf"), True, {}])
def test_a_timestamp_that_is_none_does_not_cost_the_header(timestamp):
    assert read_header(HEADER | {"timestamp": timestamp}).timestamp is None
