import doctest

from dqmsquare.documents import LumiRange, series
from dqmsquare.documents.fields import FieldReader
from dqmsquare.documents.series import MAX_POINTS, read_lumi_ranges, read_lumis, read_memory, thin
from tests.unit.documents.raw import RECEIVED_AT, SCRUBBER

START = int(RECEIVED_AT.timestamp()) - 200_000


def extra(**raw: object) -> FieldReader:
    return FieldReader(raw, RECEIVED_AT)


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(series).failed == 0


def test_memory_is_in_order_of_time_and_in_bytes():
    fields = extra(mem_info={str(START + 30.5): "300 20 1 1 0 1 0", str(START): "200 10"})
    assert read_memory(fields) == ((START, 40960, 819200), (START + 30, 81920, 1228800))
    assert fields.tally.n_errors == 0


def test_points_that_are_none_are_left_out_and_counted_once():
    fields = extra(
        mem_info={
            "x": "1 2",
            "nan": "1 2",
            str(START): "1",
            str(START + 1): "a b",
            str(START + 2): None,
            "-5": "1 2",
            str(START + 3): "-1 2",
            str(START + 4): f"{10**17} 1",
            str(START + 5): "2 1",
        }
    )
    assert read_memory(fields) == ((START + 5, 4096, 8192),)
    assert fields.tally.n_errors == 1


def test_f30_a_hundred_thousand_points_become_five_hundred_with_lowest_highest_and_last():
    pages = [1000 + n % 7 for n in range(100_000)]
    pages[123], pages[99_000] = 999_999, 1
    memory = read_memory(extra(mem_info={str(START + n): f"5 {page}" for n, page in enumerate(pages)}))
    assert len(memory) <= MAX_POINTS
    assert (START + 123, 999_999 * 4096, 5 * 4096) in memory
    assert (START + 99_000, 4096, 5 * 4096) in memory
    assert memory[-1][0] == START + 99_999
    assert list(memory) == sorted(memory)


def test_f30_a_series_that_is_short_enough_stays():
    assert thin(range(500), float) == tuple(range(500))
    assert len(thin(range(501), float)) <= 500


def test_a_lumisection_reported_in_parts_is_summed_up():
    fields = extra(
        lumi_stats={
            "3": {"n": "2", "nevents": "10", "nmillis": "20000", "rate": "0.5"},
            "1": {"n": "1", "nevents": "7", "nmillis": "23310.9"},
            "2": {"n": "2", "nevents": "1", "nmillis": "3000"},
        }
    )
    assert read_lumis(fields) == ((1, 7, 23.311), (2, 11, 23.0))


def test_entries_that_are_none_are_left_out_and_counted_once():
    bad: list[object] = [
        None,
        [],
        {},
        {"n": "x"},
        {"n": 1, "nevents": -1, "nmillis": 1},
        {"n": 100_001, "nevents": 1, "nmillis": 1},
    ]
    fields = extra(lumi_stats={str(n): entry for n, entry in enumerate(bad)})
    assert (read_lumis(fields), fields.tally.n_errors) == ((), 1)


def test_f30_a_long_run_keeps_its_slowest_and_fastest_lumisections():
    stats = {str(n): {"n": n, "nevents": 20, "nmillis": 20_000} for n in range(1, 3001)}
    stats["700"]["nevents"], stats["2900"]["nevents"] = 0, 5000
    lumis = read_lumis(extra(lumi_stats=stats))
    assert len(lumis) <= MAX_POINTS
    assert {(700, 0, 20.0), (2900, 5000, 20.0), (3000, 20, 20.0)} <= set(lumis)


def test_neighbours_in_one_state_are_one_range():
    seen = {
        "lumi000003": "close: eof",
        "lumi000001": "close: eof",
        "lumi000002": "close: eof",
        "lumi000005": "close: eof",
    }
    assert read_lumi_ranges(extra(lumi_seen=seen), SCRUBBER) == (
        LumiRange(1, 3, "ok", "close: eof"),
        LumiRange(5, 5, "ok", "close: eof"),
    )


def test_every_word_of_cmssw_has_its_grade():
    words = {
        "ok": [
            "",
            "open: file iterator",
            "close: eof",
            "close: graceful end-of-run",
            "close: ok",
            "skipped: fast-forward to the latest lumi",
        ],
        "info": [
            "close: forced end-of-run",
            "close: skipping to another file",
            "close: not loading",
            "close: destructor",
        ],
        "warn": ["skipped: timeout"],
        "bad": [
            "close: error",
            "close: data file corrupted",
            "error: data file missing",
            "error: data file corrupted",
            "error: something new",
        ],
        "other": ["close: something new"],
    }
    texts = [(grade, text) for grade, texts in words.items() for text in texts]
    seen = {f"lumi{n:06d}": text for n, (_, text) in enumerate(texts)}
    ranges = read_lumi_ranges(extra(lumi_seen=seen), SCRUBBER)
    assert [(one.grade, one.text) for one in ranges] == texts


def test_unknown_words_are_scrubbed_and_clipped():
    seen = {"lumi000001": "lost /fff/BU0/x on fu-c2f11-11-01\n" + "x" * 5000}
    [one] = read_lumi_ranges(extra(lumi_seen=seen), SCRUBBER)
    assert one == LumiRange(1, 1, "other", ("lost [path] on [host] " + "x" * 100)[:60])


def test_f30_a_strip_that_flickers_keeps_its_newest_ranges():
    seen = {f"lumi{n:06d}": "close: eof" if n % 2 else "skipped: timeout" for n in range(1, 10_001)}
    ranges = read_lumi_ranges(extra(lumi_seen=seen), SCRUBBER)
    assert (len(ranges), ranges[-1].last) == (2000, 10_000)
