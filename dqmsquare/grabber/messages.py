"""DQM²'s protocol without the network: what is asked, and an answer's messages, cut out while it arrives and typed.

An answer is `{"messages": ["…", …]}`: each message is JSON once more, inside a string.
"""

import codecs
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import ijson
import orjson

from dqmsquare.documents import Header, read_header
from dqmsquare.errors import DocumentRefused, UpstreamMalformed

ENVELOPE_DEPTH_MAX = 64  # of what stands beside `messages`; DQM² itself sends nothing there
REVISION_MAX = 2**63 - 1  # DQM² masks its revisions so

_REPLACEMENT = "\ufffd".encode()


@dataclass(frozen=True, slots=True)
class RefusedHeader:
    """A line of a listing that cannot be used; `rev` and `document_id` are None unless they themselves are sound."""

    rev: int | None
    reason: str
    document_id: str | None = None


@dataclass(frozen=True, slots=True)
class HeaderMessage:
    """A message of up to 1000 headers. Revision and count are of the whole answer, not of this message."""

    headers: list[Header]
    refused: list[RefusedHeader]
    sync_to_rev: int  # newest revision of the answer
    total_sent: int  # headers up to and with this message
    total_available: int  # headers in the whole answer


def header_question(known_rev: int | None) -> dict[str, list[str]]:
    """Asks for all headers from `known_rev` on, the one at it included (DQM² subtracts 1); None asks for all."""
    rev = None if known_rev is None else str(known_rev)
    return {"messages": [json.dumps({"event": "sync_request", "known_rev": rev})]}


def document_question(ids: Sequence[str]) -> dict[str, list[str]]:
    """Asks for documents by their `_id`; DQM² puts all of them into one SQL list, so at most some hundred."""
    return {"messages": [json.dumps({"event": "request_documents", "ids": list(ids)})]}


def read_header_message(text: str) -> HeaderMessage:
    """A message of headers; those that cannot be used are listed beside. Raises UpstreamMalformed."""
    message = _event(text, "update_headers")
    lines = _field(message, "headers", list)
    headers: list[Header] = []
    refused: list[RefusedHeader] = []
    for line in lines:
        try:
            headers.append(read_header(line))
        except DocumentRefused as refusal:
            refused.append(_refused(line, refusal.reason))
    return HeaderMessage(
        headers,
        refused,
        sync_to_rev=_field(message, "sync_to_rev", int),
        total_sent=_field(message, "total_sent", int),
        total_available=_field(message, "total_avail", int),
    )


def read_document_message(text: str) -> list[Any]:
    """A message's documents, of whatever type they are. Raises UpstreamMalformed."""
    documents: list[Any] = _field(_event(text, "update_documents"), "documents", list)
    return documents


def parse_json(text: str | bytes, *, kind: str) -> Any:
    """JSON as DQM² writes it: with NaN and Infinity, which no field takes, and lone surrogates; of equal keys the last.

    Raises UpstreamMalformed: "nesting", "number" (an integer that Python refuses to read), else `kind`.
    """
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return _parse_leniently(text, kind)


def split_messages(chunks: Iterable[bytes], *, cap_bytes: int, repair: "Utf8Repair") -> Iterator[str]:
    """The texts in `messages`, each as soon as it is complete, so that memory holds one of them.

    Raises UpstreamMalformed after the last good one: "cut" if the answer ends early, "too-large" if more than
    `cap_bytes` come without a message among them, and the words for what is no such answer.
    """
    events = ijson.sendable_list()
    # Without use_float an integer of 5000 digits leaves a null pointer in `events`: Python crashes (ijson 3.6).
    parser = ijson.basic_parse_coro(events, use_float=True)
    envelope = _Envelope()
    n_waiting_bytes = 0
    for chunk in chunks:
        failure = _fed(parser, repair.repaired(chunk))
        n_waiting_bytes += len(chunk)
        for text in envelope.texts(events):
            n_waiting_bytes = 0
            yield text
        if failure is not None:
            raise failure
        if n_waiting_bytes > cap_bytes:
            raise UpstreamMalformed(f"a message is longer than {cap_bytes} bytes", kind="too-large")
    _ended(parser)
    yield from envelope.texts(events)  # a number that is the whole answer ends only with it
    envelope.check_end()


def whole_messages(body: bytes, *, cap_bytes: int, repair: "Utf8Repair") -> list[str]:
    """The same of an answer that is in memory already, ten times faster; what is odd goes the slow and exact way."""
    try:
        messages = orjson.loads(body)["messages"]
    except (orjson.JSONDecodeError, TypeError, KeyError):
        messages = None
    if isinstance(messages, list) and all(isinstance(text, str) for text in messages):
        return messages
    return list(split_messages([body], cap_bytes=cap_bytes, repair=repair))


class Utf8Repair:
    """Replaces what is not UTF-8 by U+FFFD, across chunks, and counts how often: `n_replaced`."""

    def __init__(self) -> None:
        self.n_replaced = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._tail = b""

    def repaired(self, chunk: bytes) -> bytes:
        fixed = self._decoder.decode(chunk).encode()
        # A U+FFFD that was sent as such may lie across two chunks; it is no fault.
        window = self._tail + chunk
        self.n_replaced += fixed.count(_REPLACEMENT) - window.count(_REPLACEMENT)
        self._tail = window[-2:]
        return fixed


class _Envelope:
    """Follows the parser through `{"messages": [...]}` by depth alone: paths would grow with the nesting."""

    def __init__(self) -> None:
        self._depth = 0
        self._key = ""
        self._is_inside = False  # the list of messages
        self._was_there = False

    def texts(self, events: list[tuple[str, Any]]) -> Iterator[str]:
        """The texts that these events complete; takes the events out of the list."""
        for event, value in events:
            text = self._take(event, value)
            if text is not None:
                yield text
        events.clear()

    def check_end(self) -> None:
        if not self._was_there:
            raise UpstreamMalformed("the answer has no messages", kind="no-messages")

    def _take(self, event: str, value: Any) -> str | None:
        if self._is_inside:
            return self._message(event, value)
        if event == "map_key":
            self._key = value if self._depth == 1 else self._key
        elif event in {"start_map", "start_array"}:
            self._enter(event)
        elif event in {"end_map", "end_array"}:
            self._depth -= 1
        else:
            self._check_place("value")
        return None

    def _message(self, event: str, value: Any) -> str | None:
        if event == "string":
            return str(value)
        if event != "end_array":
            raise UpstreamMalformed("a message is not text", kind="message-not-text")
        self._is_inside = False
        self._depth -= 1
        return None

    def _enter(self, event: str) -> None:
        self._check_place(event)
        if self._depth == 1 and self._key == "messages":
            self._is_inside = self._was_there = True
        self._depth += 1
        if self._depth > ENVELOPE_DEPTH_MAX:
            raise UpstreamMalformed("the answer is nested too deeply", kind="nesting")

    def _check_place(self, event: str) -> None:
        if self._depth == 0 and event != "start_map":
            raise UpstreamMalformed("the answer is not an object", kind="not-object")
        if self._depth == 1 and self._key == "messages" and event != "start_array":
            raise UpstreamMalformed("the messages are not a list", kind="messages")


def _fed(parser: Any, chunk: bytes) -> UpstreamMalformed | None:
    """Gives the parser a chunk; a failure is returned, for what came complete before it is still good."""
    if not chunk:  # half a character, kept back by the repair; the parser would take it for the end
        return None
    try:
        parser.send(chunk)
    except ijson.JSONError as error:
        if "overflow" in str(error):
            return UpstreamMalformed("the answer contains a number that is too long", kind="number")
        return UpstreamMalformed("the answer is not JSON", kind="not-json")
    except UnicodeDecodeError:  # a lone surrogate in the envelope
        return UpstreamMalformed("the answer is not JSON", kind="not-json")
    return None


def _ended(parser: Any) -> None:
    try:
        parser.close()
    except ijson.JSONError as error:
        raise UpstreamMalformed("the answer ended early", kind="cut") from error


def _parse_leniently(text: str | bytes, kind: str) -> Any:
    try:
        return json.loads(text, parse_constant=float)
    except RecursionError as error:
        raise UpstreamMalformed("JSON is nested too deeply", kind="nesting") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UpstreamMalformed("a text that should be JSON is not", kind=kind) from error
    except ValueError as error:
        raise UpstreamMalformed("JSON contains a number that is too long", kind="number") from error


def _event(text: str, event: str) -> dict[str, Any]:
    message = parse_json(text, kind="message-not-json")
    if not isinstance(message, dict):
        raise UpstreamMalformed("a message is not an object", kind="message-not-object")
    if message.get("event") != event:
        raise UpstreamMalformed(f"a message is not of the kind {event}", kind="event")
    return message


def _field(message: dict[str, Any], name: str, wanted: type) -> Any:
    value = message.get(name)
    if not isinstance(value, wanted) or isinstance(value, bool):
        raise UpstreamMalformed(f"a message has no usable {name}", kind=name)
    return value


def _refused(line: object, reason: str) -> RefusedHeader:
    fields = line if isinstance(line, dict) else {}
    rev, document_id = fields.get("_rev"), fields.get("_id")
    is_sound = isinstance(rev, int) and not isinstance(rev, bool) and 0 <= rev <= REVISION_MAX
    return RefusedHeader(rev if is_sound else None, reason, document_id if isinstance(document_id, str) else None)
