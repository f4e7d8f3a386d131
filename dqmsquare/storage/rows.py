"""What the queries answer with: frozen rows, times aware and in UTC, bytes in bytes, rates in Hz."""

from dataclasses import dataclass
from datetime import datetime

from dqmsquare.documents import LumiRange, StreamFiles


@dataclass(frozen=True, slots=True)
class Change:
    """A line of `changes`: `kind` is run, host, alarm or reload; `run` and `alarm_key` say which, or are None."""

    change_id: int
    kind: str
    run: int | None
    alarm_key: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRow:
    """A job as the pages show it, without log and series."""

    job_id: str
    run: int
    tag: str
    attempt: str | None
    host_id: str
    host_label: str
    run_key: str | None
    release: str | None
    config_name: str | None
    exit_code: int | None
    cmssw_run: int | None
    lumi: int | None
    next_lumi: int | None
    n_events: int | None
    rate_hz: float | None
    fi_state: int | None
    rss_bytes: int | None
    peak_rss_bytes: int | None
    size_bytes: int | None
    swap_bytes: int | None
    anon_bytes: int | None
    n_threads: int | None
    process_state: str | None
    first_reported_at: datetime | None  # of the first report the mirror has of this job
    reported_at: datetime | None
    received_at: datetime
    heard_at: datetime  # the earlier of the two: what silence is counted from
    process_at: datetime | None
    input_ended_at: datetime | None  # since when fi_state is 2
    has_log: bool
    n_removed: int
    input_gone: bool  # its log says so: whatever the exit code, not a crash
    flags: tuple[str, ...]
    rate_spark: tuple[float, ...]  # at most 20 values, oldest first
    memory_spark: tuple[int, ...]  # MiB, at most 20 values, oldest first
    memory_slope_mb_per_hour: float | None
    odd_lumis: tuple[LumiRange, ...]  # those that are not ok, at most 200


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSeries:
    """The graphs of a job, as in JobDocument."""

    memory: tuple[tuple[int, int, int], ...]
    lumis: tuple[tuple[int, int, float], ...]
    lumi_ranges: tuple[LumiRange, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """A job's log, scrubbed. `gap`: DQM² did not keep what stood between head and tail."""

    job_id: str
    run: int
    tag: str
    head: str
    tail: str
    gap: bool
    n_removed: int


@dataclass(frozen=True, slots=True)
class StreamSummary:
    """Delivery of one stream in a run; delays in s."""

    label: str  # DQM, not streamDQM
    mean_delay_seconds: float | None
    sigma_delay_seconds: float | None
    last_delay_seconds: float | None
    last_lumi: int
    n_events: int
    n_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRow:
    """A run's summary. Counts are of final states only; n_open have no exit code yet."""

    run: int
    run_key: str | None
    release: str | None
    cmssw_run: int | None
    n_jobs: int
    n_open: int
    n_finished: int
    n_stopped: int
    n_failed: int
    n_crashed: int
    last_lumi: int | None
    max_events: int | None
    max_rate_hz: float | None
    first_reported_at: datetime | None
    last_reported_at: datetime | None
    global_start: float | None  # s since 1970, as the BU tells it
    global_start_estimated: bool
    streams: tuple[StreamSummary, ...]  # () in lists of runs


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryRow:
    """The files a BU delivered for a run."""

    document_id: str
    run: int
    tag: str
    rev: int
    stamp: float | None
    host_id: str
    host_label: str
    global_start: float | None
    global_start_estimated: bool
    lumi_seconds: float
    streams: dict[str, StreamFiles]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackRow:
    """What the playback plays."""

    run: int
    state: str
    lumi: int | None
    source_run: int | None
    run_key: str | None
    n_lumis: int | None
    reported_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRow:
    """A host: cluster status (None: never told), its memory and ramdisk, and how the grabber does with it."""

    host_id: str
    label: str
    is_configured: bool  # in the grabber's settings; others are known from cluster status only
    is_up: bool | None
    message: str | None
    status_since: datetime | None
    status_seen_at: datetime | None
    has_left: bool  # no longer named by cluster status
    grabber_state: str | None  # live, filling, backoff, auth, standby; None: never asked
    grabber_error: str | None
    polled_at: datetime | None  # last successful poll
    epoch: int
    restarted: bool  # its history began anew and is not complete here yet
    n_behind: int  # headers known upstream that are not stored yet
    memory_used_bytes: int | None
    memory_total_bytes: int | None
    memory_available_bytes: int | None
    disk_used_bytes: int | None
    disk_total_bytes: int | None
    disk_rename_percent: float | None
    disk_delete_percent: float | None
