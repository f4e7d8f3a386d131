"""Runs of long ago: their headers are there at once, their documents are made when somebody asks for one."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from dqmsquare.simulator.clients import LUMI_SECONDS, dice
from dqmsquare.simulator.documents import files_id, job_id, playback_id
from dqmsquare.simulator.plan import Cluster, RunPlan, n_lumis_of, plan_run
from dqmsquare.simulator.reports import files_report, job_report, playback_report
from dqmsquare.simulator.store import Document, HostStore

_PLANS_IN_MEMORY = 64  # documents are asked for run by run
_SECONDS_PER_REV = 600.0  # how far apart a job's updates are taken to be: gaps between the revisions that are left
_RUN_IN_ID = re.compile(r"-run([0-9]+)(?:-host|\Z)")
_AFTER_RUN_SECONDS = 120.0  # when the last files of a run were looked at


@dataclass(frozen=True, slots=True)
class _Slot:
    run: int
    started_at: float


class History:
    """The `n_runs` runs before run `before`, which starts at `until` (s since 1970). They are played at speed 1."""

    def __init__(self, seed: int, cluster: Cluster, before: int, until: float, n_runs: int) -> None:
        self._seed = seed
        self._cluster = cluster
        self._slots = {slot.run: slot for slot in self._backwards(before, until, n_runs)}
        self._plan = lru_cache(maxsize=_PLANS_IN_MEMORY)(self._make_plan)

    def _backwards(self, before: int, until: float, n_runs: int) -> Iterator[_Slot]:
        run, starts = before, until
        for _ in range(n_runs):
            chance = dice("gap", self._seed, self._cluster.name, run)
            run -= 1 if self._cluster.name == "playback" else chance.choice((1, 1, 1, 2, 3, 5))
            if run < 1:
                return
            lumis = n_lumis_of(self._seed, self._cluster.name, run, eventful=False)
            starts -= lumis * LUMI_SECONDS + chance.uniform(60.0, 1800.0)
            yield _Slot(run, starts)

    def _make_plan(self, run: int) -> RunPlan:
        return plan_run(self._seed, self._cluster, run, self._slots[run].started_at, 1.0, eventful=False)

    @property
    def runs(self) -> list[int]:
        """The run numbers, oldest first."""
        return sorted(self._slots)

    def fill(self, stores: Mapping[str, HostStore]) -> None:
        """Puts the headers of all runs into the stores, oldest first, as if their documents had been updated often."""
        for run in self.runs:
            plan = self._make_plan(run)
            for host, header, n_reports in self._headers(plan):
                stores[host].add_lazily(header, self, step=n_reports)

    def _headers(self, plan: RunPlan) -> Iterator[tuple[str, dict[str, Any], int]]:
        for job in sorted(plan.jobs, key=lambda job: job.ends):
            n_reports = 1 + int((job.ends - job.starts) / _SECONDS_PER_REV)
            about = {"hostname": job.host, "type": "dqm-source-state", "tag": job.client.tag, "run": plan.run}
            about |= {"_id": job_id(job.host, plan.run, job.pid), "timestamp": plan.at(job.ends)}
            yield job.host, about, n_reports
        looked = {"hostname": plan.bu, "timestamp": plan.at(plan.ends + _AFTER_RUN_SECONDS), "run": plan.run}
        files = {"_id": files_id(plan.bu, plan.run), "type": "dqm-files", "tag": "analyze_files"}
        yield plan.bu, looked | files, 1
        if self._cluster.name == "playback":
            playback = {"_id": playback_id(plan.bu, plan.run), "type": "dqm-playback", "tag": "fff_simulator"}
            yield plan.bu, looked | playback, 1

    def make(self, document_id: str) -> Document:
        """The last state of a document of one of the runs. Raises KeyError for an id that is not of them."""
        found = _RUN_IN_ID.search(document_id)
        if found is None:
            raise KeyError(document_id)
        run = int(found[1])
        plan = self._plan(run)
        if document_id.startswith("dqm-source-state-"):
            job = next(job for job in plan.jobs if job_id(job.host, run, job.pid) == document_id)
            return job_report(plan, job, plan.at(job.ends))
        at = plan.at(plan.ends + _AFTER_RUN_SECONDS)
        report = playback_report if document_id.startswith("dqm-playback-") else files_report
        return {"timestamp": at} | report(plan, at)
