"""The document of a job, `dqm-source-state`, in the form hltd's monitor gives it and at its real size."""

import uuid
from collections.abc import Mapping

from dqmsquare.simulator import surroundings
from dqmsquare.simulator.clients import LUMI_SECONDS, RELEASES, client_of, dice, events_of_lumis
from dqmsquare.simulator.logs import Work, head_and_tail
from dqmsquare.simulator.store import Document


def run_unique_key(run: int, seed: int = 1) -> str:
    """The token that hltd gives a start of a run: the same for all its clients."""
    return str(uuid.UUID(int=dice("key", seed, run).getrandbits(128), version=4))


def job_id(host: str, run: int, pid: int) -> str:
    """The `_id` of a job's document."""
    return f"dqm-source-state-run{run:06d}-host{host}-pid{pid:06d}"


def job_document(
    host: str,
    run: int,
    tag: str,
    pid: int,
    *,
    lumi: int,
    reported_at: float,
    exit_code: int | None = None,
    started_at: float | None = None,
    zero_at: float | None = None,
    lumi_seconds: float = LUMI_SECONDS,
    first_lumi: int = 1,
    waited_lumis: int = 0,
    fi_state: int = 0,
    silent_seconds: float = 0.0,
    run_key: str = "pp_run",
    release: str = RELEASES[0],
    unique_key: str | None = None,
    cmssw_run: int | None = None,
    growth_mb_per_hour: float = 20.0,
    skipped: Mapping[int, str] | None = None,
) -> Document:
    """A `dqm-source-state` document of a job that finished `lumi` lumisections (0: none yet).

    Instants are s since 1970: `reported_at` of this report, `started_at` of the process, `zero_at` when its first
    lumisection began to arrive. Without `exit_code` it is alive. `silent_seconds`: how long its process has not
    spoken to its monitor.
    """
    client = client_of(tag)
    zero_at = reported_at - (lumi + 1) * lumi_seconds if zero_at is None else zero_at
    started_at = zero_at - 10.0 if started_at is None else started_at
    events = events_of_lumis(run, client.stream, run_key, max(lumi, 256))[:lumi]
    cmdline = _cmdline(run, tag, run_key, release, unique_key or run_unique_key(run))
    work = Work(
        host=host, run=run, run_key=run_key, client=client, pid=pid, release=release, cmdline=cmdline, zero_at=zero_at,
        lumi_seconds=lumi_seconds, first_lumi=first_lumi, lumi=lumi, waited_lumis=waited_lumis, events=events,
        exit_code=exit_code, ended_at=reported_at,
    )  # fmt: skip
    return {
        "_id": job_id(host, run, pid),
        "hostname": host,
        "sequence": 0,
        "type": "dqm-source-state",
        "tag": tag,
        "run": run,
        "pid": pid,
        **({} if exit_code is None else {"exit_code": exit_code}),
        **_progress(work, fi_state=fi_state, cmssw_run=cmssw_run),
        "cmdline": cmdline,
        "extra": _extra(work, started_at, growth_mb_per_hour, skipped or {}),
        "report_timestamp": reported_at,
        "update_timestamp": str(int(reported_at - silent_seconds)),
        "monitoring_pid": pid - 1,
        "monitoring_socket": f"/tmp/dqm_monitoring/.es_monitoring_pid{pid - 1:08d}",  # noqa: S108  (their path)
        "stdout_fn": f"/var/log/hltd/pid/hlt_run{run}_pid{pid}.log",
        "stderr_fn": f"/var/log/hltd/pid/hlt_run{run}_pid{pid}.log",
        "stdlog_gzip": f"/var/log/hltd/pid/hlt_run{run}_pid{pid}.log.gz",
    }


def _cmdline(run: int, tag: str, run_key: str, release: str, unique_key: str) -> list[str]:
    config = f"/cmsnfsdqmdata/dqmdata/dqm_cmssw/{release}/src/DQM/Integration/python/clients/{tag}_cfg.py"
    return ["cmsRun", config, "runInputDir=/fff/BU0/ramdisk", f"runNumber={run}", f"runkey={run_key}",
            f"runUniqueKey={unique_key}"]  # fmt: skip


def _progress(work: Work, *, fi_state: int, cmssw_run: int | None) -> Document:
    # boost's property_tree writes every number as a string.
    seen_run = (work.run if work.lumi else 0) if cmssw_run is None else cmssw_run
    fields = {
        "events_total": str(sum(work.events[work.first_lumi - 1 :])),
        "cmssw_run": str(seen_run),
        "cmssw_lumi": str(work.lumi),
        "fi_state": str(fi_state),
    }
    if not work.lumi:
        return {**fields, "events_rate": "-1.0"}
    fields["next_lumi"] = str(work.lumi + 1)
    if work.lumi > work.first_lumi:  # the rate of the last finished one: not there before the second
        fields["events_rate"] = f"{work.events[-1] / work.lumi_seconds:.9f}"
    fields["lumi_number"] = str(work.lumi)
    fields["lumi_events"] = str(work.events[-1])
    fields["lumi_duration_ms"] = str(int(work.lumi_seconds * 1000))
    return fields


def _extra(work: Work, started_at: float, growth: float, skipped: Mapping[int, str]) -> Document:
    ended_at, rss_mb = work.ended_at, work.client.rss_mb
    rss, size = surroundings.memory_bytes(max(0.0, ended_at - started_at), rss_mb, growth)
    head, tail = head_and_tail(work)
    extra: Document = {
        "environ": surroundings.environ(work.host, work.pid, work.release),
        "mem_info": surroundings.mem_info(started_at, ended_at, rss_mb, growth),
        "ps_info": surroundings.ps_info(work.pid, rss, size, alive=work.exit_code is None),
        "stdlog_start": head,
        "stdlog_end": tail,
    }
    if work.lumi:
        first, last = work.first_lumi, work.lumi
        extra["lumi_seen"] = surroundings.lumi_seen(first, last, skipped, ended=work.exit_code == 0)
        extra["lumi_stats"] = surroundings.lumi_stats(first, last, work.zero_at, work.lumi_seconds, work.events)
    return extra
