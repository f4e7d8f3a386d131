"""Rows of the first mirror as the documents they were made of, read and stripped by the same reader as DQM²'s own."""

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from dqmsquare.documents import AnyDocument, read_document
from dqmsquare.errors import DocumentRefused
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber
from dqmsquare.storage.first_mirror.clock import possible_instants, reported_instant
from dqmsquare.storage.first_mirror.literals import NotLiteral, read_lines, read_literal
from dqmsquare.storage.store import Refused

LUMI_SECONDS = 23.310893056
_ABSENT = -1
_NO_TIME_AT = datetime(2012, 3, 3, tzinfo=UTC)  # long ago: a job nobody knows the time of does not run
_JOB = "dqm-source-state"
_FILES = "dqm-files"
_ONLY_NAMED = ("dqm-stats-", "dqm-diskspace-", "dqm-playback-", "dqm-release-", "dqm-files-", "dqm-timestamps-")
_UNIQUE_KEY = re.compile(r"runUniqueKey=([\x21\x23-\x26\x28-\x7e]{1,200})")
_LIST = re.compile(r"\s*\[(?:\s*['\"\[\]]|.*\]\s*\Z)", re.DOTALL)
_KEY_WITHIN = 4_000  # characters: the command line is the log's first line
_EXIT_WITHIN = 200  # characters: how it ended is the last
_SAYS_ABSENT_CODE = f"\n-- process exit: {_ABSENT} --"


class RunsRow(NamedTuple):
    """A row of `runs`; `seconds` is its time as stored, since 1970."""

    id: str
    client: str | None
    run: int | None
    rev: int | None
    hostname: str | None
    exit_code: int | None
    events_total: int | None
    events_rate: float | None
    cmssw_run: int | None
    cmssw_lumi: int | None
    client_path: str | None
    runkey: str | None
    fi_state: str | None
    seconds: float | None
    vmrss: str | None
    stdlog_start: str | None
    stdlog_end: str | None


class GraphsRow(NamedTuple):
    """A row of `graphs`; its own time is a constant and not asked for."""

    run: int | None
    rev: int | None
    id: str
    start_seconds: float | None
    stream_data: str | None
    hostname: str | None


class LeftOut(NamedTuple):
    """A row that says nothing but that there was a document: it has no columns for what is in one of its kind."""

    document_id: str


class RefusedRow(NamedTuple):
    """A row that cannot be read, for the quarantine."""

    host_id: str
    refused: Refused


Outcome = AnyDocument | RefusedRow | LeftOut


@dataclass(frozen=True, slots=True)
class RowReader:
    """Reads rows of one cluster. `is_labelled`: the tables' times have a time zone."""

    ids: PublicIds
    scrubber: Scrubber
    clock: ZoneInfo
    is_labelled: bool = True

    def job(self, row: RunsRow) -> Outcome:
        """A row of `runs`; never raises."""
        is_nameless = not row.client and row.run in {None, _ABSENT} and not row.id.startswith(_JOB)
        if is_nameless or row.id.startswith(_ONLY_NAMED):
            return LeftOut(self.ids.document(row.id))
        return self._guarded(row, self._job)

    def delivery(self, row: GraphsRow) -> Outcome:
        """A row of `graphs`; never raises."""
        return self._guarded(row, self._delivery)

    def _guarded(self, row: Any, read: Any) -> Outcome:
        try:
            document: AnyDocument = read(row)
        except NotLiteral as error:
            return self._refused(row, "literal", str(error))
        except DocumentRefused as error:
            return self._refused(row, error.reason, error.detail)
        except Exception as error:  # noqa: BLE001  (one poisonous row must not stop the others)
            return self._refused(row, "unreadable", type(error).__name__)
        return document

    def _refused(self, row: RunsRow | GraphsRow, reason: str, detail: str) -> RefusedRow:
        try:
            detail = self.scrubber.scrub(detail[:1000]).text
        except DocumentRefused:
            detail = ""
        refused = Refused(reason, detail, self.ids.document(row.id), revision(row.rev))
        return RefusedRow(self.ids.host(row.hostname or ""), refused)

    def _job(self, row: RunsRow) -> AnyDocument:
        start, end = _log_text(row.stdlog_start), _log_text(row.stdlog_end)
        instants = possible_instants(row.seconds, self.clock, is_labelled=self.is_labelled)
        reported_at, is_doubtful = reported_instant(instants, end or start)
        says_absent_code = _SAYS_ABSENT_CODE in (end or start)[-_EXIT_WITHIN:]
        key = _UNIQUE_KEY.search(start, 0, _KEY_WITHIN)
        document = self._read(
            {
                "_id": row.id,
                "_rev": revision(row.rev),
                "type": _JOB,
                "hostname": row.hostname,
                "tag": row.client or None,
                "run": row.run,
                "exit_code": row.exit_code if says_absent_code else _present(row.exit_code),
                "events_total": _present(row.events_total),
                "events_rate": _present(row.events_rate),
                "cmssw_run": _present(row.cmssw_run),
                "cmssw_lumi": _present(row.cmssw_lumi),
                "fi_state": row.fi_state or None,
                "cmdline": ["cmsRun", row.client_path or "", row.runkey or ""],
                "runUniqueKey": key[1] if key else None,
                "extra": {"ps_info": {"VmRSS": row.vmrss or None}, "stdlog_start": [start], "stdlog_end": [end]},
            },
            reported_at,
        )
        return dataclasses.replace(document, flags=(*document.flags, "clock")) if is_doubtful else document

    def _delivery(self, row: GraphsRow) -> AnyDocument:
        streams = read_literal(row.stream_data) if row.stream_data else {}
        if not isinstance(streams, Mapping):
            raise NotLiteral("no dict")
        first_file, last_file = file_times(streams)
        starts = possible_instants(row.start_seconds, self.clock, is_labelled=self.is_labelled)
        start = min(starts, key=lambda at: abs(at - (first_file or at)), default=None)
        return self._read(
            {
                "_id": row.id,
                "_rev": revision(row.rev),
                "type": _FILES,
                "hostname": row.hostname,
                "tag": _tag_in(row),
                "run": row.run,
                "extra": {"global_start": start, "streams": streams},
            },
            last_file,  # it was told after the last file that it tells of
        )

    def _read(self, raw: dict[str, Any], at: float | None) -> AnyDocument:
        # The first mirror got it when it was told; taken for now, a job of years ago would be one that runs.
        received_at = _NO_TIME_AT if at is None else min(datetime.fromtimestamp(at, UTC), datetime.now(UTC))
        raw = {**raw, "timestamp": at}
        return read_document(raw, received_at=received_at, ids=self.ids, scrubber=self.scrubber)


def revision(rev: int | None) -> int:
    """The document's; 0 where the first mirror did not know it."""
    return max(rev or 0, 0)


def file_times(streams: Mapping[Any, Any]) -> tuple[float | None, float | None]:
    """When the run began by the first file of it, and when the last file came (s since 1970)."""
    starts, ends = [], []
    for files in streams.values():
        if not isinstance(files, Mapping):
            continue
        for lumi, mtime in zip(files.get("lumis") or (), files.get("mtimes") or (), strict=False):
            if isinstance(lumi, int) and isinstance(mtime, int | float) and mtime > 0:
                starts.append(mtime - lumi * LUMI_SECONDS)
                ends.append(mtime)
    return min(starts, default=None), max(ends, default=None)


def _log_text(text: str | None) -> str:
    """A log's column: the text of a list of lines, or an old document's plain text. Raises NotLiteral."""
    return read_lines(text) if text and _LIST.match(text) else text or ""


def _present(value: Any) -> Any:
    return None if value == _ABSENT else value


def _tag_in(row: GraphsRow) -> str | None:
    """An id is dqm-files-<host>-<tag>-run<run>."""
    return row.id.removeprefix(f"{_FILES}-{row.hostname}-").rpartition("-run")[0] or None
