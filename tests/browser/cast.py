"""Rows to rehearse with: a run of 31 jobs as shifters see them, with the bad ones among them."""

import random
import zlib
from datetime import datetime, timedelta
from typing import Any

from dqmsquare.documents import LumiRange, StreamFiles
from dqmsquare.server.charts import LUMI_SECONDS
from dqmsquare.storage.client_queries import ClientRun
from dqmsquare.storage.rows import (
    DeliveryRow,
    HostRow,
    JobRow,
    JobSeries,
    LogRow,
    PlaybackRow,
    RunRow,
    StreamSummary,
)
from tests.browser.status_cast import the_gaps, the_quarantine, the_replication

RUN = 398220
LAST_LUMI = 468
MIB = 2**20
CLIENTS = [
    "beam",
    "beamhlt",
    "beampixel",
    "beamspotdip",
    "csc",
    "ctpps",
    "dt",
    "dt4ml",
    "ecal",
    "ecalcalib",
    "ecalgpu",
    "es",
    "fed",
    "gem",
    "hcal",
    "hcalcalib",
    "hcalgpu",
    "hcalreco",
    "hlt",
    "hlt_dqm_clientPB-live",
    "info",
    "l1tstage2",
    "l1tstage2emulator",
    "mutracking",
    "onlinebeammonitor",
    "pixel",
    "pixellumi",
    "rpc",
    "sistrip",
    "visualization-live",
    "visualization-live-secondInstance",
]
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


def job_id(client: str, run: int = RUN) -> str:
    """The id that a client's job has here."""
    chance = random.Random(f"{client} {run}")
    return "".join(chance.choice(_LETTERS) for _ in range(16))


def tag_of(client: str) -> str:
    """The tag that makes a client's name."""
    return client if "-live" in client else f"{client}_dqm_sourceclient-live"


def a_job(client: str, now: datetime, *, run: int = RUN, age_seconds: float = 20, **fields: Any) -> JobRow:
    """A running job that was heard of `age_seconds` ago."""
    chance = random.Random(zlib.crc32(client.encode()))
    heard = now - timedelta(seconds=age_seconds)
    rss = chance.randint(320, 2_600) * MIB
    values: dict[str, Any] = {
        "job_id": job_id(client, run),
        "run": run,
        "tag": tag_of(client),
        "attempt": "b" * 16,
        "host_id": "h4" * 8,
        "host_label": chance.choice(["fu..04"] * 6 + ["fu..01", "fu..02", "fu..03"]),
        "run_key": "cosmic_run",
        "release": "12_4_8_39145_39162",
        "config_name": f"{tag_of(client)}_cfg.py",
        "exit_code": None,
        "cmssw_run": run,
        "lumi": LAST_LUMI - chance.choice([0, 1, 2]),
        "next_lumi": LAST_LUMI + 1,
        "n_events": chance.randint(80_000, 630_000),
        "rate_hz": chance.uniform(1, 130),
        "fi_state": 0,
        "rss_bytes": rss,
        "peak_rss_bytes": rss + 8 * MIB,
        "size_bytes": 2 * rss,
        "swap_bytes": 0,
        "anon_bytes": rss // 2,
        "n_threads": 12,
        "process_state": "S (sleeping)",
        "first_reported_at": now - timedelta(hours=3),
        "reported_at": heard,
        "received_at": heard,
        "heard_at": heard,
        "process_at": heard - timedelta(seconds=1),
        "input_ended_at": None,
        "has_log": True,
        "n_removed": 2,
        "input_gone": False,
        "flags": (),
        "rate_spark": tuple(max(0.0, 50 + chance.gauss(0, 12)) for _ in range(20)),
        "memory_spark": tuple(int(rss / MIB * (0.8 + 0.2 * i / 20)) for i in range(20)),
        "memory_slope_mb_per_hour": 12.0,
        "odd_lumis": (),
    }
    return JobRow(**{**values, **fields})


SKIPPED = LumiRange(97, 98, "warn", "skipped: timeout")
NO_FILE = LumiRange(213, 213, "bad", "error: data file missing")


def the_jobs(now: datetime, run: int = RUN) -> list[JobRow]:
    """31 jobs: two crashed, one failed, one stuck, one quiet, two whose memory grows, one finished."""
    special: dict[str, dict[str, Any]] = {
        "beampixel": {"exit_code": -6, "age_seconds": 3360, "odd_lumis": (SKIPPED,)},
        "hcalgpu": {"exit_code": -11, "age_seconds": 3360},
        "pixel": {"exit_code": 86, "age_seconds": 3000, "odd_lumis": (SKIPPED, NO_FILE)},
        "ecalgpu": {"age_seconds": 1260},
        "dt": {"age_seconds": 150},
        "beamhlt": {"lumi": 0, "n_events": None, "rate_hz": -1.0, "rate_spark": ()},
        "visualization-live": {"memory_slope_mb_per_hour": 214.0},
        "visualization-live-secondInstance": {"memory_slope_mb_per_hour": 260.0, "n_events": 343},
        "pixellumi": {"exit_code": 0, "age_seconds": 3400},
    }
    return [a_job(client, now, run=run, **special.get(client, {})) for client in CLIENTS]


STREAMS = ("DQM", "DQMCalibration", "DQMEventDisplay", "DQMGPUvsCPU", "DQMHistograms")


def a_run(now: datetime, run: int = RUN, **fields: Any) -> RunRow:
    """A run's summary."""
    summaries = tuple(
        StreamSummary(
            label=label,
            mean_delay_seconds=30.0,
            sigma_delay_seconds=4.0,
            last_delay_seconds=21.3,
            last_lumi=465,
            n_events=10_000,
            n_bytes=10**9,
        )
        for label in STREAMS
    )
    values: dict[str, Any] = {
        "run": run,
        "run_key": "cosmic_run",
        "release": "12_4_8_39145_39162",
        "cmssw_run": run,
        "n_jobs": len(CLIENTS),
        "n_open": 27,
        "n_finished": 1,
        "n_stopped": 0,
        "n_failed": 1,
        "n_crashed": 2,
        "last_lumi": LAST_LUMI,
        "max_events": 630_000,
        "max_rate_hz": 132.0,
        "first_reported_at": now - timedelta(hours=3),
        "last_reported_at": now,
        "global_start": (now - timedelta(hours=3)).timestamp(),
        "global_start_estimated": False,
        "streams": summaries,
    }
    return RunRow(**{**values, **fields})


def a_host(label: str, now: datetime, *, is_up: bool | None = True, **fields: Any) -> HostRow:
    """A host; its id is made of its label."""
    values: dict[str, Any] = {
        "host_id": (label.replace(".", "x") * 4)[:16],
        "label": label,
        "is_configured": True,
        "is_up": is_up,
        "message": None,
        "status_since": None if is_up is None else now - timedelta(hours=5),
        "status_seen_at": None if is_up is None else now,
        "has_left": False,
        "grabber_state": "live",
        "grabber_error": None,
        "polled_at": now,
        "epoch": 1,
        "restarted": False,
        "n_behind": 0,
        "memory_used_bytes": 200 * 2**30,
        "memory_total_bytes": 256 * 2**30,
        "memory_available_bytes": 150 * 2**30,
        "disk_used_bytes": None,
        "disk_total_bytes": None,
        "disk_rename_percent": None,
        "disk_delete_percent": None,
    }
    return HostRow(**{**values, **fields})


def the_hosts(now: datetime) -> list[HostRow]:
    """A BU with a ramdisk that fills, a FU that is down, one that nobody told of."""
    ramdisk: dict[str, Any] = {
        "disk_used_bytes": 180 * 2**30,
        "disk_total_bytes": 256 * 2**30,
        "disk_rename_percent": 60.0,
        "disk_delete_percent": 80.0,
    }
    down: dict[str, Any] = {
        "message": "connection refused",
        "status_since": now - timedelta(minutes=12),
        "grabber_state": "backoff",
    }
    return [
        a_host("bu..01", now, **ramdisk),
        a_host("fu..01", now),
        a_host("fu..02", now, memory_available_bytes=10 * 2**30),
        a_host("fu..03", now, is_up=False, **down),
        a_host("fu..04", now, is_up=None, grabber_state="filling", n_behind=12_400),
    ]


def a_delivery(now: datetime, run: int = RUN) -> DeliveryRow:
    """Five streams of 465 lumisections, one of them with a gap."""
    chance = random.Random(run)
    begun = (now - timedelta(hours=3)).timestamp()
    streams = {}
    for label, usual, n_events in zip(STREAMS, (18, 30, 16, 22, 40), (60_000, 320, 3, 1_300, 5_000), strict=True):
        lumis = [n for n in range(1, 466) if not (label == "DQMCalibration" and 150 < n < 170)]
        written = [begun + n * LUMI_SECONDS + usual + n * 1.3 % 18 for n in lumis]
        events = tuple(int(n_events * (1 + chance.gauss(0, 0.02))) for _ in lumis)
        sizes = tuple(100 * n for n in events)
        named = tuple(at + 1 for at in written)
        streams[f"stream{label}"] = StreamFiles(tuple(lumis), tuple(written), named, events, events, sizes)
    return DeliveryRow(
        document_id="d" * 16,
        run=run,
        tag="analyze_files",
        rev=12,
        stamp=1.0,
        host_id="b" * 16,
        host_label="bu..01",
        global_start=begun,
        global_start_estimated=False,
        lumi_seconds=LUMI_SECONDS,
        streams=streams,
    )


def a_series(now: datetime) -> JobSeries:
    """Graphs of a job that read to the end, with a few lumisections that it did not."""
    chance = random.Random(7)
    begun = int((now - timedelta(hours=3)).timestamp())
    memory = tuple((begun + 30 * i, int((900 + 2 * i) * MIB), 1_800 * MIB) for i in range(350))
    read = [n for n in range(1, 467) if n not in {97, 98, 213} and not 330 < n < 345]
    lumis = tuple((n, int(23.3 * max(0, chance.gauss(50, 8))), 23.3 + chance.gauss(0, 0.4)) for n in read)
    ranges = (
        LumiRange(1, 96, "ok", "close: eof"),
        SKIPPED,
        LumiRange(99, 212, "ok", "close: eof"),
        NO_FILE,
        LumiRange(214, 330, "ok", "close: eof"),
        LumiRange(331, 344, "info", "close: forced end-of-run"),
        LumiRange(345, 466, "ok", "close: eof"),
    )
    return JobSeries(memory=memory, lumis=lumis, lumi_ranges=ranges)


HEAD = """-- starting process: ['cmsRun', '[path]/pixel_dqm_sourceclient-live_cfg.py', 'runUniqueKey=[removed]'] --
Initial Source settings: cms.Source("DQMStreamerReader",
    runInputDir = cms.untracked.string('[path]/ramdisk'),
)
"""
ERROR = """%MSG-e TooManyErrors:  SiStripRawToDigiModule:siStripDigis  15-Sep-2022 16:55:00 CEST Run: 398220
Total number of errors = 35204
%MSG
"""
FATAL = """----- Begin Fatal Exception 15-Sep-2022 16:55:01 CEST-----------------------
An exception of category 'FatalRootError' occurred while
   [0] Processing  Event run: 398220 lumi: 213 event: 6158383 stream: 3
Exception Message:
<script>alert(1)</script> & "quotes" of siPixelDigis@cpu
----- End Fatal Exception -------------------------------------------------
"""


def a_log(job: JobRow, *, n_errors: int = 3, end: str = "-- process exit: 86 --\n") -> LogRow:
    """A log with a gap, some errors, an exception and a bad exit."""
    quiet = "".join(f"15-Sep-2022 13:4{i % 10}:30 CEST  Closed file number {i}\n" for i in range(120))
    return LogRow(
        job_id=job.job_id,
        run=job.run,
        tag=job.tag,
        head=HEAD + quiet,
        tail=quiet + ERROR * n_errors + FATAL + end,
        gap=True,
        n_removed=job.n_removed,
    )


def a_history() -> list[ClientRun]:
    """Ten runs of a client, newest first: finished, but for one crash and one failure."""
    usual: dict[str, Any] = {"n_jobs": 1, "n_open": 0, "n_finished": 1, "n_stopped": 0, "n_failed": 0, "n_crashed": 0}
    odd: dict[int, dict[str, Any]] = {
        RUN - 3: {"n_finished": 0, "n_crashed": 1},
        RUN - 7: {"n_finished": 0, "n_failed": 1},
    }
    return [ClientRun(run=run, **{**usual, **odd.get(run, {})}) for run in range(RUN - 1, RUN - 11, -1)]


def a_playback(run: int) -> PlaybackRow:
    """A replay."""
    return PlaybackRow(
        run=run, state="running", lumi=37, source_run=256936, run_key="pp_run", n_lumis=1500, reported_at=None
    )


def fill(rehearsal) -> None:
    """The usual scene: 31 jobs in the newest of four runs, and a playback."""
    now = rehearsal.clock()
    production, playback = rehearsal.production, rehearsal.playback
    for run in range(RUN - 3, RUN + 1):
        production.runs[run] = a_run(now, run) if run == RUN else a_run(now, run, streams=())
        production.jobs[run] = sorted(the_jobs(now, run), key=lambda job: job.tag)
    production.hosts = the_hosts(now)
    production.poll_ages = {host.host_id: 0.8 for host in production.hosts}
    production.replication = the_replication(production.hosts, now)
    production.quarantined = the_quarantine(production.hosts[-1], now)
    production.gaps = the_gaps(production.hosts[-1], now)
    production.expected = [tag_of("tracking"), tag_of("beam")]
    production.history = a_history()
    production.deliveries[RUN] = a_delivery(now)
    for job in production.jobs[RUN]:
        production.logs[job.job_id] = a_log(job)
        production.series[job.job_id] = a_series(now)
    playback.runs[500015] = a_run(now, 500015, run_key="pp_run", streams=())
    playback.jobs[500015] = [a_job("beam", now, run=500015)]
    playback.playback = a_playback(500015)
    playback.hosts = [a_host("fu..09", now)]
    playback.poll_ages = {playback.hosts[0].host_id: 0.4}


ENDS = [0] * 60 + [None] * 3 + [-15] * 2 + [-11, -6, 86, 86]  # exit codes of old jobs; None: nobody heard


def fill_history(rehearsal, n_runs: int) -> None:
    """Runs below the usual ones, as years leave them: crashes here and there, some without lumisections."""
    now, production = rehearsal.clock(), rehearsal.production
    chance = random.Random(n_runs)
    for run in range(RUN - 4, RUN - 4 - n_runs, -1):
        is_empty = run % 9 == 0
        clients = CLIENTS[: 20 if is_empty else None]
        jobs = [_old_job(chance, client, now, run, is_empty=is_empty) for client in clients]
        if run % 4 == 0:  # a client that crashed and was started again
            jobs.append(_old_job(chance, "pixel", now, run, is_empty=False, job_id=job_id("again", run), exit_code=-11))
        codes = [job.exit_code for job in jobs]
        production.jobs[run] = sorted(jobs, key=lambda job: job.tag)
        production.runs[run] = a_run(
            now,
            run,
            streams=(),
            run_key=("pp_run", "pp_run", "cosmic_run", "hi_run")[run // 20 % 4],
            release="15_0_4_patch1_47120",
            last_lumi=0 if is_empty else chance.choice([12, 88, 310, 466, 912, 1204]),
            n_jobs=len(jobs),
            n_open=codes.count(None),
            n_crashed=codes.count(-11) + codes.count(-6),
            n_failed=codes.count(86),
        )


def _old_job(chance: random.Random, client: str, now: datetime, run: int, *, is_empty: bool, **fields: Any) -> JobRow:
    n_events = 0 if is_empty else int(10 ** chance.uniform(3, 6.6))
    values = {"exit_code": 0 if is_empty else chance.choice(ENDS), "n_events": n_events, **fields}
    return a_job(client, now, run=run, age_seconds=3_600 * (RUN - run), **values)
