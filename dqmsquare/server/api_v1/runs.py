"""Runs as the API tells of them: the list, one run with its jobs, the newest one."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from dqmsquare.documents import client_name
from dqmsquare.server import judging
from dqmsquare.server.api_v1.asked import Asked, Found, same_fields
from dqmsquare.server.api_v1.jobs import Job, job_of
from dqmsquare.server.api_v1.parameters import HIGHEST_RUN, Question, RunNumber
from dqmsquare.server.responses import problem
from dqmsquare.server.watched import Connection
from dqmsquare.storage import queries
from dqmsquare.storage.rows import PlaybackRow, RunRow
from dqmsquare.storage.run_list import RunFilter, list_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsQuestion(Question):
    """Which runs, and how many at a time."""

    first: Annotated[RunNumber, "Lowest run."] = 1
    last: Annotated[RunNumber, "Highest run."] = HIGHEST_RUN
    run_key: Annotated[str, "Only runs of this run key.", {"pattern": "^[A-Za-z0-9_]{1,40}$"}] = ""
    bad: Annotated[bool, "Only runs in which a job failed or crashed."] = False
    with_lumis: Annotated[bool, "Only runs in which a job saw a lumisection."] = False
    limit: Annotated[int, "Runs in one answer.", {"minimum": 1, "maximum": 500}] = 50
    cursor: Annotated[str, "As in `next` of the answer before.", {"pattern": "^[1-9][0-9]{0,6}$"}] = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A run in a list. What is counted is how jobs ended, which does not change with time alone."""

    run: RunNumber
    run_key: Annotated[str | None, "Such as pp_run; null where no job told it."]
    release: Annotated[str | None, "CMSSW release with the pull requests on top of it: 15_0_4_47120."]
    cmssw_run: Annotated[int | None, "Highest run number that the jobs found in their data."]
    n_jobs: int
    n_open: Annotated[int, "Jobs without an exit code (so far)."]
    n_finished: int
    n_stopped: int
    n_failed: int
    n_crashed: int
    last_lumi: Annotated[int | None, "Highest lumisection that a job reached."]
    max_events: Annotated[int | None, "Most events that a job has seen."]
    max_rate_hz: Annotated[float | None, "Highest rate of a job, Hz."]
    first_reported_at: datetime | None
    last_reported_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunList:
    """Runs, newest first."""

    runs: tuple[RunSummary, ...]
    next: Annotated[str | None, "Address of the next page; null where there are no more."]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateCounts:
    """How many jobs of a run are in each state; missing are clients."""

    running: int
    quiet: int
    stuck: int
    lost: int
    finished: int
    stopped: int
    failed: int
    crashed: int
    missing: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamDelivery:
    """How the files of one stream arrived. A delay counts from the end of the file's lumisection."""

    label: Annotated[str, "Name of the stream, such as DQM."]
    mean_delay_seconds: Annotated[float | None, "Mean of the delays, s."]
    sigma_delay_seconds: Annotated[float | None, "Their standard deviation, s."]
    last_delay_seconds: Annotated[float | None, "Delay of the last file, s."]
    last_lumi: int
    n_events: int
    n_bytes: Annotated[int, "Size of all files, bytes."]


@dataclass(frozen=True, slots=True, kw_only=True)
class Playback:
    """What is replayed under a run's number."""

    state: str
    lumi: Annotated[int | None, "Lumisection that is played."]
    source_run: Annotated[int | None, "Run whose data are played."]
    run_key: str | None
    n_lumis: Annotated[int | None, "Lumisections to play in all."]
    reported_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run(RunSummary):
    """A run with its jobs, in the order of client, host label and first report."""

    previous_run: Annotated[int | None, "The run before in this cluster."]
    next_run: Annotated[int | None, "The run after in this cluster."]
    started_at: Annotated[datetime | None, "Begin of its first lumisection, as the builder tells it."]
    started_at_is_estimated: Annotated[bool, "Whether the builder had to guess it from its first file."]
    counts: StateCounts
    missing: Annotated[tuple[str, ...], "Clients of each of the last three runs of this run key without a job here."]
    streams: tuple[StreamDelivery, ...]
    playback: Annotated[Playback | None, "Null where the run is no playback."]
    jobs: tuple[Job, ...]


def read_runs(connection: Connection, asked: Asked) -> Found:
    """A page of the list. One more than asked for is read: it tells whether there is a next page."""
    query: RunsQuestion = asked.query
    chosen = RunFilter(
        first=query.first,
        last=query.last,
        run_key=query.run_key or None,
        bad_only=query.bad,
        with_lumis=query.with_lumis,
    )
    rows = list_runs(connection, chosen, query.limit + 1, int(query.cursor) if query.cursor else None)
    page = tuple(RunSummary(**_summary(row)) for row in rows[: query.limit])
    return Found(RunList(runs=page, next=asked.next_page(str(page[-1].run) if len(rows) > query.limit else None)))


def read_run(connection: Connection, asked: Asked) -> Found:
    """The run in the path. Raises a 404 where the cluster has no such run."""
    return _read_run(connection, asked, asked.run, queries.newest_run(connection))


def read_latest(connection: Connection, asked: Asked) -> Found:
    """The newest run. Raises a 404 where there is none."""
    newest = queries.newest_run(connection)
    if newest is None:
        raise problem(404, "There is no run yet.")
    return _read_run(connection, asked, newest, newest)


def _read_run(connection: Connection, asked: Asked, number: int, newest: int | None) -> Found:
    row = queries.run_summary(connection, number)
    if row is None:
        raise problem(404, "There is no such run.")
    judged = judging.judge_jobs(
        queries.jobs_of_run(connection, number),
        newest_run=newest,
        host_has_left=judging.hosts_that_left(connection),
        now=asked.now,
        stuck_after_seconds=asked.site.config.stuck_after_seconds,
    )
    missing = judging.missing_tags(judged, queries.expected_tags(connection, number))
    previous_run, next_run = queries.neighbours(connection, number)
    run = Run(
        **_summary(row),
        previous_run=previous_run,
        next_run=next_run,
        started_at=None if row.global_start is None else datetime.fromtimestamp(row.global_start, UTC),
        started_at_is_estimated=row.global_start_estimated,
        counts=StateCounts(**judging.state_counts(judged, n_missing=len(missing))),
        missing=tuple(map(client_name, missing)),
        streams=tuple(StreamDelivery(**same_fields(stream, StreamDelivery)) for stream in row.streams),
        playback=_playback(queries.playback_of_run(connection, number)),
        jobs=tuple(map(job_of, judged)),
    )
    return Found(run, judging.hold_until(judged))


def _summary(row: RunRow) -> dict[str, Any]:
    # 0 and -1 Hz stand for what is not known yet.
    rate = None if row.max_rate_hz is None or row.max_rate_hz < 0 else row.max_rate_hz
    return same_fields(row, RunSummary) | {"cmssw_run": row.cmssw_run or None, "max_rate_hz": rate}


def _playback(row: PlaybackRow | None) -> Playback | None:
    return None if row is None else Playback(**same_fields(row, Playback))
