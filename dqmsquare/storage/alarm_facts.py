"""What the rules of the alarms are judged by, read in one go: the newest runs and the hosts, never history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from dqmsquare.storage import queries
from dqmsquare.storage.alarm_queries import AlarmRow, RamdiskRow, database_now, open_alarms, ramdisks
from dqmsquare.storage.host_queries import hosts_of_cluster, poll_ages
from dqmsquare.storage.rows import DeliveryRow, HostRow, JobRow, RunRow

_RUNS_WATCHED = 2  # a run that has just ended still reports how


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run with its jobs; what is expected of it and its files are read for the newest run alone."""

    run: RunRow
    jobs: Sequence[JobRow]
    expected: Sequence[str] = ()
    delivery: DeliveryRow | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmFacts:
    """`now` by the database's clock; `runs` newest first; `ages` as in poll_ages; `standing`: the open alarms."""

    now: datetime
    runs: Sequence[RunFacts]
    hosts: Sequence[HostRow]
    disks: Sequence[RamdiskRow]
    ages: Mapping[str, float | None]
    standing: Sequence[AlarmRow]


def read_facts(connection: Connection, *, late_seconds: float) -> AlarmFacts:
    """The facts of now. A run's list of files is long, and read only where its newest file took `late_seconds`."""
    now = database_now(connection)
    recent = queries.recent_runs(connection, _RUNS_WATCHED)
    return AlarmFacts(
        now=now,
        runs=[_run_facts(connection, run, late_seconds, is_newest=run is recent[0]) for run in recent],
        hosts=hosts_of_cluster(connection),
        disks=ramdisks(connection),
        ages=poll_ages(connection),
        standing=open_alarms(connection),
    )


def _run_facts(connection: Connection, run: RunRow, late_seconds: float, *, is_newest: bool) -> RunFacts:
    jobs = queries.jobs_of_run(connection, run.run)
    if not is_newest:
        return RunFacts(run=run, jobs=jobs)
    summary = queries.run_summary(connection, run.run) or run
    is_late = any((stream.last_delay_seconds or 0.0) > late_seconds for stream in summary.streams)
    return RunFacts(
        run=summary,
        jobs=jobs,
        expected=queries.expected_tags(connection, run.run),
        delivery=queries.delivery_of_run(connection, run.run) if is_late else None,
    )
