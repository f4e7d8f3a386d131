"""DQM²'s documents: raw spellings stay in here, and only what may leave P5 comes out, by an allow-list."""

from collections.abc import Callable, Mapping
from datetime import datetime

from dqmsquare.documents.common import Reading, begin_reading
from dqmsquare.documents.delivery import read_delivery
from dqmsquare.documents.header import read_header, read_kind
from dqmsquare.documents.host import read_host_disk, read_host_memory
from dqmsquare.documents.job import read_job
from dqmsquare.documents.known_keys import n_unknown_keys
from dqmsquare.documents.log import LogText, read_log
from dqmsquare.documents.model import (
    AnyDocument,
    DeliveryDocument,
    Document,
    Header,
    HostDiskDocument,
    HostMemoryDocument,
    JobDocument,
    LumiRange,
    PlaybackDocument,
    ReleaseDocument,
    StreamFiles,
)
from dqmsquare.documents.names import (
    Release,
    client_name,
    release_in,
    split_release,
    stream_key,
    stream_label,
)
from dqmsquare.documents.playback import read_playback, read_release
from dqmsquare.errors import DocumentRefused
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber

_READERS: dict[str, Callable[[Reading], AnyDocument]] = {
    "dqm-source-state": read_job,
    "dqm-files": read_delivery,
    "dqm-timestamps": read_delivery,
    "dqm-stats": read_host_memory,
    "dqm-diskspace": read_host_disk,
    "dqm-playback": read_playback,
    "dqm-release": read_release,
}
KEPT_KINDS = frozenset(_READERS)


def read_document(
    raw: Mapping[str, object], *, received_at: datetime, ids: PublicIds, scrubber: Scrubber
) -> AnyDocument:
    """A document stripped to what may leave, whatever the rest looks like.

    Raises DocumentRefused where it cannot be stored (no shape, id, rev, type, hostname or run) and ScrubError.
    """
    if not isinstance(raw, Mapping):
        raise DocumentRefused("shape")
    reader = _READERS.get(read_kind(raw))
    if reader is None:
        raise DocumentRefused("type")
    return reader(begin_reading(raw, received_at, ids, scrubber))


__all__ = [
    "KEPT_KINDS",
    "AnyDocument",
    "DeliveryDocument",
    "Document",
    "Header",
    "HostDiskDocument",
    "HostMemoryDocument",
    "JobDocument",
    "LogText",
    "LumiRange",
    "PlaybackDocument",
    "Release",
    "ReleaseDocument",
    "StreamFiles",
    "client_name",
    "n_unknown_keys",
    "read_document",
    "read_header",
    "read_log",
    "release_in",
    "split_release",
    "stream_key",
    "stream_label",
]
