"""DQM²'s messages: reading what was asked, and the answer as a stream of bytes. Knows stores, not HTTP."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from dqmsquare.simulator.store import Document, HostStore, encode_inside

HEADERS_PER_MESSAGE = 1000
_MAX_VARIABLES = 32_766  # SQLite's limit on ids in one question
Tamper = Callable[[list[Document]], list[Document]]


class MalformedRequest(Exception):
    """What upstream's code trips over: it answers 500 and a page of HTML (U9)."""


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """Asks for the headers from `known_rev` on, this one included (U2); None: for all."""

    known_rev: int | None


@dataclass(frozen=True, slots=True)
class DocumentsRequest:
    """Asks for documents by their ids."""

    ids: tuple[str, ...]


Message = SyncRequest | DocumentsRequest


def read_messages(body: bytes) -> list[Message]:
    """The messages of a request; those of unknown events are passed over, as upstream does.

    Raises MalformedRequest where upstream's code would raise anything.
    """
    try:
        inner = [json.loads(text) for text in json.loads(body).get("messages", [])]
        return [message for message in map(_read_message, inner) if message is not None]
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
        raise MalformedRequest(repr(error)) from error


def _read_message(raw: Any) -> Message | None:
    if raw["event"] == "sync_request":
        known_rev = raw.get("known_rev")
        return SyncRequest(None if known_rev is None else _checked_rev(int(known_rev)))
    if raw["event"] == "request_documents":
        ids = set(raw["ids"])
        if len(ids) > _MAX_VARIABLES:
            raise ValueError("too many SQL variables")
        return DocumentsRequest(tuple(sorted(i for i in ids if isinstance(i, str))))
    return None


def _checked_rev(rev: int) -> int:
    if not -(2**63) < rev < 2**63:
        raise OverflowError("Python int too large to convert to SQLite INTEGER")
    return rev


def answer(store: HostStore, messages: Iterable[Message], tamper: Tamper | None = None) -> Iterator[bytes]:
    """The body of the answer, in pieces of one message at most. `tamper` is a fault on headers and documents."""
    yield b'{"messages": ['
    separator = b'"'
    for message in messages:
        if isinstance(message, SyncRequest):
            pieces = _header_messages(_headers(store, message.known_rev, tamper))
        else:
            pieces = iter([_documents_message(store, message.ids, tamper)])
        for piece in pieces:
            yield separator + piece + b'"'
            separator = b', "'
    yield b"]}"


def _headers(store: HostStore, rev: int | None, tamper: Tamper | None) -> list[tuple[int, bytes]]:
    if tamper is None:
        return store.encoded_headers_from(rev)
    headers = tamper(store.headers_from(rev))
    return [(header["_rev"], encode_inside(json.dumps(header))) for header in headers]


def _header_messages(headers: list[tuple[int, bytes]]) -> Iterator[bytes]:
    # All headers that are newer come in one answer (U1); no header, no message.
    for begin in range(0, len(headers), HEADERS_PER_MESSAGE):
        part = headers[begin : begin + HEADERS_PER_MESSAGE]
        first = {"event": "update_headers", "rev": [part[0][0], part[-1][0]], "sync_to_rev": headers[-1][0]}
        last = {"total_sent": begin + len(part), "total_avail": len(headers)}
        opening = encode_inside(json.dumps(first)[:-1] + ', "headers": [')
        closing = encode_inside("], " + json.dumps(last)[1:])
        yield opening + b", ".join(encoded for _, encoded in part) + closing


def _documents_message(store: HostStore, ids: Iterable[str], tamper: Tamper | None) -> bytes:
    if tamper is None:
        documents = ", ".join(store.documents_as_text(ids))
    else:
        documents = json.dumps(tamper(store.documents(ids)))[1:-1]
    return encode_inside('{"event": "update_documents", "documents": [' + documents + "]}")
