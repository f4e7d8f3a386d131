from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from dqmsquare.scrub import MARKS
from dqmsquare.server.log_view import GAP_TEXT, log_text, log_view
from dqmsquare.storage.rows import LogRow

MESSAGE = "%MSG-e TooManyErrors:  SiStrip  Run: 1\nTotal number of errors = 35204\n%MSG\n"
FATAL = "----- Begin Fatal Exception 15-Sep-2022-----\nAn exception of category 'X'\n----- End Fatal Exception ----\n"


def a_log(head, tail="", *, gap=False, n_removed=0):
    return LogRow(job_id="a" * 16, run=1, tag="x", head=head, tail=tail, gap=gap, n_removed=n_removed)


def kinds(text):
    return [line.kind for line in log_view(a_log(text)).lines]


def test_head_and_tail_of_a_short_log_are_one_text():
    view = log_view(a_log("one\ntw", "o\nthree\n"))
    assert [(line.number, line.pieces) for line in view.head] == [(1, ("one",)), (2, ("two",)), (3, ("three",))]
    assert (view.tail, view.has_gap) == ((), False)


def test_numbers_go_on_after_the_gap():
    view = log_view(a_log("one\ntwo\n", "last\n", gap=True))
    assert [line.number for line in view.head] == [1, 2]
    assert [line.number for line in view.tail] == [3]
    assert view.has_gap


def test_the_raw_text_says_where_something_is_missing():
    assert log_text(a_log("one\n", "last\n", gap=True)) == f"one\n\n[{GAP_TEXT}]\n\nlast\n"
    assert log_text(a_log("one\n", "two\n")) == "one\ntwo\n"


def test_a_message_of_severity_error_is_an_error_with_its_text():
    assert kinds("quiet\n" + MESSAGE + "quiet\n") == ["plain", "error", "body", "body", "plain"]


def test_a_message_without_an_end_goes_to_the_next_one():
    assert kinds("%MSG-e A:\ntext\n%MSG-e B:\n%MSG\n%MSG-w C:\ntext\n") == [
        "error",
        "body",
        "error",
        "body",
        "plain",
        "plain",
    ]


def test_an_exception_is_one_error_from_begin_to_end():
    assert kinds("x\n" + FATAL + "x\n") == ["plain", "error", "body", "body", "plain"]


def test_a_signal_is_an_error():
    assert kinds("A fatal system signal has occurred: segmentation violation\n") == ["error"]


def test_the_exit_is_an_error_only_if_it_was_one():
    assert kinds("-- process exit: 0 --\n-- process exit: -11 --\n") == ["exit", "exit-bad"]


def test_an_exit_inside_an_exception_is_not_swallowed():
    assert kinds("----- Begin Fatal Exception\ntext\n-- process exit: 86 --\nafter\n") == [
        "error",
        "body",
        "exit-bad",
        "plain",
    ]


def test_errors_are_counted_once_each_and_the_first_is_known():
    view = log_view(a_log("x\n" + MESSAGE + MESSAGE, FATAL + "-- process exit: 86 --\n", gap=True))
    assert (view.n_errors, view.first_error) == (4, 2)


def test_a_quiet_log_has_no_first_error():
    view = log_view(a_log("x\n-- process exit: 0 --\n"))
    assert (view.n_errors, view.first_error) == (0, None)


def test_what_was_removed_is_marked_where_it_was():
    (line,) = log_view(a_log("open [path]/run_[host].dat of siPixelDigis@cpu [0]\n", n_removed=2)).lines
    assert line.pieces == ("open ", "[path]", "/run_", "[host]", ".dat of siPixelDigis@cpu [0]")


def test_every_mark_of_the_scrubber_is_known():
    text = " ".join(mark.decode() for mark in MARKS)
    (line,) = log_view(a_log(text)).lines
    assert list(line.pieces[1::2]) == [mark.decode() for mark in MARKS]


def test_only_a_line_feed_ends_a_line():
    assert len(log_view(a_log("one\x0b\u2028\x85still one\n")).lines) == 1


def test_the_end_leaves_blank_lines_out():
    view = log_view(a_log("one\n\n  \ntwo\n\nthree\n\n"))
    assert [line.number for line in view.end(2)] == [4, 6]


@given(st.text(), st.text(), st.booleans())
def test_no_character_is_lost_or_added(head, tail, gap):
    view = log_view(a_log(head, tail, gap=gap))
    parts = ["\n".join("".join(line.pieces) for line in lines) for lines in (view.head, view.tail)]
    texts = [head, tail] if gap else [head + tail, ""]
    assert parts == [text.removesuffix("\n") for text in texts]
    assert all(after.number - before.number == 1 for before, after in pairwise(view.lines))
