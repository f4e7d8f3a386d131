"""A cluster at work: run after run its hosts report, as the plans have it. Time is handed in: nothing sleeps."""

import heapq
import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from dqmsquare.simulator.clients import LUMI_SECONDS, RELEASES, dice
from dqmsquare.simulator.documents import diskspace_document, release_document, stats_document
from dqmsquare.simulator.plan import Cluster, Fate, JobPlan, RunPlan, plan_run
from dqmsquare.simulator.reports import REPORT_SECONDS, files_report, job_report, playback_report
from dqmsquare.simulator.store import Document, HostStore

log = logging.getLogger(__name__)
BEGUN_LUMIS = 60  # the first run is already so far, so that a page shows something at once
_FILES_SECONDS = 105.0  # between two looks at the delivered files (fff_dqmtools' analyze_files)
_STATS_SECONDS = 75.0
_DISK_SECONDS = 30.0
_BETWEEN_RUNS_SECONDS = 75.0
_RETRY_SECONDS = 5.0  # a report that could not leave its host

Task = Callable[[float], float | None]  # what is due at an instant; gives when it is due again, None: never


@dataclass(slots=True)
class _Job:
    plan: RunPlan
    job: JobPlan
    over: bool = False


class Play:
    """One cluster's runs from `first_run` on. All instants are s since 1970; `speed` times faster than life.

    `step()` does what is due; it must not be called from two threads at once.
    """

    def __init__(
        self,
        cluster: Cluster,
        stores: Mapping[str, HostStore],
        *,
        seed: int,
        speed: float,
        first_run: int,
        now: float,
    ) -> None:
        self._cluster = cluster
        self._stores = stores
        self._seed = seed
        self._speed = speed
        self._tasks: list[tuple[float, int, Task]] = []
        self._n_tasks = 0
        self._jobs: list[_Job] = []
        self._down: dict[str, str] = {}
        self._sequence = 0
        self.started_at = now - BEGUN_LUMIS * LUMI_SECONDS / speed
        self.plan = self._begin_run(first_run, self.started_at, now)
        for i, host in enumerate(cluster.hosts):
            self._add(now + 0.7 * i, self._host_task(host))
        self._add(now, self._disk_task)
        self._add(now, self._release_task)

    @property
    def down_hosts(self) -> dict[str, str]:
        """Hosts that cannot be reached at the moment, with the message of cluster status ("" for the usual one)."""
        return dict(self._down)

    def step(self, now: float) -> float:
        """Does everything that is due; returns when the next thing is."""
        while self._tasks[0][0] <= now:
            _, _, task = heapq.heappop(self._tasks)
            again = task(now)
            if again is not None:
                # After a pause nobody makes up for reports that were not made.
                self._add(max(again, now + 0.001), task)
        return self._tasks[0][0]

    def crash(self, tag: str, exit_code: int, now: float) -> bool:
        """Ends the living job of a client (its tag's beginning is enough); True if there was one that could report."""
        for entry in reversed(self._jobs):
            seconds = entry.plan.seconds(now)
            if entry.job.client.tag.startswith(tag) and entry.job.starts < seconds < entry.job.ends:
                entry.job = replace(entry.job, fate=Fate.CRASHES, turns=seconds, ends=seconds, exit_code=exit_code)
                entry.over = self._upload(entry.job.host, job_report(entry.plan, entry.job, now))
                return entry.over
        return False

    def _add(self, at: float, task: Task) -> None:
        self._n_tasks += 1
        heapq.heappush(self._tasks, (at, self._n_tasks, task))

    def _upload(self, host: str, document: Document) -> bool:
        if host in self._down:
            return False
        self._stores[host].upload(document)
        return True

    def _begin_run(self, run: int, starts_at: float, now: float) -> RunPlan:
        plan = plan_run(self._seed, self._cluster, run, starts_at, self._speed, eventful=True)
        self._jobs = [entry for entry in self._jobs if not entry.over]
        for i, job in enumerate(plan.jobs):
            entry = _Job(plan, job)
            self._jobs.append(entry)
            first = _first_report(job, i / len(plan.jobs))
            self._add(plan.at(min(first, job.ends)), self._job_task(entry, first))
        self._add(max(plan.at(15.0), now), self._files_task(plan))
        if self._cluster.name == "playback":
            self._add(plan.at(0.0), self._playback_task(plan))
        if plan.outage:
            self._add(plan.at(plan.outage.starts), self._outage_task(plan))
        self._add(plan.at(plan.ends + _BETWEEN_RUNS_SECONDS), self._next_run_task)
        log.debug("%s: run %d, %d lumisections", self._cluster.name, run, plan.n_lumis)
        return plan

    def _next_run_task(self, now: float) -> None:
        run = self.plan.run
        gap = 1 if self._cluster.name == "playback" else dice("next", self._seed, run).choice((1, 1, 2))
        self.plan = self._begin_run(run + gap, now, now)

    def _job_task(self, entry: _Job, first: float) -> Task:
        def report(now: float) -> float | None:
            plan, seconds = entry.plan, entry.plan.seconds(now)
            if entry.over:
                return None
            if not self._upload(entry.job.host, job_report(plan, entry.job, now)):
                return now + _RETRY_SECONDS / self._speed
            entry.over = entry.job.is_over(seconds)
            n_reports = 1 + max(0, int((seconds - first) / REPORT_SECONDS))
            return None if entry.over else plan.at(min(first + n_reports * REPORT_SECONDS, entry.job.ends))

        return report

    def _files_task(self, plan: RunPlan) -> Task:
        def report(now: float) -> float | None:
            self._upload(plan.bu, files_report(plan, now))
            over = plan.seconds(now) > plan.ends + 5 * _FILES_SECONDS
            return None if over else now + _FILES_SECONDS / self._speed

        return report

    def _playback_task(self, plan: RunPlan) -> Task:
        def report(now: float) -> float | None:
            self._upload(plan.bu, playback_report(plan, now))
            return None if plan.seconds(now) > plan.ends else now + LUMI_SECONDS / self._speed

        return report

    def _outage_task(self, plan: RunPlan) -> Task:
        def change(now: float) -> float | None:
            outage = plan.outage
            if outage is None or plan.seconds(now) >= outage.ends:
                self._down.clear()
                return None
            self._down[outage.host] = ""
            return plan.at(outage.ends)

        return change

    def _host_task(self, host: str) -> Task:
        def report(now: float) -> float:
            self._sequence += 1
            self._upload(host, stats_document(host, at=now, sequence=self._sequence))
            return now + _STATS_SECONDS / self._speed

        return report

    def _disk_task(self, now: float) -> float:
        # The ramdisk fills until the deleter's first threshold, then is emptied.
        filled = 0.35 + 0.3 * ((now - self.started_at) * self._speed / 5400.0 % 1.0)
        document = diskspace_document(self._cluster.bu, sequence=self._sequence, filled=filled)
        self._upload(self._cluster.bu, document)
        return now + _DISK_SECONDS / self._speed

    def _release_task(self, now: float) -> None:
        self._upload(self._cluster.bu, release_document(self._cluster.bu, RELEASES[-1], built_at=now - 864_000.0))


def _first_report(job: JobPlan, phase: float) -> float:
    """When a job reports first. Jobs are spread over the time between two reports: something comes every second."""
    phase_seconds = phase * REPORT_SECONDS
    return phase_seconds + REPORT_SECONDS * math.ceil((job.starts + 1.0 - phase_seconds) / REPORT_SECONDS)
