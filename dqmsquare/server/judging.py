"""The state of each job of a run as of now: states.py's rules over what the database says."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import orjson

from dqmsquare.server.rendered import EventId, Rendered
from dqmsquare.server.snapshots import Make
from dqmsquare.server.watched import Connection, utc_now
from dqmsquare.states import JobFacts, State, Verdict, judge
from dqmsquare.storage import host_queries, queries
from dqmsquare.storage.rows import JobRow

_RECENT_RUNS = 20  # changes to older ones are announced together


@dataclass(frozen=True, slots=True)
class JudgedJob:
    """A job and what it is now."""

    job: JobRow
    verdict: Verdict

    @property
    def state(self) -> State:
        """Short for verdict.state."""
        return self.verdict.state


def judge_jobs(
    jobs: Iterable[JobRow],
    *,
    newest_run: int | None,
    host_has_left: Mapping[str, bool],
    now: datetime,
    stuck_after_seconds: float,
) -> list[JudgedJob]:
    """The jobs in their order, each with its verdict. `host_has_left` by host id; a host not in it is there."""
    return [JudgedJob(job, judge(_facts(job, newest_run, host_has_left), now, stuck_after_seconds)) for job in jobs]


def hold_until(judged: Iterable[JudgedJob]) -> datetime | None:
    """The first instant at which one of the states changes by the clock alone; None: never."""
    return min((one.verdict.holds_until for one in judged if one.verdict.holds_until is not None), default=None)


def missing_tags(judged: Iterable[JudgedJob], expected: Iterable[str]) -> list[str]:
    """Clients that were in the runs before and have no job in this one, in the order of `expected`."""
    present = {one.job.tag for one in judged}
    return [tag for tag in expected if tag not in present]


def state_counts(judged: Iterable[JudgedJob], *, n_missing: int = 0) -> dict[str, int]:
    """How many jobs are in each state; all states are named."""
    counts = dict.fromkeys((state.value for state in State), 0)
    for one in judged:
        counts[one.state.value] += 1
    counts[State.MISSING.value] += n_missing
    return counts


def hosts_that_left(connection: Connection) -> dict[str, bool]:
    """For judge_jobs: host id to whether cluster status no longer names it."""
    return {host.host_id: host.has_left for host in host_queries.hosts_of_cluster(connection)}


def make_standing(stuck_after_seconds: float, clock: Callable[[], datetime] = utc_now) -> Make:
    """For the Hub: the newest run, from which run on runs are recent, and how many jobs of the newest are what."""

    def make(connection: Connection, _: EventId) -> Rendered:
        recent = [row.run for row in queries.recent_runs(connection, _RECENT_RUNS)]
        newest = recent[0] if recent else None
        judged = judge_jobs(
            queries.jobs_of_run(connection, newest) if newest is not None else (),
            newest_run=newest,
            host_has_left=hosts_that_left(connection),
            now=clock(),
            stuck_after_seconds=stuck_after_seconds,
        )
        expected = queries.expected_tags(connection, newest) if newest is not None else []
        counts = state_counts(judged, n_missing=len(missing_tags(judged, expected)))
        body = orjson.dumps({"newest": newest, "recent_from": min(recent, default=None), "counts": counts})
        return Rendered(body, "application/json", hold_until(judged))

    return make


def _facts(job: JobRow, newest_run: int | None, host_has_left: Mapping[str, bool]) -> JobFacts:
    return JobFacts(
        exit_code=job.exit_code,
        heard_at=job.heard_at,
        process_at=job.process_at,
        input_ended_at=job.input_ended_at,
        newer_run_exists=newest_run is not None and newest_run > job.run,
        host_has_left=host_has_left.get(job.host_id, False),
    )
