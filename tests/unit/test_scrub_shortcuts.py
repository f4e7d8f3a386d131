"""What the scrubber looks up instead of searching for it: lines, words, shapes of lines, rules. It changes no result."""

import pytest
import re2
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from dqmsquare.scrub import Scrubbed, Scrubber, clean_bytes, clean_text, event_lines, scrubber
from dqmsquare.scrub.event_lines import is_event_line
from dqmsquare.scrub.line_memo import LineMemo
from dqmsquare.scrub.paths import user_names
from dqmsquare.scrub.pattern import PatternSet
from tests.unit.test_scrub import GOES, HOSTS, SURVIVES, TEXTS

SCRUBBER, FORGETFUL = Scrubber(HOSTS), Scrubber(HOSTS)


class Plodding(Scrubber):
    """Looks nothing up."""

    def _replace_words(self, shown, n_removed, places):
        return set()

    def _found_in(self, shown, places):
        return self._all

    def scrub(self, text):
        self._memo_for.cache_clear()
        return scrubbed(self, text)


PLODDING = Plodding(HOSTS)


def scrubbed(by: Scrubber, text: str) -> Scrubbed:
    """Not through what is remembered of short texts."""
    return by.scrub_clean((clean_bytes(text),))[0]


SECRET_LINES = st.lists(TEXTS | st.sampled_from([text for text, _, _ in GOES] + SURVIVES), max_size=12).map("\n".join)


@settings(max_examples=300, deadline=None, database=None)
@given(SECRET_LINES)
@example("password=x(\n[removed] 10.1.2.3")
def test_a_text_is_scrubbed_as_its_lines_are(text):
    """So that what is known of a line from another text, or from 30 s ago, may be used for it."""
    cleaned = clean_text(text)
    assume("-----BEGIN " not in cleaned and "-----END " not in cleaned)  # keys go from the text as a whole, and first
    users = user_names(cleaned.encode())
    alone = [SCRUBBER._settled([line.encode()], users)[0] for line in cleaned.split("\n")]
    expected = Scrubbed("\n".join(line.decode() for line, _ in alone), sum(n for _, n in alone))
    FORGETFUL._memo_for.cache_clear()
    assert scrubbed(FORGETFUL, text) == scrubbed(FORGETFUL, text) == scrubbed(SCRUBBER, text) == expected


def test_a_line_that_was_seen_is_not_scrubbed_again(monkeypatch):
    known = Scrubber(HOSTS)
    once = scrubbed(known, "on fu-c2f11-11-04\nand 10.1.2.3")
    monkeypatch.setattr(known, "_settled", lambda lines, users: [(line, 0) for line in lines])
    assert scrubbed(known, "on fu-c2f11-11-04\nand 10.1.2.3").text == once.text
    assert scrubbed(known, "and 10.1.2.3\non fu-c2f11-11-05").text == "and [address]\non fu-c2f11-11-05"


def test_a_user_who_is_looked_for_makes_another_line_of_it():
    known = Scrubber(HOSTS)
    assert scrubbed(known, "by bobby").text == "by bobby"
    assert scrubbed(known, "by bobby\nin /home/bobby/x").text == "by [user]\nin [path]"


def test_lines_that_are_long_not_used_are_forgotten():
    memo = LineMemo(max_bytes=10)
    memo.add({b"12345": (b"1", 1)})
    memo.add({b"678901": (b"6", 1)})  # the second generation is full
    assert memo.look_up([b"12345", b"x"]) == [(b"1", 1), None]
    memo.add({b"abcdefghij": (b"a", 0)})
    memo.add({b"klmnopqrst": (b"k", 0)})
    assert memo.look_up([b"678901", b"klmnopqrst"]) == [None, (b"k", 0)]


@settings(max_examples=300, deadline=None, database=None)
@given(SECRET_LINES)
@example(
    "/fff/BU0/ramdisk/run377814/run377814_ls0001_streamDQM_sm-c2a11-43-01.jsn -I/home/bobby x=~bobby/y /tmp/a /fff"
)
@example("password=/fff/x /data/x")
@example("a /eos/b fu-c2f11-11-04/c  //home//x/ /")
def test_words_and_rules_that_are_looked_up_change_nothing(text):
    FORGETFUL._memo_for.cache_clear()
    assert scrubbed(FORGETFUL, text) == PLODDING.scrub(text)


def test_a_word_that_was_seen_is_not_searched_again(monkeypatch):
    known = Scrubber(HOSTS)
    scrubbed(known, "open /fff/ramdisk/run1/x.dat")
    monkeypatch.setattr(known, "_common", [])
    assert scrubbed(known, "close /fff/ramdisk/run1/x.dat of /fff/y") == Scrubbed("close [path] of /fff/y", 1)


def test_what_is_long_is_not_remembered():
    """Words and lines may be as long as a log: thousands of them would be all memory."""
    known = Scrubber(HOSTS)
    event_lines._is_event_shape.cache_clear()
    assert scrubbed(known, "in /fff/" + 500 * "x" + " too").text == "in [path] too"
    known.scrub(201 * "x")
    sizes = [cache.cache_info().currsize for cache in (known._shown_word, known._scrub_short)]
    assert [*sizes, event_lines._is_event_shape.cache_info().currsize] == [0, 0, 0]


def test_a_short_text_that_was_seen_is_not_looked_at_again(monkeypatch):
    known = Scrubber(HOSTS)
    known.scrub("on fu-c2f11-11-04")
    monkeypatch.setattr(known, "scrub_clean", None)
    assert known.scrub("on fu-c2f11-11-04") == Scrubbed("on fu..04", 1)


EVENT_LINES = st.builds(
    "Begin processing the {}{} record. Run {}, Event {}, LumiSection {} on stream {} at {:02}-Nov-2026 {}.{:03} CET".format,
    st.integers(1, 10**7),
    st.sampled_from(["st", "nd", "rd", "th"]),
    st.integers(1, 10**6),
    st.integers(1, 10**10),
    st.integers(1, 9999),
    st.integers(0, 99),
    st.integers(1, 31),
    st.sampled_from(["14:11:26", "00:00:00", "23:59:59"]),
    st.integers(0, 999),
)


@settings(max_examples=200, deadline=None, database=None)
@given(EVENT_LINES)
def test_no_rule_finds_anything_in_a_line_that_counts_an_event(line):
    assert is_event_line(line.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scrubber, "is_event_line", lambda _: False)
        assert PLODDING.scrub(line) == Scrubbed(line, 0)


@settings(max_examples=200, deadline=None, database=None)
@given(EVENT_LINES, st.integers(0, 110), st.sampled_from(["10.1.2.3", "/", "a", "-", " ", "fu-c2f11-11-04", "eyJ"]))
def test_a_line_with_anything_else_in_it_is_looked_at(line, position, more):
    assert not is_event_line((line[:position] + more + line[position:]).encode())


def test_a_set_of_patterns_tells_which_are_there():
    assert PatternSet(["a+", "b", "(?i)c"]).found_in(b"xxaaC") == {0, 2}


def test_a_set_that_finds_nothing_is_not_believed():
    """RE2 gives the same answer when its memory is used up: then every rule is tried."""
    assert PatternSet(["a", "b"]).found_in(b"x") == {0, 1}


def test_a_set_with_a_wrong_pattern_is_an_error():
    with pytest.raises(re2.error):
        PatternSet(["a", "("])
