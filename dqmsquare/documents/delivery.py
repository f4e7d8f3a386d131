"""dqm-files (and its predecessor dqm-timestamps): what a BU delivered for a run, stream by stream."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice

from dqmsquare.documents.common import OLD_SHAPE_FLAG, Reading, end_reading, read_run, read_tag
from dqmsquare.documents.fields import MAX_BIGINT, MAX_ENTRIES, MAX_LUMI, FieldReader, integer, number
from dqmsquare.documents.model import DeliveryDocument, StreamFiles
from dqmsquare.documents.names import stream_key

LUMI_SECONDS = 23.310893056  # of a lumisection at the LHC: 2^18 turns
MAX_STREAMS = 200
UNREADABLE = -1  # upstream's word for a file that could not be read
ESTIMATED = "first_lumi"
DEFAULT_TAG = "analyze_files"

_COLUMNS = ("lumis", "mtimes", "ctimes", "evt_processed", "evt_accepted", "fsize")
_OLD_KIND = "dqm-timestamps"

_Row = tuple[int, float, float, int, int, int]


@dataclass(slots=True)
class _Stream:
    rows: list[_Row] = field(default_factory=list)

    def files(self) -> StreamFiles:
        """The rows as columns, by lumisection; rows of one lumisection stay in the order they came in."""
        rows = sorted(self.rows, key=lambda row: row[0])[-MAX_ENTRIES:]
        lumis, mtimes, ctimes, processed, accepted, sizes = zip(*rows, strict=True) if rows else ((),) * 6
        return StreamFiles(lumis, mtimes, ctimes, processed, accepted, sizes)


def read_delivery(reading: Reading) -> DeliveryDocument:
    """Raises DocumentRefused where the run lacks, and ScrubError."""
    fields = reading.fields
    if fields.raw("type") == _OLD_KIND:
        fields.tally.flags.add(OLD_SHAPE_FLAG)
    extra = fields.inner("extra")
    run = read_run(reading)
    global_start = extra.instant("global_start")
    lumi_seconds = extra.number("lumi", 1, 1000)
    return DeliveryDocument(
        run=run,
        tag=read_tag(reading) or DEFAULT_TAG,
        global_start=None if global_start is None else number(extra.raw("global_start")),
        global_start_estimated=extra.raw("global_start_source") == ESTIMATED,
        lumi_seconds=LUMI_SECONDS if lumi_seconds is None else lumi_seconds,
        streams=_read_streams(extra if extra.has("streams") else fields),
        **end_reading(reading),
    )


def _read_streams(fields: FieldReader) -> dict[str, StreamFiles]:
    """By key without host; what several hosts wrote of one stream is one."""
    streams: dict[str, _Stream] = {}
    for raw_key, raw in islice(fields.mapping("streams").items(), MAX_STREAMS):
        key = stream_key(raw_key) if isinstance(raw_key, str) else None
        if key is None or not isinstance(raw, Mapping):
            fields.error()
        else:
            stream = FieldReader(raw, fields.received_at, fields.tally)
            streams.setdefault(key, _Stream()).rows += _read_rows(stream)
    return {key: streams[key].files() for key in sorted(streams)}


def _read_rows(stream: FieldReader) -> list[_Row]:
    """The rows as far as all columns go; a column that is not there is all -1."""
    columns = {name: stream.sequence(name) for name in _COLUMNS if name == "lumis" or stream.has(name)}
    n_rows = min(map(len, columns.values()))
    unread = [UNREADABLE] * n_rows
    rows = [_row(values) for values in zip(*(columns.get(name, unread)[:n_rows] for name in _COLUMNS), strict=True)]
    good = [row for row in rows if row is not None]
    if len(good) < max(map(len, columns.values())):
        stream.error()
    return good


def _row(values: tuple[object, ...]) -> _Row | None:
    """None where it is not known which lumisection it is."""
    lumi, mtime, ctime, processed, accepted, size = values
    n = integer(lumi)
    if n is None or not 0 <= n <= MAX_LUMI:
        return None
    return (n, _seconds(mtime), _seconds(ctime), _count(processed), _count(accepted), _count(size))


def _seconds(value: object) -> float:
    seconds = number(value)
    return seconds if seconds is not None and 0 <= seconds < 1e11 else float(UNREADABLE)


def _count(value: object) -> int:
    count = integer(value)
    return count if count is not None and 0 <= count <= MAX_BIGINT else UNREADABLE
