"""The line that CMSSW writes for each event it counts: two thirds of a log's new lines, and nothing to find in them."""

from functools import lru_cache

from dqmsquare.scrub.pattern import Pattern

_MAX_BYTES = 200
_ZEROS = bytes.maketrans(b"123456789", b"000000000")
_EVENT_LINE = Pattern(
    r"Begin processing the 0{1,12}(?:st|nd|rd|th) record\. Run 0{1,9}, Event 0{1,12}, LumiSection 0{1,6}"
    r" on stream 0{1,4} at 00-[A-Z][a-z]{2}-0000 00:00:00\.0{1,6} [A-Z]{2,5}"
)


def is_event_line(line: bytes) -> bool:
    """Whether it is one, whatever the digits in it: so that each shape of it is looked at once."""
    return len(line) <= _MAX_BYTES and _is_event_shape(line.translate(_ZEROS))


@lru_cache(1_000)
def _is_event_shape(line: bytes) -> bool:
    return _EVENT_LINE.is_all_of(line)
