"""When a host is asked again, and what is logged about it."""

import logging

import pytest

from dqmsquare.config import Config, parse_config
from dqmsquare.errors import UpstreamRefused, UpstreamTimeout, UpstreamUnavailable, UpstreamUnreachable
from dqmsquare.grabber.pace import Outage, Pace


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def config() -> Config:
    return parse_config({}, role="database", as_root=False)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def _pace(config: Config, clock: Clock, outage: Outage | None = None) -> Pace:
    return Pace("host fu..01", 1.0, config, outage or Outage(3.0, clock), clock)


def test_the_next_poll_is_due_an_interval_after_the_previous_due_time(config: Config, clock: Clock):
    pace = _pace(config, clock)
    assert pace.seconds_left() == 0
    clock.now += 0.4  # what the poll took
    pace.succeeded()
    assert pace.seconds_left() == pytest.approx(0.6)


def test_an_overrun_is_not_caught_up_with_a_burst(config: Config, clock: Clock):
    pace = _pace(config, clock)
    clock.now += 10
    pace.succeeded()
    pace.succeeded()
    assert pace.seconds_left() == pytest.approx(1.0)


def test_f1_a_failing_host_is_asked_ever_more_rarely_up_to_the_setting(config: Config, clock: Clock):
    pace = _pace(config, clock)
    waits = []
    for _ in range(7):
        pace.failed(UpstreamTimeout("late"))
        waits.append(pace.seconds_left())
        clock.now += waits[-1]
    for wait, expected in zip(waits, [1, 2, 4, 8, 10, 10, 10], strict=True):
        assert wait == pytest.approx(expected, rel=0.2001)


def test_f6_f7_what_the_answer_asks_for_is_obeyed(config: Config, clock: Clock):
    pace = _pace(config, clock)
    pace.failed(UpstreamUnavailable("busy", retry_after_seconds=90))
    assert pace.seconds_left() == 90
    pace.failed(UpstreamRefused("no certificate"))
    assert pace.seconds_left() == config.auth_retry_seconds


def test_f1_a_host_that_fails_and_recovers_is_logged_once_each(
    config: Config, clock: Clock, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    pace = _pace(config, clock)
    for _ in range(5):
        pace.failed(UpstreamTimeout("late"))
        clock.now += 10
    pace.succeeded()
    pace.succeeded()
    assert caplog.messages == ["host fu..01 fails: late", "host fu..01 is back after 50.0 s"]


def test_f1_a_failure_that_lasts_is_logged_again_after_ten_minutes(
    config: Config, clock: Clock, caplog: pytest.LogCaptureFixture
):
    pace = _pace(config, clock)
    for _ in range(130):
        pace.failed(UpstreamTimeout("late"))
        clock.now += 10
    assert len(caplog.messages) == 3


def test_f1_all_of_dqm2_away_is_logged_once_and_probed_by_one_host_at_a_time(
    config: Config, clock: Clock, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    outage = Outage(3.0, clock)
    paces = [_pace(config, clock, outage) for _ in range(6)]
    n_asked = 0
    for _ in range(600):
        for pace in paces:
            if pace.seconds_left() == 0 and pace.may_start():
                n_asked += 1
                pace.failed(UpstreamUnreachable("refused"))
        clock.now += 0.1
    assert n_asked <= 6 + 60 / 3
    paces[0].succeeded()
    assert paces[1].may_start(), "what is back is asked by everybody at once"
    assert caplog.messages == ["DQM² cannot be reached: refused", "DQM² can be reached again after 60.0 s"]
