"""What several pages say of jobs and runs: a job's line, its bars and marks. Pure functions of rows."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dqmsquare.documents import client_name, split_release
from dqmsquare.server import charts, elsewhere, formats
from dqmsquare.server.judging import JudgedJob
from dqmsquare.states import PROCESS_QUIET_AFTER, SEVERITY, State, exit_words
from dqmsquare.storage.rows import JobRow

_ODD_WIDTH = 3.0  # percent of the small bar


@dataclass(frozen=True, slots=True)
class ReleaseLine:
    """A CMSSW release and the pull requests on top of it."""

    cmssw: str
    pulls: tuple[tuple[int, str], ...]  # number and address


def release_line(release: str | None) -> ReleaseLine | None:
    """`12_4_8_39145` taken apart; None where no release is known."""
    if not release:
        return None
    parts = split_release(release)
    return ReleaseLine(parts.cmssw, tuple((n, elsewhere.pull_url(n)) for n in parts.pull_requests))


@dataclass(frozen=True, slots=True)
class JobLine:
    """A row of the job table: a job, or (`job` is None) a client that was expected and is missing."""

    tag: str
    client: str
    state: State
    exit_text: str
    job: JobRow | None = None
    lumi_percent: float | None = None
    odd_lumis: tuple[charts.StripPart, ...] = ()
    rate_path: str = ""
    memory_path: str = ""
    grows: bool = False  # faster than MEMORY_SLOPE_WARNING_MB_PER_HOUR

    @property
    def key(self) -> str:
        """What the row is recognised by when it changes place."""
        return self.job.job_id if self.job else f"missing-{self.client}"


def exit_text(exit_code: int | None) -> str:
    """The exit code in words, number first where the words are a guess.

    >>> exit_text(-11), exit_text(86), exit_text(0), exit_text(None)
    ('SIGSEGV', '86 · likely FatalRootError', '', '')
    """
    words = exit_words(exit_code)
    if not exit_code:
        return ""
    if not words:
        return f"exit {exit_code}"
    return words if words.startswith("SIG") else f"{exit_code} · {words}"


def quiet_reason(job: JobRow) -> str:
    """Why a job that still reports counts as quiet; "" where its silence itself is the reason."""
    if job.process_at is not None and job.heard_at - job.process_at > PROCESS_QUIET_AFTER:
        return "process silent"
    return "input ended" if job.input_ended_at is not None else ""


def job_line(judged: JudgedJob, *, last_lumi: int | None, slope_warning: float) -> JobLine:
    """A job as a row. `last_lumi` is the run's newest; `slope_warning` is in MB per hour."""
    job, state = judged.job, judged.state
    slope = job.memory_slope_mb_per_hour
    return JobLine(
        tag=job.tag,
        client=client_name(job.tag),
        state=state,
        exit_text=quiet_reason(job) if state == State.QUIET else exit_text(job.exit_code),
        job=job,
        lumi_percent=formats.percent(job.lumi, last_lumi) if job.lumi else None,
        odd_lumis=charts.strip(job.odd_lumis, last_lumi, least_width=_ODD_WIDTH),
        rate_path=charts.spark_path(job.rate_spark, from_zero=True),
        memory_path=charts.spark_path(job.memory_spark),
        grows=slope is not None and slope > slope_warning,
    )


def missing_line(tag: str) -> JobLine:
    """The row of a client that was in the last runs of this run key and has no job in this one."""
    return JobLine(tag=tag, client=client_name(tag), state=State.MISSING, exit_text="")


def severity(state: State) -> int:
    """0 is the worst."""
    return SEVERITY.index(state)


def sort_lines(lines: Iterable[JobLine], sort: str) -> list[JobLine]:
    """By a key of SORT_KEYS, descending with a leading minus. What has no value comes last either way."""
    value_of, descending = _VALUES[sort.removeprefix("-")], sort.startswith("-")
    worst_first = sorted(lines, key=lambda line: (severity(line.state), line.client))
    valued = [(value_of(line), line) for line in worst_first]
    known = [(value, line) for value, line in valued if value is not None]
    known.sort(key=lambda pair: pair[0], reverse=descending)
    return [line for _, line in known] + [line for value, line in valued if value is None]


def _of_job(name: str) -> Callable[[JobLine], Any]:
    return lambda line: getattr(line.job, name) if line.job else None


def _age_order(line: JobLine) -> float | None:  # the youngest first
    return -line.job.reported_at.timestamp() if line.job and line.job.reported_at else None


_VALUES: dict[str, Callable[[JobLine], Any]] = {
    "state": lambda line: severity(line.state),
    "client": lambda line: line.client,
    "lumi": _of_job("lumi"),
    "events": _of_job("n_events"),
    "rate": _of_job("rate_hz"),
    "memory": _of_job("rss_bytes"),
    "host": _of_job("host_label"),
    "updated": _age_order,
}
SORT_KEYS = tuple(_VALUES)
_TEXT_KEYS = frozenset({"state", "client", "host", "updated"})  # these begin ascending, numbers begin with the largest


def first_sort(key: str) -> str:
    """How a column is sorted when it is chosen first.

    >>> first_sort("client"), first_sort("events")
    ('client', '-events')
    """
    return key if key in _TEXT_KEYS else f"-{key}"


def next_sort(key: str, current: str) -> str:
    """What the head of column `key` leads to: its first order, or the other one where it has that already."""
    first = first_sort(key)
    if current != first:
        return first
    return key if first.startswith("-") else f"-{key}"


STATE_WORDS = (
    (State.CRASHED, "killed by a signal; its name stands beside it"),
    (State.FAILED, "ended with an error; the number is surer than the words beside it"),
    (State.STUCK, "alive, but silent for longer than it may be"),
    (State.MISSING, "was there in the last three runs of this run key, is not in this one"),
    (State.QUIET, "alive, but silent for two minutes, or its process is, or it does not end although its input did"),
    (State.LOST, "nobody heard how it ended: a newer run has begun, or its host has left"),
    (State.RUNNING, "heard of less than two minutes ago"),
    (State.STOPPED, "ended on request, as at the stop of a run"),
    (State.FINISHED, "ended by itself, without an error"),
)
