"""Series that are read at once, beside the same read entry by entry."""

import doctest
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from dqmsquare.documents import plain_numbers, series
from dqmsquare.documents.fields import FieldReader
from dqmsquare.documents.series import read_lumi_ranges, read_lumis, read_memory
from tests.unit.documents.raw import RECEIVED_AT, SCRUBBER

NOW = RECEIVED_AT.timestamp()
ODD_TEXTS = [
    "",
    " 5",
    "5 ",
    "1,2",
    "1.",
    ".5",
    "1.5",
    "007",
    "+3",
    "-3",
    "1e3",
    "nan",
    "1_0",
    "\u0661",
    "[1",
    "2]",
    '"a',
]
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [*ODD_TEXTS, "9" * 19, "9" * 18, str(2**50), "lumi", "lumi1", "lumi0000001", None, 5, 2.5, True, [], {}]
)
WORDS = st.lists(st.integers(0, 10**6).map(str) | ODD.filter(lambda odd: isinstance(odd, str)), max_size=4).map(
    " ".join
)
MEMORY = st.dictionaries(
    st.floats(NOW - 10_000, NOW + 10_000).map(lambda at: f"{at:.6f}") | ODD.map(str), WORDS | st.just("20 10 3") | ODD
)
ENTRY = st.fixed_dictionaries(
    {}, optional={name: st.integers(0, 200_000).map(str) | ODD for name in ("n", "nevents", "nmillis")}
)
LUMIS = st.dictionaries(st.text(), ENTRY | ODD | st.just({"n": "1", "nevents": "20", "nmillis": "23300"}))
SEEN = st.dictionaries(st.integers(0, 120_000).map(lambda n: f"lumi{n:06d}") | ODD.map(str), st.text() | ODD)
READERS = {
    "mem_info": (read_memory, "_plain_memory", MEMORY),
    "lumi_stats": (read_lumis, "_plain_lumis", LUMIS),
    "lumi_seen": (lambda extra: read_lumi_ranges(extra, SCRUBBER), "_plain_states", SEEN),
}


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(plain_numbers).failed == 0


@settings(max_examples=300, deadline=None, database=None)
@given(st.sampled_from(sorted(READERS)).flatmap(lambda name: st.tuples(st.just(name), READERS[name][2])))
def test_a_series_that_is_read_at_once_is_as_one_read_entry_by_entry(case):
    name, raw = case
    read, quick, _ = READERS[name]
    at_once = FieldReader({name: raw}, RECEIVED_AT)
    one_by_one = FieldReader({name: raw}, RECEIVED_AT)
    result = read(at_once)
    with patch.object(series, quick, lambda *_: None):
        assert read(one_by_one) == result
    assert one_by_one.tally == at_once.tally


def test_usual_series_are_read_at_once():
    points: dict[object, object] = {f"{NOW - 60:.6f}": "20 10 3", f"{NOW - 30:.6f}": "21 11 3"}
    assert series._plain_memory(points, RECEIVED_AT) is not None
    assert series._plain_lumis([{"n": "1", "nevents": "20", "nmillis": "23300", "rate": "0.8"}]) == [(1, 20, 23300)]
    assert series._plain_states({"lumi000001": "close: eof"}) == {1: "close: eof"}
