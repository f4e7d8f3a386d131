from datetime import UTC, datetime

import pytest

from dqmsquare.server import formats

NOON = datetime(2022, 9, 15, 11, 52, 53, tzinfo=UTC)


@pytest.mark.parametrize(
    ("number", "written"),
    [
        (None, "–"),
        (0, "0"),
        (343, "343"),
        (999, "999"),
        (1_000, "1.0 k"),
        (600_600, "600.6 k"),
        (999_949, "999.9 k"),
        (999_950, "1.0 M"),  # never 1000.0 k
        (2_140_000, "2.1 M"),
        (3_900_000_000, "3.9 G"),
    ],
)
def test_a_count_is_short(number, written):
    assert formats.count(number) == written


def test_every_digit_is_there_on_hover():
    assert [formats.exact(600_600), formats.exact(None)] == ["600,600", "–"]


@pytest.mark.parametrize(
    ("hertz", "written"), [(41.93, "41.9"), (0.0, "0.0"), (1234.5, "1,234.5"), (-1.0, "–"), (None, "–")]
)
def test_a_rate_that_was_not_measured_is_a_dash(hertz, written):
    assert formats.rate(hertz) == written


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (None, "–"),
        (-3, "0.0 s"),  # clocks differ
        (0.84, "0.8 s"),
        (28.4, "28 s"),
        (59.9, "59 s"),
        (60, "1 min"),
        (3_361, "56 min"),
        (10_920, "3 h 02 min"),
        (86_400, "1 d 0 h"),
        (300_000, "3 d 11 h"),
    ],
)
def test_a_span_has_the_two_units_that_matter(seconds, written):
    assert formats.duration(seconds) == written


@pytest.mark.parametrize(
    ("part", "whole", "percent"),
    [(1, 8, 12.5), (9, 8, 100.0), (1, 0, None), (1, None, None), (None, 8, None), (-1, 8, None), (1, -1, None)],
)
def test_a_share_needs_both_numbers(part, whole, percent):
    assert formats.percent(part, whole) == percent


def test_bytes_are_megabytes_of_the_power_of_two():
    assert [formats.megabytes(3_915_382_784), formats.megabytes(None)] == ["3,734", "–"]
    assert [formats.gigabytes(137_438_953_472), formats.gigabytes(None)] == ["128 GB", "–"]


def test_a_delay_is_whole_seconds():
    assert [formats.delay(20.7), formats.delay(None)] == ["21 s", "–"]


def test_times_are_those_of_geneva_and_days_those_of_another_day():
    assert formats.clock(NOON, NOON) == "13:52:53"
    assert formats.clock(NOON, datetime(2022, 9, 15, 22, 30, tzinfo=UTC)) == "15 Sep 2022"  # in Geneva it is the 16th
    assert formats.full_time(NOON) == "2022-09-15T13:52:53+02:00 · 2022-09-15T11:52:53Z"
