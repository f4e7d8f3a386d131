"""Jobs as the API tells of them: in a run, alone with their series, and their logs."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from dqmsquare.documents import client_name
from dqmsquare.server import judging
from dqmsquare.server.api_v1.asked import Asked, Found, same_fields
from dqmsquare.server.api_v1.parameters import RunNumber
from dqmsquare.server.judging import JudgedJob
from dqmsquare.server.log_view import log_text
from dqmsquare.server.responses import problem
from dqmsquare.server.views import quiet_reason
from dqmsquare.server.watched import Connection
from dqmsquare.states import State, exit_words
from dqmsquare.storage import client_queries, queries
from dqmsquare.storage.rows import JobRow, JobSeries, LogRow

_HISTORY_RUNS = 10
_BYTES_PER_MB = 2**20
_INPUTS: dict[int, Literal["open", "ending", "ended"]] = {0: "open", 1: "ending", 2: "ended"}  # DQM²'s fi_state


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host by its public id; the label is for people and may repeat."""

    host_id: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LumiRange:
    """Lumisections `first` to `last`, all read in the same way."""

    first: int
    last: int
    grade: Annotated[str, "ok, info, warn, bad or other."]
    text: Annotated[str, "What DQM² says of them, such as skipped: timeout."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One process of a client for a run on a host. What DQM² did not tell is null."""

    job_id: str
    run: RunNumber
    client: Annotated[str, "Short name, such as beam."]
    tag: Annotated[str, "Whole name, such as beam_dqm_sourceclient-live."]
    host: Host
    state: Annotated[State, "As of the answer's making."]
    state_reason: Annotated[str, "Why a job that still reports counts as quiet; else empty."]
    exit_code: Annotated[int | None, "Null while it has none; -n: killed by signal n."]
    exit_words: Annotated[str, "The signal's name, or what the exit code likely means; else empty."]
    run_key: str | None
    release: str | None
    config_name: Annotated[str | None, "File name of its configuration."]
    cmssw_run: Annotated[int | None, "Run number that it found in its data."]
    lumi: Annotated[int | None, "Lumisection that it is at."]
    next_lumi: Annotated[int | None, "Lumisection that it waits for."]
    n_events: Annotated[int | None, "Events seen."]
    rate_hz: Annotated[float | None, "Events per second, Hz."]
    input: Annotated[
        Literal["open", "ending", "ended"] | None, "Whether data still come; ending: some files of it are left."
    ]
    rss_bytes: Annotated[int | None, "Resident memory, bytes."]
    peak_rss_bytes: Annotated[int | None, "Its highest value, bytes."]
    size_bytes: Annotated[int | None, "Virtual memory, bytes."]
    swap_bytes: Annotated[int | None, "Memory that is swapped out, bytes."]
    anon_bytes: Annotated[int | None, "Anonymous resident memory, bytes."]
    memory_slope_bytes_per_hour: Annotated[float | None, "How fast the resident memory grows, bytes per hour."]
    n_threads: int | None
    process_state: Annotated[str | None, "As the kernel names it, such as S (sleeping)."]
    first_reported_at: Annotated[datetime | None, "Of the first report that the mirror has."]
    reported_at: Annotated[datetime | None, "Of the newest report, by its host's clock."]
    received_at: Annotated[datetime, "When the mirror got that report."]
    process_at: Annotated[datetime | None, "When the process itself last spoke to its monitor."]
    input_ended_at: Annotated[datetime | None, "Since when its input has been at its end."]
    has_log: bool
    n_removed: Annotated[int, "Values that were taken out of its log before it was stored."]
    input_gone: Annotated[bool, "Its log says that the run's files were gone: whatever the exit code, not a crash."]
    flags: Annotated[tuple[str, ...], "Oddities of its document: clock, old-shape."]
    odd_lumis: Annotated[tuple[LumiRange, ...], "Lumisections that were not simply read, at most 200 ranges."]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemorySeries:
    """Memory over time: equally long columns."""

    at: tuple[datetime, ...]
    rss_bytes: Annotated[tuple[int, ...], "Resident memory, bytes."]
    size_bytes: Annotated[tuple[int, ...], "Virtual memory, bytes."]


@dataclass(frozen=True, slots=True, kw_only=True)
class LumiSeries:
    """What was processed in each lumisection: equally long columns."""

    lumi: tuple[int, ...]
    n_events: tuple[int, ...]
    seconds: Annotated[tuple[float, ...], "Time spent on it, s."]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRun:
    """How the jobs of one client ended in an earlier run."""

    run: int
    n_jobs: int
    n_open: Annotated[int, "Nobody heard how they ended."]
    n_finished: int
    n_stopped: int
    n_failed: int
    n_crashed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDetail(Job):
    """A job with its series, which are thinned to at most 500 points, and its client's last ten runs."""

    memory: MemorySeries
    lumis: LumiSeries
    lumi_ranges: Annotated[tuple[LumiRange, ...], "All lumisections, as DQM² saw them."]
    history: Annotated[tuple[ClientRun, ...], "The client's runs before this one, newest first."]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobLog:
    """A job's log, in which a mark stands for each value that was taken out."""

    job_id: str
    run: int
    client: str
    head: Annotated[str, "Its beginning."]
    tail: Annotated[str, "Its end; follows on the head where there is no gap."]
    has_gap: Annotated[bool, "Whether DQM² did not keep what stood between head and tail."]
    n_removed: int


def job_of(judged: JudgedJob) -> Job:
    """A job and what it is now."""
    return Job(**_values(judged))


def read_job(connection: Connection, asked: Asked) -> Found:
    """The job in the path with its series. Raises a 404 where the cluster has no such job."""
    row = _row(connection, asked)
    [judged] = judging.judge_jobs(
        [row],
        newest_run=queries.newest_run(connection),
        host_has_left=judging.hosts_that_left(connection),
        now=asked.now,
        stuck_after_seconds=asked.site.config.stuck_after_seconds,
    )
    series = queries.series_of_job(connection, row.job_id) or JobSeries(memory=(), lumis=(), lumi_ranges=())
    history = client_queries.client_history(connection, row.tag, row.run - 1, _HISTORY_RUNS)
    detail = JobDetail(
        **_values(judged),
        memory=MemorySeries(
            at=tuple(datetime.fromtimestamp(point[0], UTC) for point in series.memory),
            rss_bytes=tuple(point[1] for point in series.memory),
            size_bytes=tuple(point[2] for point in series.memory),
        ),
        lumis=LumiSeries(
            lumi=tuple(point[0] for point in series.lumis),
            n_events=tuple(point[1] for point in series.lumis),
            seconds=tuple(point[2] for point in series.lumis),
        ),
        lumi_ranges=tuple(LumiRange(**same_fields(one, LumiRange)) for one in series.lumi_ranges),
        history=tuple(ClientRun(**same_fields(one, ClientRun)) for one in history),
    )
    return Found(detail, judged.verdict.holds_until)


def read_log(connection: Connection, asked: Asked) -> Found:
    """The log of the job in the path. Raises a 404 where there is no such job, or no log of it."""
    row = _log(connection, asked)
    words = same_fields(row, JobLog)
    return Found(JobLog(**words, client=client_name(row.tag), has_gap=row.gap))


def read_log_text(connection: Connection, asked: Asked) -> Found:
    """The same as one text, with a line where something is missing."""
    return Found(log_text(_log(connection, asked)))


def _row(connection: Connection, asked: Asked) -> JobRow:
    row = queries.job(connection, asked.places["job_id"])
    if row is None:
        raise problem(404, "There is no such job.")
    return row


def _log(connection: Connection, asked: Asked) -> LogRow:
    row = queries.log_of_job(connection, asked.places["job_id"])
    if row is None:
        raise problem(404, f"There is no log of job {_row(connection, asked).job_id}.")
    return row


def _values(judged: JudgedJob) -> dict[str, Any]:
    row, slope = judged.job, judged.job.memory_slope_mb_per_hour
    return same_fields(row, Job) | {
        "client": client_name(row.tag),
        "host": Host(host_id=row.host_id, label=row.host_label),
        "state": judged.state,
        "cmssw_run": row.cmssw_run or None,  # 0 and -1 Hz stand for what is not known yet
        "rate_hz": None if row.rate_hz is None or row.rate_hz < 0 else row.rate_hz,
        "state_reason": quiet_reason(row) if judged.state is State.QUIET else "",
        "exit_words": exit_words(row.exit_code),
        "input": None if row.fi_state is None else _INPUTS.get(row.fi_state),
        "memory_slope_bytes_per_hour": None if slope is None else round(slope * _BYTES_PER_MB),
        "odd_lumis": tuple(LumiRange(**same_fields(one, LumiRange)) for one in row.odd_lumis),
    }
