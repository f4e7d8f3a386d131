"""Rows of a run that goes well, for tests of the alarms that change a field or two."""

from datetime import UTC, datetime, timedelta
from typing import Any

from dqmsquare.documents import StreamFiles
from dqmsquare.storage.alarm_queries import AlarmRow, RamdiskRow
from dqmsquare.storage.rows import DeliveryRow, HostRow, JobRow, RunRow, StreamSummary

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
RUN = 398220
HOST = "hostid0000000001"
START = NOW - timedelta(minutes=20)


def _row(kind: Any, values: dict[str, Any], changed: dict[str, Any]) -> Any:
    return kind(**dict.fromkeys(kind.__slots__) | values | changed)


def job(job_id: str = "job1", client: str = "beam", **changed: Any) -> JobRow:
    """A job that runs, with events in its last lumisections."""
    values = {
        "job_id": job_id,
        "run": RUN,
        "tag": f"{client}_dqm_sourceclient-live",
        "host_id": HOST,
        "host_label": "fu..01",
        "lumi": 50,
        "first_reported_at": START,
        "reported_at": NOW,
        "heard_at": NOW,
        "rate_spark": (40.0, 41.0, 42.0),
    }
    return _row(JobRow, values, changed)


def run(number: int = RUN, **changed: Any) -> RunRow:
    """A run that began twenty minutes ago and goes on."""
    values = {
        "run": number,
        "run_key": "pp_run",
        "n_jobs": 2,
        "n_open": 2,
        "last_lumi": 50,
        "first_reported_at": START,
        "last_reported_at": NOW,
        "streams": (),
    }
    return _row(RunRow, values, changed)


def delivery(*delays: float, **streams: tuple[float, ...]) -> DeliveryRow:
    """A stream DQM with these delays in s, from lumisection 1 on, and others."""
    start = START.timestamp()
    columns = {f"stream{name}": values for name, values in ({"DQM": delays} | streams).items()}
    values = {
        "run": RUN,
        "global_start": start,
        "lumi_seconds": 23.0,
        "streams": {key: _files(start, delays_of) for key, delays_of in columns.items()},
    }
    return _row(DeliveryRow, values, {})


def _files(start: float, delays: tuple[float, ...]) -> StreamFiles:
    lumis = tuple(range(1, len(delays) + 1))
    mtimes = tuple(
        -1.0 if delay < 0 else start + lumi * 23.0 + delay for lumi, delay in zip(lumis, delays, strict=True)
    )
    ones = (1,) * len(lumis)
    return StreamFiles(lumis, mtimes, mtimes, ones, ones, ones)


def late_stream(seconds: float) -> StreamSummary:
    return StreamSummary("DQM", seconds, 0.0, seconds, 50, 100, 1000)


def host(host_id: str = HOST, **changed: Any) -> HostRow:
    """A host that is up and polled."""
    values = {
        "host_id": host_id,
        "label": "fu..01",
        "is_configured": True,
        "is_up": True,
        "status_since": START,
        "status_seen_at": NOW,
        "has_left": False,
        "grabber_state": "live",
        "n_behind": 0,
        "epoch": 1,
    }
    return _row(HostRow, values, changed)


def disk(used_percent: int = 50, **changed: Any) -> RamdiskRow:
    values = {
        "host_id": HOST,
        "host_label": "bu..01",
        "used_bytes": used_percent * 10**9,
        "total_bytes": 100 * 10**9,
        "rename_percent": 60.0,
        "delete_percent": 80.0,
        "received_at": NOW,
    }
    return _row(RamdiskRow, values, changed)


def open_alarm(rule: str, subject: str, **changed: Any) -> AlarmRow:
    values = {
        "alarm_key": f"production/{rule}/{subject}",
        "rule": rule,
        "subject": subject,
        "words": "",
        "raised_at": NOW,
    }
    return _row(AlarmRow, values, changed)
