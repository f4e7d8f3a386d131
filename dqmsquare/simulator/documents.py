"""Documents in the form their writers give them (numbers as strings where they are), at their real size.

Neither `_rev` nor `timestamp` is set where the writer does not: the store adds them, as fff_web does.
"""

from collections.abc import Sequence

from dqmsquare.simulator.clients import LUMI_SECONDS, RELEASES, STORAGE_MANAGER
from dqmsquare.simulator.delivery import streams_until
from dqmsquare.simulator.jobs import job_document, job_id, run_unique_key
from dqmsquare.simulator.store import Document

__all__ = [
    "diskspace_document",
    "files_document",
    "files_id",
    "job_document",
    "job_id",
    "playback_document",
    "playback_id",
    "release_document",
    "run_unique_key",
    "stats_document",
]
_GIB = 1024**3


def files_id(host: str, run: int, tag: str = "analyze_files") -> str:
    """The `_id` of what a BU delivered."""
    return f"dqm-files-{host}-{tag}-run{run}"


def playback_id(host: str, run: int, tag: str = "fff_simulator") -> str:
    """The `_id` of a playback."""
    return f"dqm-playback-{host}-{tag}-run{run}"


def files_document(
    host: str,
    run: int,
    *,
    started_at: float,
    reported_at: float,
    n_lumis: int = 100_000,
    tag: str = "analyze_files",
    run_key: str = "pp_run",
    lumi_seconds: float = LUMI_SECONDS,
    global_start_source: str = "global_file",
) -> Document:
    """A `dqm-files` document: what a BU had delivered of a run by `reported_at`, at most `n_lumis` lumisections."""
    return {
        "_id": files_id(host, run, tag),
        "sequence": 0,
        "hostname": host,
        "tag": tag,
        "run": run,
        "type": "dqm-files",
        "pid": 8066,
        "extra": {
            "streams": streams_until(
                run, run_key, started_at=started_at, until=reported_at, n_lumis=n_lumis, lumi_seconds=lumi_seconds
            ),
            "global_start": started_at,
            "global_start_source": global_start_source,
            "lumi": lumi_seconds,
        },
    }


def stats_document(host: str, *, at: float, sequence: int = 1) -> Document:
    """A `dqm-stats` document: the memory of a host, and lines of its applets that nobody outside may read."""
    total_kb = 65_000_000
    free_kb = 12_000_000 + sequence * 7919 % 3_000_000
    meminfo = {
        "MemTotal": total_kb, "MemFree": free_kb, "MemAvailable": free_kb + 21_000_000, "Buffers": 400_000,
        "Cached": 20_000_000, "SwapCached": 0, "SwapTotal": 8_000_000, "SwapFree": 7_900_000, "Shmem": 9_000_000,
    }  # fmt: skip
    line = f"fff_filemonitor: uploading /tmp/dqm_monitoring/ to {host}.cms:9215, proxy canary-logger-proxy"
    return {
        "_id": f"dqm-stats-{host}",
        "timestamp": at,
        "hostname": host,
        "sequence": sequence,
        "type": "dqm-stats",
        "pid": 4321,
        "memory_used": (total_kb - free_kb) * 1024,
        "memory_free": free_kb * 1024,
        "memory_total": total_kb * 1024,
        "extra": {"meminfo": meminfo, "loggers": {"fff_filemonitor": [f"{line} ({i})" for i in range(20)]}},
    }


def diskspace_document(
    host: str, *, sequence: int = 1, filled: float = 0.46, n_files: int | None = 5120, tag: str = "fff_deleter"
) -> Document:
    """A `dqm-diskspace` document: the ramdisk of a BU, `filled` from 0 to 1."""
    total = 128 * _GIB
    used = int(total * filled)
    return {
        "_id": f"dqm-diskspace-{host}-{tag}",
        "sequence": sequence,
        "disk_used": used,
        "disk_free": total - used,
        "disk_total": total,
        "hostname": host,
        "tag": tag,
        "extra": {"file_count": n_files, "thresholds": {"rename": 60, "delete": 80, "delete_folders": True}},
        "pid": 8070,
        "type": "dqm-diskspace",
    }


def playback_document(
    host: str,
    run: int,
    *,
    state: str = "running",
    lumi: int | None = 1,
    source_run: int = 256936,
    n_lumis: int = 1500,
    run_key: str = "cosmic_run",
    unique_key: str | None = None,
    lumi_timeout_seconds: float = 23.3,
    lumi_to_skip: Sequence[int] = (),
) -> Document:
    """A `dqm-playback` document: which original run is played again; without `lumi` it has not begun."""
    tag = "fff_simulator"
    source = f"/fff/BU0/playback/run{source_run}"
    names = ("DQM", "DQMHistograms")
    files = {name: [[_playback_file(source_run, n, name), STORAGE_MANAGER] for n in range(1, 5)] for name in names}
    extra: Document = {"streams_found": {name: {"lumi_files": files[name]} for name in names}}
    if lumi is not None:
        extra["ls_map"] = {name: f"{source}/{files[name][(lumi - 1) % 4][0]}" for name in names}
    return {
        "_id": playback_id(host, run, tag),
        "state": state,
        "config": {
            "source": f"{source}/", "ramdisk": "/fff/BU0/ramdisk", "run_key": run_key,
            "run_unique_key": unique_key or run_unique_key(run), "lumi_timeout": lumi_timeout_seconds,
            "lumi_to_skip": list(lumi_to_skip), "number_of_ls": n_lumis, "stream_remap": {},
            "number_of_ls_to_keep": 50, "number_of_runs_to_keep": 5, "run": run,
            "run_write_file": "/var/run/fff_dqmtools/fff_simulator_run",
        },
        "socket_name": "fff_dqmtools.fff_simulator",
        **({} if lumi is None else {"ls": lumi}),
        "extra": extra,
        "sequence": 0,
        "hostname": host,
        "tag": tag,
        "run": run,
        "pid": 9011,
        "type": "dqm-playback",
    }  # fmt: skip


def _playback_file(source_run: int, lumi: int, stream: str) -> str:
    return f"run{source_run}_ls{lumi:04d}_stream{stream}_{STORAGE_MANAGER}.jsn"


def release_document(
    host: str, name: str = RELEASES[0], *, built_at: float, pull_requests: Sequence[int] = (39145,)
) -> Document:
    """A `dqm-release` document: a CMSSW release as it was built at P5."""
    merged = "Auto-merging DQM/Integration/python/config/inputsource_cfi.py, Merge successful, by canary-builder"
    requests = [{"id": i, "type": "merge-topic", "label": None, "arg": str(i), "log": merged} for i in pull_requests]
    return {
        "_id": f"dqm-release-{name}",
        "sequence": 0,
        "hostname": host,
        "tag": "analyze_releases",
        "name": name,
        "path": f"/cmsnfsdqmdata/dqmdata/dqm_cmssw/{name}",
        "build_time": built_at,
        "extra": {"pull_requests": requests, "options": {}, "log": "scram b -j 16 in /nfshome0/canary-builder"},
        "pid": 8080,
        "type": "dqm-release",
    }
