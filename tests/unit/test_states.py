import doctest
import signal
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmsquare import states
from dqmsquare.states import SEVERITY, JobFacts, State, Verdict, exit_words, final_state, judge, worst

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
STUCK_AFTER = 900
MICROSECOND = timedelta(microseconds=1)


def ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def facts(silent: float = 0, exit_code: int | None = None, **more: Any) -> JobFacts:
    return JobFacts(exit_code=exit_code, heard_at=ago(silent), **more)


def state(of: JobFacts) -> State:
    return judge(of, NOW, STUCK_AFTER).state


def test_the_examples_in_the_docstrings_hold():
    assert doctest.testmod(states).failed == 0


@pytest.mark.parametrize(
    ("silent", "expected"),
    [
        (-30, "running"),
        (0, "running"),
        (119, "running"),
        (120, "quiet"),
        (121, "quiet"),
        (899, "quiet"),
        (900, "quiet"),
        (901, "stuck"),
        (10**8, "stuck"),
    ],
)
def test_silence(silent, expected):
    assert state(facts(silent)) == expected


@pytest.mark.parametrize(("silent", "expected"), [(119, "running"), (120, "quiet"), (121, "lost"), (901, "lost")])
def test_silence_when_a_newer_run_exists(silent, expected):
    assert state(facts(silent, newer_run_exists=True)) == expected


@pytest.mark.parametrize("silent", [0, 119, 120, 901])
def test_a_host_that_has_left_takes_its_jobs_with_it(silent):
    assert judge(facts(silent, host_has_left=True), NOW, STUCK_AFTER) == Verdict(State.LOST, None)


@pytest.mark.parametrize(
    ("process_silent", "expected"), [(0, "running"), (59, "running"), (60, "running"), (61, "quiet"), (-5, "running")]
)
def test_a_process_that_is_silent_while_its_monitor_reports(process_silent, expected):
    assert state(facts(10, process_at=ago(10 + process_silent))) == expected


@pytest.mark.parametrize(("ended", "expected"), [(0, "running"), (119, "running"), (120, "running"), (121, "quiet")])
def test_a_client_that_hangs_at_its_end(ended, expected):
    assert state(facts(10, input_ended_at=ago(ended))) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (0, "finished"),
        (-15, "stopped"),
        (-2, "stopped"),
        (143, "stopped"),
        (130, "stopped"),
        (-9, "crashed"),
        (-11, "crashed"),
        (-6, "crashed"),
        (-8, "crashed"),
        (-7, "crashed"),
        (-4, "crashed"),
        (-1, "crashed"),
        (137, "crashed"),
        (139, "crashed"),
        (134, "crashed"),
        (1, "failed"),
        (86, "failed"),
        (127, "failed"),
        (128, "failed"),
        (197, "failed"),
        (255, "failed"),
        (8001, "failed"),
    ],
)
def test_an_exit_code_decides(code, expected):
    assert final_state(code) == expected
    everything = facts(10**6, exit_code=code, newer_run_exists=True, host_has_left=True, input_ended_at=ago(10**6))
    assert judge(everything, NOW, STUCK_AFTER) == Verdict(State(expected), None)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (None, ""),
        (0, ""),
        (-11, "SIGSEGV"),
        (139, "SIGSEGV"),
        (-6, "SIGABRT"),
        (134, "SIGABRT"),
        (-9, "SIGKILL"),
        (137, "SIGKILL"),
        (-15, "SIGTERM"),
        (-2, "SIGINT"),
        (-50, "signal 50"),
        (1, "likely Python or loader failure before the framework started"),
        (2, "likely Python or loader failure before the framework started"),
        (3, ""),
        (40, "likely CaughtSignal"),
        (65, "likely OtherCMS exception"),
        (66, "likely StdException"),
        (68, "likely BadAlloc"),
        (70, "likely ProductNotFound"),
        (73, "likely Configuration"),
        (86, "likely FatalRootError"),
        (88, "likely CommandLineProcessing or ProductDoesNotSupportViews"),
        (89, "likely ConfigFileNotFound or ProductDoesNotSupportPtr"),
        (90, "likely ConfigFileReadError (or, rarely, NotFound)"),
        (100, "likely ExternalFailure"),
        (126, "likely not executable"),
        (127, "likely command not found"),
        (197, "likely UnexpectedJobTermination"),
        (255, ""),
    ],
)
def test_what_is_written_beside_an_exit_code(code, words):
    assert exit_words(code) == words


@pytest.mark.parametrize(
    ("code", "low_byte"),
    [
        (8001, 65),
        (8002, 66),
        (8006, 70),
        (8009, 73),
        (8020, 84),
        (8021, 85),
        (8022, 86),
        (8028, 92),
        (8030, 94),
        (8031, 95),
        (8032, 96),
        (9000, 40),
        (8501, 53),
        (8901, 197),
        (7000, 88),
        (8024, 88),
        (7001, 89),
        (8025, 89),
        (7002, 90),
        (8026, 90),
    ],
)
def test_the_words_are_of_the_low_byte_of_cmssws_codes(code, low_byte):
    assert code & 0xFF == low_byte
    assert exit_words(low_byte).startswith("likely ")


def test_every_signal_has_its_name():
    for number in set(signal.Signals):
        assert exit_words(-number) == signal.Signals(number).name


@pytest.mark.parametrize(
    ("job", "holds_until"),
    [
        (facts(0), later(120)),
        (facts(119), later(1)),
        (facts(120), later(780) + MICROSECOND),
        (facts(900), NOW + MICROSECOND),
        (facts(901), None),
        (facts(0, newer_run_exists=True), later(120)),
        (facts(120, newer_run_exists=True), NOW + MICROSECOND),
        (facts(121, newer_run_exists=True), None),
        (facts(10, input_ended_at=ago(100)), later(20) + MICROSECOND),
        (facts(10, input_ended_at=ago(5)), later(110)),
        (facts(10, process_at=ago(100)), later(890) + MICROSECOND),
        (facts(-30), later(150)),
    ],
)
def test_until_when_a_state_holds(job, holds_until):
    assert judge(job, NOW, STUCK_AFTER).holds_until == holds_until


SECONDS_AGO = st.integers(-100, 2000).map(ago)
OPEN_JOBS = st.builds(
    JobFacts,
    exit_code=st.none(),
    heard_at=SECONDS_AGO,
    process_at=st.none() | SECONDS_AGO,
    input_ended_at=st.none() | SECONDS_AGO,
    newer_run_exists=st.booleans(),
)


@settings(max_examples=300, deadline=None, database=None)
@given(OPEN_JOBS, st.sampled_from([30, 120, 900]), st.integers(0, 2000).map(later))
def test_a_state_holds_until_then_and_not_longer(job, stuck_after, at):
    verdict = judge(job, NOW, stuck_after)
    if verdict.holds_until is None or at < verdict.holds_until:
        assert judge(job, at, stuck_after).state is verdict.state
    if verdict.holds_until is not None:
        assert verdict.holds_until > NOW
        assert judge(job, verdict.holds_until - MICROSECOND, stuck_after).state is verdict.state
        assert judge(job, verdict.holds_until, stuck_after).state is not verdict.state


def test_every_state_has_its_severity():
    assert sorted(SEVERITY) == sorted(State)


def test_the_worst_wins():
    assert worst([State.RUNNING, State.CRASHED, State.FINISHED]) is State.CRASHED
    assert worst(iter([State.FINISHED, State.RUNNING])) is State.RUNNING
    with pytest.raises(ValueError, match="empty"):
        worst([])


def test_a_state_is_its_word():
    assert f"{State.RUNNING}" == "running"
    assert State("quiet") is State.QUIET
