"""The rules of the alarms: pure functions from what the database says to the alarms that stand.

Each answers with a Judgement: what stands now, and of what it cannot tell, where an open alarm then stays open.
Whether an alarm is new, and whether an open one is over, is decided in alarms.py.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from dqmsquare.alarm_names import WHOLE_MIRROR, Rule
from dqmsquare.documents import client_name, stream_label
from dqmsquare.states import QUIET_AFTER, State, exit_words, final_state
from dqmsquare.storage.alarm_queries import AlarmRow, RamdiskRow
from dqmsquare.storage.alarms import NewAlarm
from dqmsquare.storage.document_rows import delivery_delay
from dqmsquare.storage.rows import DeliveryRow, HostRow, JobRow, RunRow

ZERO_LUMIS = 3
LATE_LUMIS = 5
LATE_SECONDS = 60.0
_STATUS_FRESH = timedelta(minutes=5)  # cluster status is asked for every half minute
_RAMDISK_FRESH = timedelta(minutes=5)  # its documents come every half minute
_MESSAGE_MAX = 200
_RULE_OF = {State.CRASHED: Rule.JOB_CRASHED, State.FAILED: Rule.JOB_FAILED}


@dataclass(frozen=True, slots=True)
class Judgement:
    """`stands`: the alarms whose condition holds. Of these runs and hosts it cannot be told at the moment."""

    stands: tuple[NewAlarm, ...] = ()
    unclear_runs: frozenset[int] = frozenset()
    unclear_hosts: frozenset[str] = frozenset()


def bad_endings(jobs: Iterable[JobRow]) -> Judgement:
    """Jobs that crashed or failed."""
    return Judgement(tuple(alarm for job in jobs if (alarm := _bad_ending(job)) is not None))


def replaced_jobs(jobs: Sequence[JobRow]) -> set[str]:
    """Ids of jobs whose client was started again on the same host, and has not come to a bad end again."""
    good = [job for job in jobs if job.exit_code is None or final_state(job.exit_code) not in _RULE_OF]
    return {job.job_id for job in jobs for other in good if _is_successor(other, job)}


def missing_clients(
    run: RunRow,
    jobs: Iterable[JobRow],
    expected: Iterable[str],
    now: datetime,
    *,
    after_seconds: float,
    is_caught_up: bool,
) -> Judgement:
    """Clients without a job `after_seconds` after the start of a run that goes on.

    `is_caught_up`: whether everything that the hosts have is stored; while it is not, a job may still come.
    """
    present = {job.tag for job in jobs}
    missing = [tag for tag in expected if tag not in present]
    started_at = _started_at(run)
    if not missing or not run.n_open or started_at is None or (now - started_at).total_seconds() < after_seconds:
        return Judgement()
    if not is_caught_up or not _is_reported_on(run, now):
        return Judgement(unclear_runs=frozenset({run.run}))
    return Judgement(tuple(_missing(run.run, tag, after_seconds) for tag in missing))


def zero_rates(run: RunRow, jobs: Iterable[JobRow], now: datetime) -> Judgement:
    """No living job has had an event in its last three lumisections. Jobs that are younger do not count."""
    living = [job for job in jobs if job.exit_code is None and now - job.heard_at < QUIET_AFTER]
    seen = [job for job in living if len(job.rate_spark) >= ZERO_LUMIS]
    if run.n_open and not seen:
        return Judgement(unclear_runs=frozenset({run.run}))
    if not seen or any(rate > 0 for job in seen for rate in job.rate_spark[-ZERO_LUMIS:]):
        return Judgement()
    first = max(max(job.lumi or 0 for job in seen) - ZERO_LUMIS, 1)
    words = f"No client has had an event for {ZERO_LUMIS} lumisections of run {run.run}, since lumisection {first}"
    return Judgement(
        (NewAlarm(rule=Rule.RATES_ZERO, subject=str(run.run), begin=str(first), words=words, run=run.run),)
    )


def late_delivery(run: RunRow, delivery: DeliveryRow | None, now: datetime) -> Judgement:
    """The last five lumisections of a run that goes on came more than 60 s after their ends, each."""
    if delivery is None or not run.n_open:
        return Judgement()
    late = slowest_files(delivery)[-LATE_LUMIS:]
    if len(late) < LATE_LUMIS or any(seconds <= LATE_SECONDS for _, seconds, _ in late):
        return Judgement()
    if not _is_reported_on(run, now):
        return Judgement(unclear_runs=frozenset({run.run}))
    lumi, seconds, label = late[-1]
    words = (
        f"Files of run {run.run} have come more than {LATE_SECONDS:.0f} s late for {LATE_LUMIS} lumisections, "
        f"lumisection {lumi} of {label} after {seconds:.0f} s"
    )
    begin = str(late[0][0])
    return Judgement(
        (NewAlarm(rule=Rule.DELIVERY_DELAYED, subject=str(run.run), begin=begin, words=words, run=run.run),)
    )


def slowest_files(delivery: DeliveryRow) -> list[tuple[int, float, str]]:
    """Lumisection, delay in s and stream of the slowest file of each lumisection, in their order."""
    slowest: dict[int, tuple[float, str]] = {}
    for key, files in delivery.streams.items():
        label = stream_label(key)
        for lumi, mtime in zip(files.lumis, files.mtimes, strict=True):
            seconds = delivery_delay(delivery.global_start, delivery.lumi_seconds, lumi, mtime)
            if seconds is not None:
                slowest[lumi] = max(slowest.get(lumi, (seconds, label)), (seconds, label))
    return [(lumi, *slowest[lumi]) for lumi in sorted(slowest)]


def hosts_down(hosts: Iterable[HostRow], now: datetime) -> Judgement:
    """Hosts that cluster status says are down. Unknown is not down, and not up again either."""
    down, unclear = [], set()
    for host in hosts:
        if host.has_left or host.is_up:
            continue
        is_fresh = host.status_seen_at is not None and now - host.status_seen_at < _STATUS_FRESH
        if host.is_up is None or not is_fresh:
            unclear.add(host.host_id)
        else:
            down.append(_down(host))
    return Judgement(tuple(down), unclear_hosts=frozenset(unclear))


def full_ramdisks(disks: Iterable[RamdiskRow], now: datetime) -> Judgement:
    """Ramdisks over the threshold from which files are deleted, read or not; the lower one is passed every day."""
    full, unclear = [], set()
    for disk in disks:
        limit = disk.delete_percent or disk.rename_percent
        if not disk.total_bytes or disk.total_bytes < 0 or disk.used_bytes is None or limit is None:
            continue
        percent = 100 * disk.used_bytes / disk.total_bytes
        if now - disk.received_at > _RAMDISK_FRESH:
            unclear.add(disk.host_id)
        elif percent > limit:
            full.append(_full(disk, percent, limit))
    return Judgement(tuple(full), unclear_hosts=frozenset(unclear))


def polled_again(alarms: Iterable[AlarmRow], ages: Mapping[str, float | None], behind_after_seconds: float) -> set[str]:
    """Keys of the open MirrorBehind alarms that are over. They are raised by the server, which resolves nothing.

    `ages`: host id to seconds since its last successful poll, of the configured hosts; None: never polled.
    """
    polled = {host for host, age in ages.items() if age is not None and age <= behind_after_seconds}
    return {
        alarm.alarm_key
        for alarm in alarms
        if alarm.rule == Rule.MIRROR_BEHIND
        and (bool(polled) if alarm.subject == WHOLE_MIRROR else alarm.subject in polled or alarm.subject not in ages)
    }


def _bad_ending(job: JobRow) -> NewAlarm | None:
    state = None if job.exit_code is None else final_state(job.exit_code)
    if state is None or state not in _RULE_OF:
        return None
    words = exit_words(job.exit_code)
    ending = f"exit {job.exit_code}, {words}" if words else f"exit {job.exit_code}"
    return NewAlarm(
        rule=_RULE_OF[state],
        subject=job.job_id,
        words=f"{client_name(job.tag)} {state} in run {job.run} on {job.host_label}: {ending}",
        run=job.run,
        job_id=job.job_id,
        host_id=job.host_id,
    )


def _is_successor(other: JobRow, job: JobRow) -> bool:
    if other.job_id == job.job_id or (other.run, other.tag, other.host_id) != (job.run, job.tag, job.host_id):
        return False
    before, after = job.first_reported_at, other.first_reported_at
    return before is not None and after is not None and before < after


def _missing(run: int, tag: str, after_seconds: float) -> NewAlarm:
    words = f"{client_name(tag)} has no job in run {run} {after_seconds / 60:.0f} min after its start"
    return NewAlarm(rule=Rule.CLIENT_MISSING, subject=f"{run}/{tag}", words=words, run=run)


def _down(host: HostRow) -> NewAlarm:
    message = f": {host.message[:_MESSAGE_MAX]}" if host.message else ""
    begin = _milliseconds(host.status_since) if host.status_since else ""
    words = f"{host.label} is down{message}"
    return NewAlarm(rule=Rule.HOST_DOWN, subject=host.host_id, begin=begin, words=words, host_id=host.host_id)


def _full(disk: RamdiskRow, percent: float, limit: float) -> NewAlarm:
    return NewAlarm(
        rule=Rule.RAMDISK_FULL,
        subject=disk.host_id,
        begin=_milliseconds(disk.received_at),
        words=f"The ramdisk of {disk.host_label} is {percent:.0f} % full, over its threshold of {limit:g} %",
        host_id=disk.host_id,
    )


def _milliseconds(instant: datetime) -> str:
    return f"{instant.timestamp() * 1000:.0f}"


def _started_at(run: RunRow) -> datetime | None:
    if run.global_start is None:
        return run.first_reported_at
    return datetime.fromtimestamp(run.global_start, UTC)


def _is_reported_on(run: RunRow, now: datetime) -> bool:
    return run.last_reported_at is not None and now - run.last_reported_at < QUIET_AFTER
