import logging
import queue

import pytest

from dqmsquare.logs import OneLine, _Entrance


def line(message, *arguments, exc_info=None):
    record = logging.LogRecord("dqmsquare.x", logging.INFO, "", 0, message, arguments, exc_info)
    record.created, record.msecs = 1777636800.5, 500
    return OneLine().format(record)


def test_a_record_is_a_line_in_utc():
    assert line("host %s has %d", "abc", 3) == "2026-05-01T12:00:00.500Z INFO dqmsquare.x: host abc has 3"


@pytest.mark.parametrize(
    ("sent", "written"),
    [
        ("a\nb", "a\\nb"),
        ("a\r\nb", "a\\r\\nb"),
        ("a\tb", "a\\tb"),
        ("\x1b[31mred\x00", "\\x1b[31mred\\x00"),
        ("\x85\u2028\u202e", "\\x85\\u2028\\u202e"),
        ("é µ 中", "é µ 中"),
    ],
)
def test_security_f2_control_characters_are_escaped(sent, written):
    assert line("%s", sent).endswith(f": {written}")


def test_security_f2_the_lines_of_a_traceback_cannot_be_taken_for_records():
    forged = ValueError("one\n2026-05-01T12:00:00Z ERROR forged: \x1b[2Jtwo")
    text = line("failed", exc_info=(ValueError, forged, None))
    first, *more = text.split("\n")
    assert first.endswith("failed")
    assert all(each.startswith("    | ") for each in more)
    assert more[-1] == "    | 2026-05-01T12:00:00Z ERROR forged: \\x1b[2Jtwo"


def test_f41_lines_that_come_too_fast_are_dropped_and_counted_never_waited_for():
    records: queue.Queue[logging.LogRecord] = queue.Queue(2)
    entrance = _Entrance(records)
    entrance.setFormatter(OneLine())
    for number in range(5):
        entrance.handle(logging.LogRecord("x", logging.INFO, "", 0, "%d", (number,), None))
    kept = [records.get_nowait().getMessage()[-1] for _ in range(2)]
    assert kept == ["0", "1"]
    entrance.handle(logging.LogRecord("x", logging.INFO, "", 0, "5", None, None))
    assert "3 lines were dropped" in records.get_nowait().getMessage()
    assert records.get_nowait().getMessage().endswith("x: 5")


def test_f41_a_line_that_cannot_be_formatted_does_not_raise(capsys: pytest.CaptureFixture[str]):
    entrance = _Entrance(queue.Queue(2))
    entrance.setFormatter(OneLine())
    entrance.handle(logging.LogRecord("x", logging.INFO, "", 0, "%d", ("no number",), None))
    assert capsys.readouterr().err == ""
