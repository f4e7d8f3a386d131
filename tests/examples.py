"""Documents as the mirror knows them after reading, for tests that change a field or two."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dqmsquare.documents import (
    DeliveryDocument,
    HostDiskDocument,
    HostMemoryDocument,
    JobDocument,
    LumiRange,
    PlaybackDocument,
    StreamFiles,
)

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
RUN = 398220


def _common(document_id: str, rev: int, at: datetime) -> dict[str, Any]:
    return {
        "document_id": document_id,
        "host_id": "hostid0000000001",
        "host_label": "fu..01",
        "rev": rev,
        "stamp": at.timestamp(),
        "reported_at": at,
        "received_at": at + timedelta(seconds=1),
    }


def job_document(
    document_id: str = "job0000000000001", rev: int = 10, at: datetime = NOW, **changed: Any
) -> JobDocument:
    """A running beam job of RUN."""
    values: dict[str, Any] = _common(document_id, rev, at) | {
        "run": RUN,
        "tag": "beam_dqm_sourceclient-live",
        "attempt": "attempt000000001",
        "run_key": "pp_run",
        "release": "15_0_4_47120",
        "config_name": "beam_dqm_sourceclient-live_cfg.py",
        "process_at": at,
        "exit_code": None,
        "cmssw_run": RUN,
        "lumi": 40,
        "next_lumi": 41,
        "n_events": 4000,
        "rate_hz": 42.5,
        "fi_state": 0,
        "rss_bytes": 700 * 2**20,
        "peak_rss_bytes": 710 * 2**20,
        "size_bytes": 2000 * 2**20,
        "swap_bytes": 0,
        "anon_bytes": None,
        "n_threads": 4,
        "process_state": "S (sleeping)",
        "memory": ((1_000, 690 * 2**20, 2000 * 2**20), (1_030, 700 * 2**20, 2000 * 2**20)),
        "lumis": ((39, 1000, 23.3), (40, 1100, 23.3)),
        "lumi_ranges": (LumiRange(1, 38, "ok", "close: eof"), LumiRange(39, 39, "warn", "skipped: timeout")),
        "log_head": "-- starting process --\n",
        "log_tail": "still running\n",
        "log_gap": True,
        "n_removed": 3,
    }
    return JobDocument(**values | changed)


def delivery_document(
    document_id: str = "delivery00000001", rev: int = 20, at: datetime = NOW, **changed: Any
) -> DeliveryDocument:
    """Three lumisections of one stream, each delivered five seconds after its end."""
    start = at.timestamp() - 100
    files = StreamFiles(
        lumis=(1, 2, 3),
        mtimes=tuple(start + lumi * 23.0 + 5 for lumi in (1, 2, 3)),
        ctimes=tuple(start + lumi * 23.0 + 6 for lumi in (1, 2, 3)),
        n_processed=(10, 10, 10),
        n_accepted=(6, 11, -1),
        sizes_bytes=(100, 200, -1),
    )
    values: dict[str, Any] = _common(document_id, rev, at) | {
        "run": RUN,
        "tag": "analyze_files",
        "global_start": start,
        "global_start_estimated": False,
        "lumi_seconds": 23.0,
        "streams": {"streamDQM": files},
    }
    return DeliveryDocument(**values | changed)


def memory_document(document_id: str = "memory0000000001", rev: int = 30, at: datetime = NOW, **changed: Any) -> Any:
    """A host with half of its 64 GB in use."""
    values: dict[str, Any] = _common(document_id, rev, at) | {
        "used_bytes": 32 * 10**9,
        "free_bytes": 32 * 10**9,
        "total_bytes": 64 * 10**9,
        "available_bytes": 40 * 10**9,
        "swap_free_bytes": 0,
    }
    return HostMemoryDocument(**values | changed)


def disk_document(document_id: str = "disk000000000001", rev: int = 31, at: datetime = NOW, **changed: Any) -> Any:
    """A ramdisk, a quarter full."""
    values: dict[str, Any] = _common(document_id, rev, at) | {
        "tag": "fff_deleter_minidaq",
        "used_bytes": 8 * 10**9,
        "free_bytes": 24 * 10**9,
        "total_bytes": 32 * 10**9,
        "n_files": 1200,
        "rename_percent": 60.0,
        "delete_percent": 80.0,
    }
    return HostDiskDocument(**values | changed)


def playback_document(document_id: str = "playback00000001", rev: int = 40, at: datetime = NOW, **changed: Any) -> Any:
    """Lumisection 37 of 1500 of a replay."""
    values: dict[str, Any] = _common(document_id, rev, at) | {
        "run": 500015,
        "tag": "fff_simulator",
        "state": "running",
        "lumi": 37,
        "source_run": 256936,
        "run_key": "pp_run",
        "n_lumis": 1500,
        "lumi_timeout_seconds": 24.0,
    }
    return PlaybackDocument(**values | changed)
