"""One DQM² host as the grabber sees it, and a cluster's status. What answers mean for the cursor is replication's."""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from dqmsquare.config import Config
from dqmsquare.dqm2_http import Body, Dqm2Session
from dqmsquare.errors import UpstreamError, UpstreamMalformed, UpstreamTimeout
from dqmsquare.grabber.messages import (
    HeaderMessage,
    Utf8Repair,
    document_question,
    header_question,
    read_document_message,
    read_header_message,
    split_messages,
    whole_messages,
)
from dqmsquare.grabber.status_answer import HostStatus, read_status_answer
from dqmsquare.identity import short_host_name

DQM2_PORT = 9215
MESSAGE_MAX_BYTES = 2 * 1024 * 1024  # of headers; 1000 of them are a quarter of that
DOCUMENTS_MAX_BYTES = 64 * 1024 * 1024
STATUS_MAX_BYTES = 2 * 1024 * 1024
IDS_MAX = 200  # in one request
POISON_KINDS = frozenset({"nesting", "number", "too-large"})  # what one document does to the answer it is in


@dataclass(frozen=True, slots=True)
class Newest:
    """What the first message of an answer says already: the newest revision and the number of headers."""

    rev: int
    n_available: int


@dataclass(slots=True)
class DocumentAnswer:
    """Documents by `_id`. One that was asked for and is not there was deleted meanwhile, which is no error."""

    documents: dict[str, dict[str, Any]] = field(default_factory=dict)
    n_extra: int = 0  # not asked for, or not a document
    n_duplicate: int = 0  # of these the newest revision is kept
    n_replaced: int = 0  # faults of UTF-8
    n_bytes: int = field(default=0, compare=False)  # of the answers, decompressed
    unreadable: dict[str, str] = field(default_factory=dict)  # the kind of fault by `_id`: belongs into quarantine


class HeaderAnswer:
    """The messages of one answer, off the socket: iterate once. `complete` is known after the last."""

    def __init__(self, body: Body, pause_seconds: float | None) -> None:
        self._body = body
        self._pause_seconds = pause_seconds
        self._waiting_since = time.monotonic()
        self._complete = False
        self.repair = Utf8Repair()

    @property
    def complete(self) -> bool:
        """Whether the answer ended well and had as many headers as it said; True for one without messages."""
        return self._complete

    def __iter__(self) -> Iterator[HeaderMessage]:
        n_headers = 0
        last: HeaderMessage | None = None
        for text in split_messages(self._chunks(), cap_bytes=MESSAGE_MAX_BYTES, repair=self.repair):
            last = read_header_message(text)
            n_headers += len(last.headers) + len(last.refused)
            yield last
            self._waiting_since = time.monotonic()
        self._complete = last is None or n_headers == last.total_sent == last.total_available

    def _chunks(self) -> Iterator[bytes]:
        for chunk in self._body:
            if self._pause_seconds is not None and time.monotonic() - self._waiting_since > self._pause_seconds:
                raise UpstreamTimeout(f"no message for {self._pause_seconds:g} s")
            yield chunk


class HostFeed:
    """Asks one host, through the proxy, or directly if it is the one that the proxy stands on.

    Every UpstreamError from here has `host_id`, the public id, as its `host`. `on_odd` is told what was put up with in
    answers: "extra" and "duplicate" documents, "utf8" for bytes that are none, and how many.
    """

    def __init__(
        self,
        session: Dqm2Session,
        config: Config,
        host_name: str,
        host_id: str,
        on_odd: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        self._session = session
        self._on_odd = on_odd
        self.host_id = host_id
        self._deadline_seconds = config.upstream_deadline_seconds
        is_proxy = short_host_name(host_name) == short_host_name(config.server_fff_machine)
        self._path = "/sync_proxy" if is_proxy else "/redirect"
        self._params = {} if is_proxy else {"path": host_name, "port": str(DQM2_PORT)}

    @contextlib.contextmanager
    def headers(
        self, known_rev: int | None, *, deadline_seconds: float | None = None, pause_seconds: float | None = None
    ) -> Iterator[HeaderAnswer]:
        """All headers from `known_rev` on (None: all), message by message.

        Leaving the block early drops the connection; DQM² has no other way to be asked for less. The deadline
        (default: the setting's) counts from the question to the last message, with what the caller does between.
        Iterating raises UpstreamMalformed, UpstreamTimeout or UpstreamUnreachable after the last good message.
        """
        with (
            self._naming_host(),
            self._session.stream(
                "POST",
                self._path,
                params=self._params,
                json=header_question(known_rev),
                deadline_seconds=deadline_seconds or self._deadline_seconds,
                pause_seconds=pause_seconds,
                repeatable=True,
            ) as body,
        ):
            answer = HeaderAnswer(body, pause_seconds)
            try:
                yield answer
            finally:
                self._on_odd("utf8", answer.repair.n_replaced)

    def newest(self, known_rev: int | None = None) -> Newest | None:
        """Revision and count by the first message alone; None if there is no header from `known_rev` on."""
        with self.headers(known_rev) as answer:
            for message in answer:
                return Newest(message.sync_to_rev, message.total_available)
        return None

    def documents(self, ids: Sequence[str]) -> DocumentAnswer:
        """The documents with these `_id`s, as many as there are; one request for each 200.

        A document may be newer than the header that named it. One that spoils the answer for all the others is found
        by asking for ever fewer. Raises UpstreamError's kinds.
        """
        answer = DocumentAnswer()
        with self._naming_host():
            for start in range(0, len(ids), IDS_MAX):
                self._collect(answer, ids[start : start + IDS_MAX])
        for kind, n in (("extra", answer.n_extra), ("duplicate", answer.n_duplicate), ("utf8", answer.n_replaced)):
            self._on_odd(kind, n)
        return answer

    def _collect(self, answer: DocumentAnswer, ids: Sequence[str]) -> None:
        try:
            documents = self._ask_for_documents(answer, ids)
        except UpstreamMalformed as error:
            if error.kind not in POISON_KINDS:
                raise
            if len(ids) == 1:
                answer.unreadable[ids[0]] = error.kind
                return
            middle = len(ids) // 2
            self._collect(answer, ids[:middle])
            self._collect(answer, ids[middle:])
            return
        wanted = set(ids)
        for document in documents:
            _add_document(answer, document, wanted)

    def _ask_for_documents(self, answer: DocumentAnswer, ids: Sequence[str]) -> list[Any]:
        repair = Utf8Repair()
        documents: list[Any] = []
        with self._session.stream(
            "POST",
            self._path,
            params=self._params,
            json=document_question(ids),
            deadline_seconds=self._deadline_seconds,
            cap_bytes=DOCUMENTS_MAX_BYTES,
            repeatable=True,
        ) as body:
            whole = b"".join(body)
        answer.n_bytes += len(whole)
        messages = whole_messages(whole, cap_bytes=DOCUMENTS_MAX_BYTES, repair=repair)
        del whole  # one copy less of some MB
        for text in messages:
            documents += read_document_message(text)
        answer.n_replaced += repair.n_replaced
        return documents

    @contextlib.contextmanager
    def _naming_host(self) -> Iterator[None]:
        try:
            yield
        except UpstreamError as error:
            error.host = self.host_id
            raise


def cluster_status(session: Dqm2Session, config: Config, cluster: str) -> dict[str, HostStatus]:
    """Status by short host name; the messages are as DQM² wrote them, not scrubbed. Raises UpstreamError's kinds."""
    body = session.fetch(
        "GET",
        "/cr/exe",
        params={"what": "get_cluster_status", "cluster": cluster},
        deadline_seconds=config.upstream_deadline_seconds,
        cap_bytes=STATUS_MAX_BYTES,
        repeatable=True,
    )
    return read_status_answer(body)


def _add_document(answer: DocumentAnswer, document: Any, wanted: set[str]) -> None:
    document_id = document.get("_id") if isinstance(document, dict) else None
    if not isinstance(document_id, str) or document_id not in wanted:
        answer.n_extra += 1
        return
    known = answer.documents.get(document_id)
    answer.n_duplicate += known is not None
    if known is None or _revision(document) > _revision(known):
        answer.documents[document_id] = document


def _revision(document: dict[str, Any]) -> int:
    rev = document.get("_rev")
    return rev if isinstance(rev, int) and not isinstance(rev, bool) else -1
