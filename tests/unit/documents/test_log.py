import json

import pytest

from dqmsquare.documents.log import MAX_KEPT_BYTES, MAX_READ_CHARACTERS, LogText, read_log
from dqmsquare.scrub import Scrubber


class Watching(Scrubber):
    """Is given no more of a log than what is read of it, however long that is."""

    def scrub_clean(self, pieces):
        assert sum(map(len, pieces)) <= 2 * MAX_READ_CHARACTERS
        return super().scrub_clean(pieces)


SCRUBBER = Watching(())
LINES = [f"line {n}, which says something of its own\n" for n in range(1, 1000)]


def log(start: object, end: object = None) -> LogText:
    return read_log(start, end, SCRUBBER)


@pytest.mark.parametrize(
    "start",
    [
        ["a b\n", 'it\'s "c"\n'],
        ("a b\n", 'it\'s "c"\n'),
        json.dumps(["a b\n", 'it\'s "c"\n']),
        json.dumps(["a b\n", 'it\'s "c"\n'], indent=0),
        str(["a b\n", 'it\'s "c"\n']),
        'a b\nit\'s "c"\n',
        ["a b\nit'", 's "c"\n'],
        ["a b\r\n", 'it\'s "c"\r\n'],
        ["a b\n", None, 5, {}, 'it\'s "c"\n'],
    ],
)
def test_whatever_shape_the_lines_came_in(start):
    assert log(start) == LogText('a b\nit\'s "c"\n')


@pytest.mark.parametrize("start", [None, 5, {}, [], "", True, [None], ["", ""]])
def test_no_lines_are_no_log(start):
    assert log(start, start) == LogText()


GONE = "An exception of category 'LogicError': Internal error, cannot get data file: /fff/ramdisk/run398220/x.dat\n"


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ([LINES[0], GONE], None),
        (LINES[:400], [*LINES[500:700], GONE]),
        (None, str([*LINES[:20], GONE])),  # as the first mirror kept it
        ([*LINES * 20, GONE, *LINES * 20], None),  # in what is cut away
    ],
)
def test_a_log_that_says_that_its_input_was_gone_is_known_by_it(start, end):
    assert log(start, end).input_gone is True
    assert log([*LINES[:10], "cannot get data file\n"]).input_gone is False


@pytest.mark.parametrize(
    "text",
    [
        "[not a list]",
        "['unclosed",
        "['a', " + "[" * 10_000 + "]",
        "['a' for a in b]",
        "['a', open('/x')]",
        "['a', __import__('os').system('true')]",
        '["a\\ud800"',
    ],
)
def test_what_is_no_list_is_text(text):
    assert log(text).head.startswith(text[:5])


def test_items_without_line_ends_are_lines():
    assert log(["a", "b"]).head == "a\nb"


@pytest.mark.parametrize(
    ("n_head", "first_of_tail", "head", "tail"),
    [
        (10, 0, LINES[:10], []),  # a short log: both have all of it
        (10, 6, LINES[:10], []),  # a tail within the head
        (10, 10, LINES[:10], LINES[10:12]),
    ],
)
def test_a_short_log_is_joined_where_it_overlaps(n_head, first_of_tail, head, tail):
    end = LINES[first_of_tail : max(n_head, first_of_tail + len(tail))]
    assert log(LINES[:n_head], end) == LogText("".join(head), "".join(tail))


def test_head_and_tail_that_are_full_and_overlap_are_joined_without_a_gap():
    assert log(LINES[:400], LINES[300:700]) == LogText("".join(LINES[:400]), "".join(LINES[400:700]), gap=False)


def test_head_and_tail_that_are_full_and_do_not_overlap_have_a_gap():
    assert log(LINES[:400], LINES[500:900]) == LogText("".join(LINES[:400]), "".join(LINES[500:900]), gap=True)


def test_lines_that_are_alike_by_chance_are_no_overlap():
    head, tail = [*LINES[:400], "%MSG\n"], ["%MSG\n", *LINES[500:900]]
    assert log(head, tail) == LogText("".join(head), "".join(tail), gap=True)


def test_a_log_of_nothing_but_one_line_is_no_overlap_either():
    head, tail = [LINES[0], *["no update | alive = 1, and so on\n"] * 500], ["no update | alive = 1, and so on\n"] * 500
    assert log(head, tail).gap is False  # all of the tail is in the head
    assert log(head, [*tail, LINES[1]]).gap is True


def test_f29_overlaps_are_found_in_linear_time():
    lines = ["a\n"] * 100_000
    assert log([*lines, "b\n"], lines).gap is True


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_a_secret_across_the_seam_of_items_or_of_head_and_tail_is_caught(cut):
    text = "before password=hunter2 on fu-c2f11-11-04 in /nfshome0/bobby/x after\n"
    expected = "before password=[removed] on [host] in [path] after\n"
    joined = log(["first\n", text[:cut], text[cut:], "last\n"])
    assert joined.head == f"first\n{expected}last\n"
    across = log(["first\n", text[:cut]], [text[cut:], "last\n"])
    assert across.head + across.tail == f"first\n{expected}last\n"


def test_a_user_known_from_the_head_is_taken_out_of_the_tail_across_a_gap():
    head = ["in /nfshome0/bobby/x\n", *LINES[:400]]
    tail = [*LINES[500:900], "killed by bobby\n"]
    read = log(head, tail)
    assert (read.gap, read.head.splitlines()[0], read.tail.splitlines()[-1]) == (True, "in [path]", "killed by [user]")
    assert read.n_removed == 2


@pytest.mark.parametrize("line", ["x" * 50_000_000, "word " * 10_000_000, "/home/bobby/a " * 100_000])
def test_f29_a_huge_line_is_clipped_with_a_mark(line):
    head = log([line + "\n"])
    tail = log([], [line + "\n"])
    assert len(head.head.encode()) <= MAX_KEPT_BYTES
    assert len(tail.head.encode()) + len(tail.tail.encode()) <= 2 * MAX_KEPT_BYTES
    assert head.head.endswith(" bytes]\n")
    assert "[clipped " in head.head
    assert "[clipped " in tail.tail[:50]
    assert "bobby" not in head.head + tail.head + tail.tail


def test_f29_many_lines_are_clipped_at_a_line_and_nothing_is_unaccounted_for():
    lines = [f"{n:07d} é\n" for n in range(20_000)]
    read = log(lines)
    *kept, mark = read.head.splitlines(keepends=True)
    assert kept == lines[: len(kept)]
    assert mark == f"[clipped {len(''.join(lines[len(kept) :]).encode())} bytes]\n"


def test_f29_the_end_is_clipped_at_its_start():
    lines = [f"{n:07d} é\n" for n in range(20_000)]
    read = log(LINES[:400], lines)
    mark, *kept = read.tail.splitlines(keepends=True)
    assert (read.gap, kept) == (True, lines[-len(kept) :])
    assert mark == f"[clipped {len(''.join(lines[: -len(kept)]).encode())} bytes]\n"
    assert len(read.tail.encode()) <= MAX_KEPT_BYTES


def test_f24_f25_f29_controls_and_halves_of_characters_are_gone():
    text = ["\x1b[31mred\x1b[0m \0 \ud800 10%\r20%\r\n", "\u202etxt\n"]
    assert log(text).head == "red \ufffd \ufffd 10%\n20%\ntxt\n"


def test_a_key_whose_start_was_not_kept_goes_too():
    body = ["MIIEowIBAAKCAQEA1234567890abcdefghijklmnopqrstuvwxyzABCDEFGHIJKL\n"] * 3
    read = log(LINES[:400], [*body, "abcd==\n", "-----END RSA PRIVATE KEY-----\n", *LINES[500:900]])
    assert read.tail.startswith("[key]\nline 501,")
