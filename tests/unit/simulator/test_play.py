from collections import Counter

import pytest

from dqmsquare.simulator.clients import CLIENTS, LUMI_SECONDS
from dqmsquare.simulator.plan import Cluster, Fate, JobPlan, RunPlan, n_lumis_of, plan_run
from dqmsquare.simulator.play import Play
from dqmsquare.simulator.reports import job_report
from dqmsquare.simulator.store import HostStore

START = 1_750_000_000.0
CLUSTER = Cluster("production", ("bu-1", "fu-1", "fu-2"))
PLAYBACK = Cluster("playback", ("dqmrubu-1", "dqmfu-1"))


def plan(seed: int = 1, *, eventful: bool = True, run: int = 377827, speed: float = 1.0) -> RunPlan:
    return plan_run(seed, CLUSTER, run, START, speed, eventful=eventful)


def with_fate(run_plan: RunPlan, fate: Fate) -> JobPlan:
    return next(job for job in run_plan.jobs if job.fate is fate)


class Stage:
    """A play with its stores and a clock of its own."""

    def __init__(self, cluster: Cluster = CLUSTER, seed: int = 1, speed: float = 1.0) -> None:
        self.now = START
        self.stores = {host: HostStore(host, clock=lambda: self.now) for host in cluster.hosts}
        self.play = Play(cluster, self.stores, seed=seed, speed=speed, first_run=377827, now=START)

    def jump_to(self, at: float) -> None:
        """As after a pause: what was due in between is reported once."""
        self.now = at
        self.play.step(at)

    def run_until(self, at: float) -> None:
        due = self.play.step(self.now)
        while due <= at:
            self.now = due
            due = self.play.step(self.now)
        self.now = at
        self.play.step(at)

    def documents(self, kind: str = "dqm-source-state") -> list[dict]:
        ids = [
            (host, h["_id"]) for host in self.stores for h in self.stores[host].headers_from(None) if h["type"] == kind
        ]
        return [self.stores[host].documents([document_id])[0] for host, document_id in ids]


def test_a_plan_is_decided_by_its_seed_and_run() -> None:
    assert plan() == plan()
    assert plan(1) != plan(2)
    assert plan(run=1).jobs != plan(run=2).jobs


def test_an_eventful_run_has_each_accident_and_others_seldom() -> None:
    counts = Counter(job.fate for job in plan().jobs)
    assert counts.keys() >= {Fate.CRASHES, Fate.THROWS, Fate.FAILS_AT_START, Fate.STUCK, Fate.SILENT, Fate.HANGS}
    usual = Counter(job.fate for run in range(100) for job in plan(run=run, eventful=False).jobs)
    assert usual[Fate.FINISHES] > 0.85 * usual.total()
    assert all(usual[fate] for fate in Fate)


def test_clients_run_on_the_workers_and_one_is_missing_now_and_then() -> None:
    plans = [plan(run=run, eventful=False) for run in range(60)]
    clients = [{job.client.tag for job in run_plan.jobs} for run_plan in plans]
    assert {len(tags) for tags in clients} == {len(CLIENTS) - 1, len(CLIENTS)}
    assert {job.host for job in plans[0].jobs} == {"fu-1", "fu-2"}
    assert plans[0].bu == "bu-1"


def test_no_two_jobs_of_a_run_have_the_same_pid() -> None:
    for run in range(50):
        pids = [(job.host, job.pid) for job in plan(run=run).jobs]
        assert len(set(pids)) == len(pids)


def test_a_cluster_of_one_host_does_everything_on_it() -> None:
    alone = Cluster("production", ("dqmrubu-1",))
    assert (alone.bu, alone.workers) == ("dqmrubu-1", ("dqmrubu-1",))


def test_a_crashed_client_starts_again_with_the_newest_lumisection() -> None:
    run_plan = plan()
    first = with_fate(run_plan, Fate.CRASHES)
    second = next(job for job in run_plan.jobs if job.client == first.client and job is not first)
    assert second.starts > first.ends
    report = job_report(run_plan, second, run_plan.at(run_plan.ends))
    assert report["extra"]["lumi_seen"]["lumi000001"].startswith("skipped: fast-forward")
    assert report["pid"] != first.pid


def test_reports_of_a_jobs_life() -> None:
    run_plan = plan()
    job = next(
        job for job in run_plan.jobs if job.fate is Fate.FINISHES and not job.client.idle_in and job.first_lumi == 1
    )
    begun, half, last = (
        job_report(run_plan, job, START + s) for s in (job.starts + 1, run_plan.ends / 2, job.ends + 999)
    )
    assert (begun["cmssw_lumi"], begun["fi_state"], "exit_code" in begun) == ("0", "0", False)
    assert int(half["cmssw_lumi"]) == pytest.approx(run_plan.n_lumis / 2, abs=3)
    assert (last["exit_code"], last["cmssw_lumi"]) == (0, str(run_plan.n_lumis))
    assert last["report_timestamp"] == pytest.approx(START + job.ends)


def test_a_stuck_job_reports_no_more_and_never_ends() -> None:
    run_plan = plan()
    job = with_fate(run_plan, Fate.STUCK)
    report = job_report(run_plan, job, START + 100_000)
    assert "exit_code" not in report
    assert report["report_timestamp"] == pytest.approx(START + job.ends)


def test_a_silent_jobs_monitor_reports_what_its_process_no_longer_says() -> None:
    run_plan = plan()
    job = with_fate(run_plan, Fate.SILENT)
    report = job_report(run_plan, job, START + job.turns + 200)
    assert report["report_timestamp"] - int(report["update_timestamp"]) == pytest.approx(200, abs=1)
    assert report["cmssw_lumi"] == job_report(run_plan, job, START + job.turns + 100)["cmssw_lumi"]


def test_a_job_that_hangs_at_the_end_of_the_run_is_killed() -> None:
    run_plan = plan()
    job = with_fate(run_plan, Fate.HANGS)
    hanging, killed = (job_report(run_plan, job, START + s) for s in (job.ends - 100, job.ends))
    assert (hanging["fi_state"], "exit_code" in hanging, killed["exit_code"]) == ("2", False, -9)


def test_a_play_shows_a_run_with_its_accidents_at_once() -> None:
    stage = Stage()
    stage.run_until(START)
    documents = stage.documents()
    assert len(documents) >= 29
    assert max(int(document["cmssw_lumi"]) for document in documents) > 50
    assert any(document.get("exit_code") for document in documents)
    assert any(START - document["report_timestamp"] > 900 and "exit_code" not in document for document in documents)
    for kind in ("dqm-files", "dqm-stats", "dqm-diskspace", "dqm-release"):
        stage.run_until(START + 5)
        assert stage.documents(kind), kind


def test_a_play_reports_about_once_a_second() -> None:
    stage = Stage()
    stage.run_until(START + 30)
    revs = [stage.stores[host].newest_rev for host in stage.stores]
    changed = 0
    for second in range(31, 91):
        stage.run_until(START + second)
        now = [stage.stores[host].newest_rev for host in stage.stores]
        changed += now != revs
        revs = now
    assert changed >= 45


def test_a_play_has_a_crash_with_its_code_and_text() -> None:
    stage = Stage(seed=3)
    stage.run_until(START)
    assert stage.play.crash("ecal_dqm", -6, START)
    (document,) = [d for d in stage.documents() if d["tag"].startswith("ecal_dqm")]
    assert document["exit_code"] == -6
    assert "abort signal" in "".join(document["extra"]["stdlog_end"])
    stage.run_until(START + 60)
    assert document in stage.documents()
    assert not stage.play.crash("ecal_dqm", -6, START + 60)


def test_run_follows_upon_run_and_the_old_jobs_end() -> None:
    stage = Stage()
    n_lumis = n_lumis_of(1, "production", 377827, eventful=True)
    ends_at = stage.play.started_at + n_lumis * LUMI_SECONDS
    stage.jump_to(ends_at)
    stage.run_until(ends_at + 200)
    stage.jump_to(ends_at + 700)
    runs = {document["run"] for document in stage.documents()}
    assert (min(runs), len(runs)) == (377827, 2)
    ended = [d for d in stage.documents() if d["run"] == 377827]
    assert sum(document.get("exit_code") == 0 for document in ended) > 20
    assert sum("exit_code" not in document for document in ended) == 1  # the stuck one
    assert (
        max(
            map(len, (d["extra"]["streams"]["streamDQM_sm-c2a11-43-01"]["lumis"] for d in stage.documents("dqm-files")))
        )
        == n_lumis
    )


def test_a_playback_says_which_run_it_repeats() -> None:
    stage = Stage(PLAYBACK)
    stage.run_until(START)
    (document,) = stage.documents("dqm-playback")
    assert (document["state"], document["config"]["source"]) == ("running", "/fff/BU0/playback/run256936/")
    assert 60 <= document["ls"] <= document["config"]["number_of_ls"]


def test_a_host_is_down_for_a_while_and_its_reports_come_late() -> None:
    seed = next(seed for seed in range(50) if plan(seed).outage)
    outage = plan(seed).outage
    assert outage is not None
    stage = Stage(seed=seed)
    begun = stage.play.started_at
    stage.jump_to(begun + outage.starts - 1)
    stage.run_until(begun + outage.starts + 1)
    assert stage.play.down_hosts == {outage.host: ""}
    rev = stage.stores[outage.host].newest_rev
    stage.run_until(begun + outage.ends - 1)
    assert stage.stores[outage.host].newest_rev == rev
    stage.run_until(begun + outage.ends + 40)
    assert stage.play.down_hosts == {}
    assert stage.stores[outage.host].newest_rev > rev + 10


def test_the_same_seed_plays_the_same() -> None:
    first, second = Stage(seed=5), Stage(seed=5)
    for stage in (first, second):
        stage.run_until(START + 45)
    assert first.documents() == second.documents()
