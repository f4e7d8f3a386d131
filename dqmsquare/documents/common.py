"""What is read of every document: identity, host, revision, times."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from dqmsquare.documents.fields import FieldReader, integer, number
from dqmsquare.documents.header import read_id, read_rev
from dqmsquare.documents.names import HOST_NAME, TAG, public_tag
from dqmsquare.errors import DocumentRefused
from dqmsquare.identity import PublicIds, host_label
from dqmsquare.scrub import Scrubber

OLD_SHAPE_FLAG = "old-shape"

_HOST_IN_ID = re.compile(r"-host([A-Za-z][A-Za-z0-9.-]{0,80})-pid[0-9]+\Z|\Adqm-stats-([A-Za-z][A-Za-z0-9.-]{0,80})\Z")
_RUN_IN_ID = re.compile(r"-run([0-9]{1,9})(?:-|\Z)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reading:
    """A document that is being read, and what it is read with. `raw_id` and `hostname` do not leave."""

    raw_id: str
    rev: int
    hostname: str
    fields: FieldReader
    received_at: datetime
    ids: PublicIds
    scrubber: Scrubber


class CommonFields(TypedDict):
    """The keyword arguments that every document has."""

    document_id: str
    host_id: str
    host_label: str
    rev: int
    stamp: float | None
    reported_at: datetime | None
    received_at: datetime
    n_field_errors: int
    flags: tuple[str, ...]


def begin_reading(raw: Mapping[str, object], received_at: datetime, ids: PublicIds, scrubber: Scrubber) -> Reading:
    """Raises DocumentRefused where id, revision or host lack."""
    fields = FieldReader(raw, received_at)
    raw_id, rev = read_id(raw), read_rev(raw)
    return Reading(raw_id, rev, _hostname(fields, raw_id), fields, received_at, ids, scrubber)


def end_reading(reading: Reading, *, time_field: str = "timestamp") -> CommonFields:
    """To be called last, since it takes the counts; `time_field` is preferred for when the report was made."""
    fields = reading.fields
    stamp_field = "timestamp" if fields.has("timestamp") else "report_timestamp"  # as upstream makes its headers
    reported_at = fields.instant(time_field if fields.has(time_field) else stamp_field)
    return CommonFields(
        document_id=reading.ids.document(reading.raw_id),
        host_id=reading.ids.host(reading.hostname),
        host_label=host_label(reading.hostname),
        rev=reading.rev,
        stamp=number(fields.raw(stamp_field)),
        reported_at=reported_at,
        received_at=reading.received_at,
        n_field_errors=fields.tally.n_errors,
        flags=tuple(sorted(fields.tally.flags)),
    )


def _hostname(fields: FieldReader, raw_id: str) -> str:
    """The raw name; where the field is bad, the one in the id."""
    hostname = fields.text("hostname", HOST_NAME)
    if hostname is not None:
        return hostname
    match = _HOST_IN_ID.search(raw_id)
    if match is None:
        raise DocumentRefused("hostname")
    return str(match[1] or match[2])


def read_run(reading: Reading) -> int:
    """The run; where the field is bad, the one in the id. Raises DocumentRefused."""
    run = reading.fields.run()
    if run is None and (match := _RUN_IN_ID.search(reading.raw_id)):
        run = FieldReader({"run": integer(match[1])}, reading.received_at).run()
    if run is None:
        raise DocumentRefused("run")
    return run


def read_tag(reading: Reading) -> str | None:
    """The tag, scrubbed, with the label for a host in it. Raises ScrubError."""
    tag = reading.fields.text("tag", TAG)
    return None if tag is None else public_tag(tag, reading.hostname, reading.scrubber)
