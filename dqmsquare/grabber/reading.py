"""Fetches the documents of headers and reads them: each becomes a typed document or a line of the quarantine."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dqmsquare.documents import AnyDocument, n_unknown_keys, read_document
from dqmsquare.errors import DocumentRefused
from dqmsquare.grabber.listing import ListedHeader
from dqmsquare.grabber.upstream import IDS_MAX, HostFeed
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber
from dqmsquare.storage.store import Refused

_logger = logging.getLogger(__name__)

FIRST_GROUP = 50  # documents; a job's is 60 to 80 KB, and several copies of an answer are in memory at once
_GROUP_BYTES = 5 * 2**18
_GROUP_MIN = 10
# Python lets one thread compute at a time; without this one they would take turns at each of RE2's hundred searches.
_READING = threading.Lock()


@dataclass(frozen=True, slots=True)
class Fetched:
    """The documents of a group of headers; `n_missing` were not in the answer, nor in that to a second question."""

    documents: list[AnyDocument]
    refused: list[Refused]
    n_missing: int

    def __add__(self, other: "Fetched") -> "Fetched":
        return Fetched(self.documents + other.documents, self.refused + other.refused, self.n_missing + other.n_missing)


class DocumentReader:
    """Gets documents of one host. `clock` gives the instant of reception, aware and in UTC.

    `on_odd` is told how many bad fields ("field") and keys that are not known ("unknown-key") documents had.
    """

    def __init__(
        self,
        feed: HostFeed,
        ids: PublicIds,
        scrubber: Scrubber,
        clock: Callable[[], datetime],
        on_odd: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        self._feed = feed
        self._ids = ids
        self._scrubber = scrubber
        self._clock = clock
        self._on_odd = on_odd
        self._one_group = threading.Lock()  # two that were read by turns would both be there only at the end
        self.group_size = FIRST_GROUP  # how many documents are some MB, by the answers so far

    def fetch(self, headers: Sequence[ListedHeader]) -> Fetched:
        """Asks for all of them at once and matches by id; a document may be newer than its header."""
        wanted = {header.document_id: header.rev for header in headers}
        if not wanted:
            return Fetched([], [], 0)
        answer = self._feed.documents(list(wanted))
        found, unreadable = answer.documents, answer.unreadable
        if found and answer.n_bytes:
            n_in_group = _GROUP_BYTES * len(found) // answer.n_bytes
            self.group_size = min(max(n_in_group, _GROUP_MIN), IDS_MAX)
        missing = [key for key in wanted if key not in found and key not in unreadable]
        if missing:
            again = self._feed.documents(missing)
            found, unreadable = found | again.documents, unreadable | again.unreadable
        fetched = Fetched([], [], sum(key not in found and key not in unreadable for key in missing))
        with self._one_group:
            for document_id, rev in wanted.items():
                with _READING:
                    outcome = self._read(document_id, rev, found.pop(document_id, None), unreadable.get(document_id))
                fetched.refused.append(outcome) if isinstance(outcome, Refused) else fetched.documents.append(outcome)
        return fetched

    def _read(
        self, document_id: str, rev: int, raw: Mapping[str, Any] | None, fault: str | None
    ) -> AnyDocument | Refused:
        public_id = self._ids.document(document_id)
        if fault is not None:
            return Refused(fault, "it spoils every answer it is in", public_id, rev)
        if raw is None:
            return Refused("missing", "listed, but not given when asked for", public_id, rev)
        try:
            document = read_document(raw, received_at=self._clock(), ids=self._ids, scrubber=self._scrubber)
        except DocumentRefused as refused:
            return Refused(refused.reason, self._scrubbed(refused.detail), public_id, rev)
        except Exception as error:  # one poisonous document must not stop its host
            _logger.exception("document %s at revision %d cannot be read", public_id, rev)
            return Refused("unreadable", type(error).__name__, public_id, rev)
        self._on_odd("field", document.n_field_errors)
        self._on_odd("unknown-key", n_unknown_keys(raw))
        return document

    def _scrubbed(self, detail: str) -> str:
        try:
            return self._scrubber.scrub(detail[:1000]).text
        except DocumentRefused:
            return ""
