import re

import pytest

from dqmsquare.documents import LumiRange
from dqmsquare.server import charts
from dqmsquare.server.charts import StripPart, Tick


def points_of(path):
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_a_sparkline_needs_two_values():
    assert [charts.spark_path(()), charts.spark_path((5.0,))] == ["", ""]


def test_a_sparkline_fills_its_height_from_the_left_to_the_right():
    assert charts.spark_path((100.0, 200.0)) == "M0 29l116-26"


def test_a_sparkline_from_zero_keeps_its_proportions():
    assert charts.spark_path((50.0, 100.0), from_zero=True) == "M0 16l116-13"


def test_a_sparkline_does_not_make_noise_look_like_growth():
    assert charts.spark_path((1000.0, 1001.0)) == "M0 29l116-1"


def test_a_sparkline_of_nothing_is_flat():
    assert charts.spark_path((0.0, 0.0, 0.0)) == "M0 29l58 0 58 0"


def test_a_strip_places_ranges_by_lumisection_and_keeps_a_single_one_visible():
    ranges = (
        LumiRange(1, 50, "ok", ""),
        LumiRange(51, 51, "warn", "skipped: timeout"),
        LumiRange(200, 200, "bad", "error: x"),
    )
    assert charts.strip(ranges, 200, least_width=3.0) == (
        StripPart(0.0, 25.0, "ok", "1–50: read"),
        StripPart(25.0, 3.0, "warn", "51: skipped: timeout"),
        StripPart(97.0, 3.0, "bad", "200: error: x"),
    )


@pytest.mark.parametrize("last_lumi", [None, 0])
def test_a_strip_of_no_lumisections_is_empty(last_lumi):
    assert charts.strip((LumiRange(1, 2, "ok", ""),), last_lumi, least_width=1) == ()


def test_a_strip_leaves_out_what_lies_beyond_it():
    assert charts.strip((LumiRange(8, 20, "bad", "x"), LumiRange(30, 31, "bad", "x")), 10, least_width=1) == (
        StripPart(70.0, 30.0, "bad", "8–20: x"),
    )


def test_a_line_chart_needs_two_points():
    assert charts.line_chart([(1.0, 2.0)], x_labels=[]) is None


def test_a_line_chart_starts_at_zero_and_ends_above_the_highest_value():
    chart = charts.line_chart([(0.0, 0.0), (10.0, 70.0)], x_labels=[(5.0, "5"), (11.0, "11")])
    assert chart is not None
    assert points_of(chart.path) == [(52.0, 156.0), (552.0, 26.5)]
    assert chart.x_ticks == (Tick(302.0, "5"),)
    assert [tick.label for tick in chart.y_ticks] == ["0", "20", "40", "60", "80"]
    assert chart.reference is None


def test_a_reference_is_inside_the_chart_though_no_value_reaches_it():
    chart = charts.line_chart([(0.0, 1.0), (1.0, 2.0)], x_labels=[], reference=(23.3, "23.3 s"))
    assert chart is not None
    assert chart.reference is not None
    assert 8 <= chart.reference.at < chart.bottom
    assert chart.y_ticks[-1].label == "30"


def test_missing_points_are_a_gap():
    chart = charts.line_chart([(n, 1.0) for n in (1, 2, 3, 10, 11, 12)], x_labels=[])
    assert chart is not None
    assert chart.path.count("M") == 2


@pytest.mark.parametrize(
    ("highest", "ticks"),
    [
        (0, (0, 1)),
        (-5, (0, 1)),
        (1, (0, 0.25, 0.5, 0.75, 1)),
        (23.4, (0, 10, 20, 30)),
        (1797, (0, 500, 1000, 1500, 2000)),
        (80, (0, 20, 40, 60, 80)),
    ],
)
def test_ticks_are_round_and_reach_the_highest_value(highest, ticks):
    assert charts.nice_ticks(highest) == ticks
