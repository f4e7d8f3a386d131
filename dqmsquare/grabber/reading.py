"""Fetches the documents of headers and reads them: each becomes a typed document or a line of the quarantine."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from dqmsquare.documents import AnyDocument, read_document
from dqmsquare.errors import DocumentRefused
from dqmsquare.grabber.listing import ListedHeader
from dqmsquare.grabber.upstream import HostFeed
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber
from dqmsquare.storage.store import Refused

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fetched:
    """The documents of a group of headers; `n_missing` were not in the answer, nor in that to a second question."""

    documents: list[AnyDocument]
    refused: list[Refused]
    n_missing: int


class DocumentReader:
    """Gets documents of one host. `clock` gives the instant of reception, aware and in UTC."""

    def __init__(self, feed: HostFeed, ids: PublicIds, scrubber: Scrubber, clock: Callable[[], datetime]) -> None:
        self._feed = feed
        self._ids = ids
        self._scrubber = scrubber
        self._clock = clock

    def fetch(self, headers: Sequence[ListedHeader]) -> Fetched:
        """Asks for all of them at once and matches by id; a document may be newer than its header."""
        wanted = {header.document_id: header.rev for header in headers}
        if not wanted:
            return Fetched([], [], 0)
        answer = self._feed.documents(list(wanted))
        found, unreadable = answer.documents, answer.unreadable
        missing = [key for key in wanted if key not in found and key not in unreadable]
        if missing:
            again = self._feed.documents(missing)
            found, unreadable = found | again.documents, unreadable | again.unreadable
        fetched = Fetched([], [], sum(key not in found and key not in unreadable for key in missing))
        for document_id, rev in wanted.items():
            outcome = self._read(document_id, rev, found.get(document_id), unreadable.get(document_id))
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
            return read_document(raw, received_at=self._clock(), ids=self._ids, scrubber=self._scrubber)
        except DocumentRefused as refused:
            return Refused(refused.reason, self._scrubbed(refused.detail), public_id, rev)
        except Exception as error:  # one poisonous document must not stop its host
            _logger.exception("document %s at revision %d cannot be read", public_id, rev)
            return Refused("unreadable", type(error).__name__, public_id, rev)

    def _scrubbed(self, detail: str) -> str:
        try:
            return self._scrubber.scrub(detail[:1000]).text
        except DocumentRefused:
            return ""
