"""A job's state, its exit words and what is worse than what: one table for server, API, pages and report."""

import signal
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

QUIET_AFTER = timedelta(seconds=120)  # four reports of a live job, which come every 30 s
PROCESS_QUIET_AFTER = timedelta(seconds=60)
INPUT_ENDED_FOR = timedelta(seconds=120)  # a client that hangs in its end of job
JUST_AFTER = timedelta(microseconds=1)  # "over 900 s" begins here


class State(StrEnum):
    """What a job is; `missing` is a client of the last three runs of a run key that this run has no job of."""

    RUNNING = "running"
    QUIET = "quiet"
    STUCK = "stuck"
    LOST = "lost"
    FINISHED = "finished"
    STOPPED = "stopped"
    FAILED = "failed"
    CRASHED = "crashed"
    MISSING = "missing"


SEVERITY = (  # worst first
    State.CRASHED,
    State.FAILED,
    State.STUCK,
    State.LOST,
    State.MISSING,
    State.QUIET,
    State.RUNNING,
    State.STOPPED,
    State.FINISHED,
)

_STOP_SIGNALS = frozenset({signal.SIGTERM, signal.SIGINT})  # hltd at a run's stop, or an operator
_SHELL_SIGNALS = range(1, 32)  # 128 + n above these is a low byte of CMSSW's: 197

# Low bytes of CMSSW's edm::errors::ErrorCodes (FWCore/Utilities/interface/EDMException.h), and what a shell says.
_EXIT_WORDS = {
    1: "Python or loader failure before the framework started",
    2: "Python or loader failure before the framework started",
    40: "CaughtSignal",
    53: "EventGenerationFailure",
    65: "OtherCMS exception",
    66: "StdException",
    67: "Unknown exception",
    68: "BadAlloc",
    70: "ProductNotFound",
    73: "Configuration",
    74: "LogicError",
    79: "EventTimeout",
    80: "EventCorruption",
    81: "ScheduleExecutionFailure",
    82: "EventProcessorFailure",
    83: "FileInPathError",
    84: "FileOpenError",
    85: "FileReadError",
    86: "FatalRootError",
    87: "MismatchedInputFiles",
    88: "CommandLineProcessing or ProductDoesNotSupportViews",
    89: "ConfigFileNotFound or ProductDoesNotSupportPtr",
    90: "ConfigFileReadError (or, rarely, NotFound)",
    92: "FallbackFileOpenError",
    94: "ExceededResourceVSize",
    95: "ExceededResourceRSS",
    96: "ExceededResourceTime",
    97: "FileWriteError",
    99: "UnavailableAccelerator",
    100: "ExternalFailure",
    126: "not executable",
    127: "command not found",
    197: "UnexpectedJobTermination",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """What a state follows from. `heard_at` is the earlier of a job's last report and of its arrival here."""

    exit_code: int | None
    heard_at: datetime
    process_at: datetime | None = None  # when the process itself last spoke to its monitor
    input_ended_at: datetime | None = None  # since when the input is at its end (fi_state 2)
    newer_run_exists: bool = False  # in the job's cluster
    host_has_left: bool = False  # cluster status does not name it any more


@dataclass(frozen=True, slots=True)
class Verdict:
    """A job's state, and the first instant at which it is another by the clock alone (None: never)."""

    state: State
    holds_until: datetime | None


def judge(facts: JobFacts, now: datetime, stuck_after_seconds: float) -> Verdict:
    """The state at `now`. At `holds_until` itself the state is already the next one."""
    if facts.exit_code is not None:
        return Verdict(final_state(facts.exit_code), None)
    stuck_after = timedelta(seconds=stuck_after_seconds)
    state = _open_state(facts, now, stuck_after)
    turns = (turn for turn in _turning_points(facts, stuck_after) if turn > now)
    holds_until = next((turn for turn in turns if _open_state(facts, turn, stuck_after) is not state), None)
    return Verdict(state, holds_until)


def _open_state(facts: JobFacts, now: datetime, stuck_after: timedelta) -> State:
    silence = now - facts.heard_at
    if facts.host_has_left or (facts.newer_run_exists and silence > QUIET_AFTER):
        return State.LOST
    if silence > stuck_after:
        return State.STUCK
    if silence >= QUIET_AFTER or _process_is_silent(facts) or _hangs_at_its_end(facts, now):
        return State.QUIET
    return State.RUNNING


def _process_is_silent(facts: JobFacts) -> bool:
    return facts.process_at is not None and facts.heard_at - facts.process_at > PROCESS_QUIET_AFTER


def _hangs_at_its_end(facts: JobFacts, now: datetime) -> bool:
    return facts.input_ended_at is not None and now - facts.input_ended_at > INPUT_ENDED_FOR


def _turning_points(facts: JobFacts, stuck_after: timedelta) -> list[datetime]:
    turns = [
        facts.heard_at + QUIET_AFTER,
        facts.heard_at + QUIET_AFTER + JUST_AFTER,
        facts.heard_at + stuck_after + JUST_AFTER,
    ]
    if facts.input_ended_at is not None:
        turns.append(facts.input_ended_at + INPUT_ENDED_FOR + JUST_AFTER)
    return sorted(turns)


def final_state(exit_code: int) -> State:
    """The state of a job that ended: a signal is -n, or 128 + n where a shell stood between.

    >>> final_state(0), final_state(-15), final_state(86), final_state(139)
    (<State.FINISHED: 'finished'>, <State.STOPPED: 'stopped'>, <State.FAILED: 'failed'>, <State.CRASHED: 'crashed'>)
    """
    if exit_code == 0:
        return State.FINISHED
    number = _signal_number(exit_code)
    if number is None:
        return State.FAILED
    return State.STOPPED if number in _STOP_SIGNALS else State.CRASHED


def exit_words(exit_code: int | None) -> str:
    """What to write beside an exit code, never instead of it; "" where there is nothing to say.

    >>> exit_words(-11), exit_words(86), exit_words(3), exit_words(None)
    ('SIGSEGV', 'likely FatalRootError', '', '')
    """
    if not exit_code:
        return ""
    number = _signal_number(exit_code)
    if number is not None:
        return _signal_name(number)
    words = _EXIT_WORDS.get(exit_code)
    return f"likely {words}" if words else ""


def _signal_number(exit_code: int) -> int | None:
    if exit_code < 0:
        return -exit_code
    number = exit_code - 128
    return number if number in _SHELL_SIGNALS else None


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def worst(states: Iterable[State]) -> State:
    """The state that stands for several jobs. Raises ValueError where there is none.

    >>> worst([State.RUNNING, State.CRASHED, State.FINISHED])
    <State.CRASHED: 'crashed'>
    """
    return min(states, key=SEVERITY.index)
