"""What a planned run looks like at an instant: the documents its hosts would report then."""

from dqmsquare.simulator.clients import LUMI_SECONDS
from dqmsquare.simulator.documents import files_document, playback_document
from dqmsquare.simulator.jobs import job_document
from dqmsquare.simulator.plan import END_OF_RUN_SECONDS, SOURCE_RUN, Fate, JobPlan, RunPlan
from dqmsquare.simulator.store import Document

REPORT_SECONDS = 30.0  # between two reports of a job (hltd's esMonitoring)


def job_report(plan: RunPlan, job: JobPlan, at: float) -> Document:
    """A job's report at an instant (s since 1970); its last one from the end of its life on."""
    seconds = min(plan.seconds(at), job.ends)
    ended = job.is_over(seconds) and job.exit_code is not None
    lumi = _lumi(plan, job, seconds)
    idle = plan.run_key in job.client.idle_in
    return job_document(
        job.host, plan.run, job.client.tag, job.pid,
        lumi=0 if idle else lumi,
        waited_lumis=lumi if idle else 0,
        first_lumi=1 if idle or not lumi else job.first_lumi,
        reported_at=plan.at(seconds),
        started_at=plan.at(job.starts),
        zero_at=plan.at(job.latency),
        lumi_seconds=LUMI_SECONDS / plan.speed,
        exit_code=job.exit_code if ended else None,
        fi_state=_fi_state(plan, job, seconds),
        silent_seconds=max(0.0, seconds - job.turns) / plan.speed if job.fate is Fate.SILENT and not ended else 0.0,
        run_key=plan.run_key,
        release=plan.release,
        unique_key=plan.unique_key,
        growth_mb_per_hour=job.growth_mb_per_hour,
        skipped=dict(job.skipped),
    )  # fmt: skip


def _lumi(plan: RunPlan, job: JobPlan, seconds: float) -> int:
    """The newest lumisection that a job has finished; 0 before its first."""
    until = min(seconds, job.turns) if job.fate in {Fate.SILENT, Fate.STUCK} else seconds
    if job.fate is Fate.FAILS_AT_START or until < job.starts:
        return 0
    lumi = min(plan.n_lumis, max(0, int((until - job.latency) / LUMI_SECONDS)))
    return lumi if lumi >= job.first_lumi else 0


def _fi_state(plan: RunPlan, job: JobPlan, seconds: float) -> int:
    if seconds < plan.ends + END_OF_RUN_SECONDS or job.fate is Fate.FAILS_AT_START:
        return 0
    # Jobs that leave lumisections unread at the end of the run stay at 1: a quarter of them.
    return 1 if job.pid % 4 == 0 and job.fate is not Fate.HANGS else 2


def files_report(plan: RunPlan, at: float) -> Document:
    """What the BU has delivered of the run by then."""
    return files_document(
        plan.bu, plan.run,
        started_at=plan.started_at,
        reported_at=at,
        n_lumis=plan.n_lumis,
        run_key=plan.run_key,
        lumi_seconds=LUMI_SECONDS / plan.speed,
        # The analysis does not always find the file that tells the start.
        global_start_source="first_lumi" if plan.run % 9 == 0 else "global_file",
    )  # fmt: skip


def playback_report(plan: RunPlan, at: float) -> Document:
    """What the playback of this run does then."""
    lumi = int(plan.seconds(at) / LUMI_SECONDS) + 1
    ended = lumi > plan.n_lumis
    return playback_document(
        plan.bu, plan.run,
        state="stopped" if ended else "running",
        lumi=min(lumi, plan.n_lumis),
        source_run=SOURCE_RUN,
        n_lumis=plan.n_lumis,
        run_key=plan.run_key,
        unique_key=plan.unique_key,
        lumi_timeout_seconds=LUMI_SECONDS / plan.speed,
    )  # fmt: skip
