"""Documents as no writer should make them: whatever stands in them, they are read or refused, and nothing leaks."""

import json
import math
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmsquare.documents import read_header
from dqmsquare.errors import DocumentRefused
from tests.unit.documents.raw import ALL, JOB, changed, leaks, leaves, read, real_documents, received_after

CANARY = "canary-password-7f3a"
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**15)
    | st.floats()
    | st.text(st.characters(codec=None), max_size=20)
    | st.sampled_from(["", "nan", "1e999", "-1", "\0", "\ud800", "\x1b[31m", "\u202e", "9" * 5000, "['a'", "[" * 500]),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)
quick = settings(max_examples=150, deadline=None, database=None)


def places(value: Any, path: tuple = (), depth: int = 99) -> list[tuple]:
    """The paths to everything in a document, as deep as that."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if len(path) == depth:
        inner = ()
    return [path, *(place for key, one in inner for place in places(one, (*path, key), depth))]


def put(raw: Any, path: tuple, value: Any) -> Any:
    if not path:
        return value
    result = dict(raw) if isinstance(raw, dict) else list(raw)
    result[path[0]] = put(raw[path[0]], path[1:], value)
    return result


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    raw: Any = ALL[draw(st.sampled_from(sorted(ALL)))]
    for _ in range(draw(st.integers(1, 4))):
        kept = [place for place in places(raw) if place[:2] != ("extra", "stdlog_end")]
        raw = put(raw, draw(st.sampled_from(kept)), draw(ANYTHING))
    return raw


def assert_fit_to_store(document: Any) -> None:
    """Strict JSON, text that PostgreSQL takes, numbers that fit into its columns."""
    for leaf in leaves(document):
        if isinstance(leaf, str):
            assert "\0" not in leaf
            leaf.encode("utf-8")
        elif isinstance(leaf, float):
            assert math.isfinite(leaf)
        elif isinstance(leaf, int):
            assert -(2**63) <= leaf < 2**63
        else:
            assert leaf is None or (isinstance(leaf, datetime) and leaf.tzinfo is not None)
    json.dumps([leaf for leaf in leaves(document) if not isinstance(leaf, datetime)], allow_nan=False)


@quick
@given(mutated())
def test_f27_a_mutated_document_is_read_or_refused(raw):
    reason = None
    try:
        document = read(raw)
    except DocumentRefused as refused:
        reason = refused.reason
    else:
        assert_fit_to_store(document)
    assert reason in {None, "shape", "id", "rev", "type", "hostname", "run", "name", "scrub"}


@settings(quick, max_examples=60)
@given(data=st.data())
def test_f27_a_mutated_real_document_is_read_or_refused_and_shows_nothing(data, shared_data):
    raw: Any = data.draw(st.sampled_from(real_documents(shared_data)), label="document")
    mutant = raw
    for _ in range(data.draw(st.integers(1, 3))):
        shallow = [place for place in places(mutant, depth=2) if place]
        mutant = put(mutant, data.draw(st.sampled_from(shallow)), data.draw(ANYTHING))
    try:
        document = read(mutant, received_after(raw))
    except DocumentRefused:
        return
    assert_fit_to_store(document)
    assert leaks(document, raw) == []


@quick
@given(
    mutated()
    | st.integers().map(lambda rev: {**JOB, "_rev": rev})
    | st.text("a\0", max_size=3).map(lambda document_id: {**JOB, "_id": document_id})
)
def test_f20_f27_a_mutated_document_has_a_header_or_none(raw):
    try:
        header = read_header(raw)
    except DocumentRefused:
        return
    assert 0 <= header.rev < 2**63
    assert "\0" not in header.document_id


@quick
@given(st.sampled_from(sorted(ALL)), ANYTHING, st.text(max_size=10))
def test_f27_what_is_not_on_the_list_makes_no_difference(name, value, key):
    raw = ALL[name]
    more = {f"unknown-{key}": value, f"{key}_": CANARY, "environ": {"X": CANARY}, "stderr_fn": CANARY}
    assert read({**raw, **more}) == read(raw)


@quick
@given(ANYTHING, ANYTHING)
def test_f27_any_log_is_read(start, end):
    assert_fit_to_store(read(changed(JOB, {"extra.stdlog_start": start, "extra.stdlog_end": end})))


@pytest.mark.parametrize("field", ["tag", "hostname", "run_key", "config", "state", "lumi_seen"])
def test_no_host_path_or_process_rides_in_a_free_text(field):
    value = "/home/canary/fu-c2f11-11-01.cms pid=12345"
    changes: dict[str, dict[str, Any]] = {
        "tag": {"tag": value},
        "hostname": {"hostname": value},
        "run_key": {"cmdline": [f"runkey={value}"]},
        "config": {"cmdline": ["cmsRun", value + "_cfg.py", f"runUniqueKey={value}", "/CMSSW_12_4_8_canary/"]},
        "state": {"extra.ps_info": {"State": value, "Threads": value, "VmRSS": value}},
        "lumi_seen": {"extra.lumi_seen": {"lumi000001": value.replace("canary", "bobby")}},
    }
    raw = changed(JOB, changes[field])
    raw["extra"]["stdlog_start"], raw["extra"]["stdlog_end"] = [], []
    assert leaks(read(raw), raw) == []


def test_f23_nan_infinity_and_huge_numbers_are_none_everywhere():
    raw = json.loads(
        json.dumps(JOB)
        .replace('"0.51724136"', "1e999")
        .replace('"1165"', "NaN")
        .replace("1663242347.024707", "NaN")
        .replace('"99"', "-Infinity")
        .replace('"358788", "cmssw_lumi"', f'{"9" * 4000}, "cmssw_lumi"')
    )
    job = read(raw)
    assert (job.rate_hz, job.n_events, job.lumi, job.cmssw_run, job.stamp) == (None, None, None, None, None)
    assert job.n_field_errors == 5
    assert_fit_to_store(job)
