"""Bodies as they are stored: small, and readable whichever dictionary they were made with."""

import dataclasses
from datetime import UTC, datetime

import orjson
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmsquare.documents import LumiRange, StreamFiles
from dqmsquare.storage.delivery_body import delivery_body, unpack_delivery
from dqmsquare.storage.packing import FOLDER, Body, json_body, pack, text_body, unpack_json, unpack_text
from dqmsquare.storage.rows import JobSeries
from dqmsquare.storage.series_body import series_body, unpack_series

BIG = st.integers(-(2**53), 2**53)
SECONDS = st.integers(0, 10**9).map(lambda ms: ms / 1000)
SERIES = st.builds(
    JobSeries,
    memory=st.lists(st.tuples(BIG, BIG, BIG)).map(tuple),
    lumis=st.lists(st.tuples(BIG, BIG, SECONDS)).map(tuple),
    lumi_ranges=st.lists(st.builds(LumiRange, BIG, BIG, st.sampled_from(["ok", "bad"]), st.just("x"))).map(tuple),
)
TIMES = st.one_of(st.just(-1.0), st.floats(0, 1e11, exclude_max=True), st.floats(1.6e9, 1.9e9))
COUNTS = st.integers(-1, 2**63 - 1)
STREAM = st.lists(st.tuples(st.integers(0, 10**6), TIMES, TIMES, COUNTS, COUNTS, COUNTS)).map(
    lambda rows: StreamFiles(*(zip(*rows, strict=True) if rows else ((),) * 6))
)


def packed(body: Body) -> bytes:
    (frame,) = pack([body])
    return frame


@pytest.mark.parametrize("text", ["a log\n", "é" * 70_000, "\0"])
def test_a_log_comes_back(text):
    assert unpack_text(packed(text_body(text))) == text


@settings(max_examples=100, deadline=None, database=None)
@given(SERIES)
def test_series_come_back_exactly(series):
    assert unpack_series(packed(series_body(series))) == series


def test_series_that_were_stored_as_rows_are_read():
    rows = {"memory": [[1, 4096, 8192]], "lumis": [[3, 20, 23.3]], "ranges": [[1, 3, "ok", "close: eof"]]}
    assert unpack_series(packed(json_body(rows))) == JobSeries(
        memory=((1, 4096, 8192),), lumis=((3, 20, 23.3),), lumi_ranges=(LumiRange(1, 3, "ok", "close: eof"),)
    )


@settings(max_examples=200, deadline=None, database=None)
@given(st.dictionaries(st.sampled_from(["streamDQM", "streamDQMHistograms"]), STREAM))
def test_files_come_back_exactly(streams):
    assert unpack_delivery(packed(delivery_body(streams))) == streams


def test_files_that_were_stored_as_they_are_are_read():
    stored = {"streamDQM": [[1, 2], [10.5, -1], [11.5, -1], [9, -1], [6, -1], [104, -1]]}
    assert unpack_delivery(packed(json_body(stored))) == {
        "streamDQM": StreamFiles((1, 2), (10.5, -1), (11.5, -1), (9, -1), (6, -1), (104, -1))
    }


def test_files_take_two_thirds_of_what_they_were():
    """Each file comes a little early or late, and is named 2 ms after it was written."""
    lumis = range(1, 101)
    mtimes = tuple(1663240052.5067306 + 23.311 * n + n * 7919 % 83 / 5000 for n in lumis)
    counts = tuple(9000 + n * 7919 % 997 for n in lumis)
    files = StreamFiles(tuple(lumis), mtimes, tuple(t + 0.002 for t in mtimes), counts, counts, counts)
    plain = packed(json_body({"streamDQM": dataclasses.astuple(files)}))
    assert len(packed(delivery_body({"streamDQM": files}))) < len(plain) * 2 / 3


def test_what_was_packed_without_a_dictionary_is_read():
    frame = zstandard.ZstdCompressor(level=3).compress(b'{"a": 1}')
    assert unpack_json(frame) == {"a": 1}
    assert unpack_text(frame) == '{"a": 1}'


def test_a_frame_names_its_dictionary():
    """So that a later dictionary does not make older bodies unreadable."""
    numbers = {path.stem: zstandard.ZstdCompressionDict(path.read_bytes()).dict_id() for path in FOLDER.glob("*.zdict")}
    assert len(set(numbers.values())) == len(numbers) >= 2
    assert zstandard.get_frame_parameters(packed(text_body("a log\n"))).dict_id in numbers.values()


def test_series_take_a_third_of_what_they_were():
    began = int(datetime(2026, 9, 1, tzinfo=UTC).timestamp())
    memory = tuple((began + 30 * n, 4096 * (90_000 + 37 * n), 4096 * (190_000 + 37 * n)) for n in range(60))
    lumis = tuple((n, 900 + n * 7919 % 83, 23.311 + n * 37 % 11 / 1000) for n in range(1, 61))
    series = JobSeries(memory=memory, lumis=tuple((a, b, round(c, 3)) for a, b, c in lumis), lumi_ranges=())
    plain = zstandard.ZstdCompressor(level=3).compress(orjson.dumps({"memory": memory, "lumis": lumis}))
    assert len(packed(series_body(series))) < len(plain) / 3


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.zdict")), ids=lambda path: path.stem)
def test_no_dictionary_holds_what_must_not_leave(path):
    content = path.read_bytes()
    needles = (b"canary", b"dqmpro", b"/fff/", b"/nfshome", b"c2f11-", b"c2a11-", b".cms", b"_pid0")
    assert [needle for needle in needles if needle in content] == []
