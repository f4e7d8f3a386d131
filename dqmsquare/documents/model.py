"""What the mirror knows of a document after reading: only fields that may leave P5, in SI units."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Header:
    """A line of DQM²'s listing. `timestamp` is as sent (s since 1970), to recognise the revision by."""

    document_id: str
    rev: int
    timestamp: float | None
    hostname: str | None
    kind: str
    tag: str | None
    run: int | None


@dataclass(frozen=True, slots=True)
class LumiRange:
    """Lumisections `first` to `last`, all in one state: `grade` is ok, info, warn, bad or other."""

    first: int
    last: int
    grade: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What every document has. `document_id` is the public id; `stamp` the raw timestamp (s since 1970)."""

    document_id: str
    host_id: str
    host_label: str
    rev: int
    stamp: float | None
    reported_at: datetime | None
    received_at: datetime
    n_field_errors: int = 0
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class JobDocument(Document):
    """dqm-source-state: one process of a client for a run on a FU."""

    run: int
    tag: str  # whole, e.g. beam_dqm_sourceclient-live; client_name() makes the short one
    attempt: str | None
    run_key: str | None
    release: str | None  # as in today's answers: 12_4_8_39145_39162; split_release() parts it
    config_name: str | None
    process_at: datetime | None  # when the process itself last spoke to its monitor
    exit_code: int | None  # None while alive
    cmssw_run: int | None
    lumi: int | None
    next_lumi: int | None
    n_events: int | None
    rate_hz: float | None
    fi_state: int | None  # 0 open, 1 closing, 2 end of run
    rss_bytes: int | None
    peak_rss_bytes: int | None
    size_bytes: int | None
    swap_bytes: int | None
    anon_bytes: int | None
    n_threads: int | None
    process_state: str | None
    memory: tuple[tuple[int, int, int], ...] = ()  # (s since 1970, resident bytes, size bytes), at most 500
    lumis: tuple[tuple[int, int, float], ...] = ()  # (lumisection, events, seconds), at most 500
    lumi_ranges: tuple[LumiRange, ...] = ()
    log_head: str = ""  # scrubbed; "" where there is none
    log_tail: str = ""  # scrubbed, without what head already has; "" where the log is short
    log_gap: bool = False  # True where DQM² did not keep what stood between head and tail
    n_removed: int = 0  # values the scrubber took out of the log
    input_gone: bool = False  # the log says that the run's files were gone: whatever the exit code, not a crash


@dataclass(frozen=True, slots=True)
class StreamFiles:
    """Files of one stream, equally long columns, ordered by lumisection; -1 is a file that was unreadable."""

    lumis: tuple[int, ...]
    mtimes: tuple[float, ...]  # s since 1970
    ctimes: tuple[float, ...]  # s since 1970
    n_processed: tuple[int, ...]
    n_accepted: tuple[int, ...]
    sizes_bytes: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryDocument(Document):
    """dqm-files: the files a BU delivered for a run; `streams` by key without host (streamDQM)."""

    run: int
    tag: str  # analyze_files, lookarea_… as label
    global_start: float | None  # s since 1970
    global_start_estimated: bool
    lumi_seconds: float
    streams: dict[str, StreamFiles] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostMemoryDocument(Document):
    """dqm-stats: the memory of a host."""

    used_bytes: int | None
    free_bytes: int | None
    total_bytes: int | None
    available_bytes: int | None
    swap_free_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDiskDocument(Document):
    """dqm-diskspace: the ramdisk of a host; thresholds in percent, None where the document has none."""

    tag: str
    used_bytes: int | None
    free_bytes: int | None
    total_bytes: int | None
    n_files: int | None
    rename_percent: float | None
    delete_percent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseDocument(Document):
    """dqm-release: a CMSSW release as installed at P5."""

    name: str
    built_at: datetime | None
    pull_requests: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackDocument(Document):
    """dqm-playback: what the playback plays; `source_run` is the run it repeats."""

    run: int
    tag: str
    state: str  # init, running, eor, stopped, error
    lumi: int | None
    source_run: int | None
    run_key: str | None
    n_lumis: int | None
    lumi_timeout_seconds: float | None
    skipped_lumis: tuple[int, ...] = ()


AnyDocument = (
    JobDocument | DeliveryDocument | HostMemoryDocument | HostDiskDocument | ReleaseDocument | PlaybackDocument
)
