"""The first mirror stored what its server's clock showed: which instant that was."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from dqmsquare.storage.first_mirror.clock import (
    NO_TIME,
    last_logged,
    measured_clock,
    possible_instants,
    reported_instant,
)
from tests.first_mirror_tables import labelled

GENEVA, UTC_ZONE = "Europe/Zurich", "UTC"
SUMMER = datetime(2022, 9, 15, 11, 45, 42, 452877, UTC).timestamp()
FIRST_HALF_PAST_TWO = datetime(2022, 10, 30, 0, 30, tzinfo=UTC).timestamp()  # still CEST
SECOND_HALF_PAST_TWO = datetime(2022, 10, 30, 1, 30, tzinfo=UTC).timestamp()  # CET


def _stored(seconds: float, clock: str) -> float:
    return labelled(seconds, clock).timestamp()


@pytest.mark.parametrize("clock", [GENEVA, UTC_ZONE])
@pytest.mark.parametrize("month", range(1, 13))
def test_a_time_is_taken_back_to_its_instant(clock: str, month: int):
    instant = datetime(2023, month, 11, 2, 30, 7, 125000, UTC).timestamp()
    assert possible_instants(_stored(instant, clock), ZoneInfo(clock)) == [instant]


def test_a_clock_in_utc_was_two_hours_off_in_summer():
    assert _stored(SUMMER, UTC_ZONE) == SUMMER - 7200
    assert possible_instants(SUMMER - 7200, ZoneInfo(UTC_ZONE)) == [SUMMER]


@pytest.mark.parametrize("instant", [FIRST_HALF_PAST_TWO, SECOND_HALF_PAST_TWO])
def test_in_the_hour_that_comes_twice_the_log_decides(instant: float):
    zone = "CEST" if instant == FIRST_HALF_PAST_TWO else "CET"
    for stored in (FIRST_HALF_PAST_TWO, SECOND_HALF_PAST_TWO):  # whichever of the two it was labelled as
        instants = possible_instants(stored, ZoneInfo(GENEVA))
        assert sorted(instants) == [FIRST_HALF_PAST_TWO, SECOND_HALF_PAST_TWO]
        assert instants[0] == stored
        log = f"30-Oct-2022 02:29:58 {zone}  Successfully closed file\n-- process exit: 0 --\n"
        assert reported_instant(instants, log) == (instant, False)
        assert reported_instant(instants, "no line with a time") == (stored, True)


@pytest.mark.parametrize("hour", [2, 3])
def test_in_the_hour_that_geneva_leaves_out_the_log_decides(hour: int):
    instant = datetime(2022, 3, 27, hour, 30, tzinfo=UTC).timestamp()  # an hour that UTC's clock does have
    instants = possible_instants(_stored(instant, UTC_ZONE), ZoneInfo(UTC_ZONE))
    assert instant in instants
    assert len(instants) == 2
    log = f"27-Mar-2022 0{hour + 2}:29:59 CEST  Closed file"
    assert reported_instant(instants, log) == (instant, False)


def test_times_without_a_zone_are_what_the_clock_showed():
    shown = datetime(2022, 9, 15, 13, 45, 42, tzinfo=UTC).timestamp()
    assert possible_instants(shown, ZoneInfo(GENEVA), is_labelled=False) == [shown - 7200]


def test_the_constant_and_impossible_times_are_no_times():
    constant = NO_TIME.replace(tzinfo=ZoneInfo(GENEVA)).timestamp()
    assert constant == 1330765810.0  # as in today's answers
    for seconds in (None, constant, float("inf"), float("nan"), -62135596800.0, 1e18):
        assert possible_instants(seconds, ZoneInfo(UTC_ZONE)) == []


def test_the_clock_is_measured_by_the_first_files():
    starts = [datetime(2023, month, 3, tzinfo=UTC).timestamp() for month in (1, 4, 7)]
    for clock in (GENEVA, UTC_ZONE):
        samples = [(_stored(start, clock), start + 20.0) for start in starts]
        assert measured_clock([*samples, (starts[0] - 90_000, starts[0])])[0] == clock
    assert measured_clock([]) == (None, {GENEVA: 0, UTC_ZONE: 0})


def test_a_log_without_a_time_that_can_be_tells_none():
    assert last_logged("31-Feb-2022 02:29:58 CET\n") is None
    assert last_logged("31-Foo-2022 02:29:58 CET\n") is None
