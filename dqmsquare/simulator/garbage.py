"""Answers that are not of the protocol's shape, by name: what a reader must survive."""

import json
from typing import Any

_HEADER = {
    "_id": "dqm-source-state-run000001-hosttest-pid000001", "_rev": 9, "timestamp": 1663242347.1, "hostname": "test",
    "type": "dqm-source-state", "tag": "beam_dqm_sourceclient-live", "run": 1,
}  # fmt: skip


def _messages(*inner: Any) -> bytes:
    return json.dumps({"messages": [json.dumps(message) for message in inner]}).encode()


def _update(**changes: Any) -> bytes:
    message = {
        "event": "update_headers", "rev": [9, 9], "sync_to_rev": 9, "headers": [_HEADER], "total_sent": 1,
        "total_avail": 1,
    } | changes  # fmt: skip
    return _messages({key: value for key, value in message.items() if value is not ...})


def _header(**changes: Any) -> bytes:
    return _update(headers=[{key: value for key, value in (_HEADER | changes).items() if value is not ...}])


SHAPES: dict[str, bytes] = {
    "empty": b"",
    "spaces": b"   \n",
    "null": b"null",
    "true": b"true",
    "number": b"17",
    "string": b'"messages"',
    "list": b"[]",
    "object": b"{}",
    "text": b"Internal problem, please come back",
    "truncated": b'{"messages": ["{\\"event\\": \\"update_head',
    "trailing": b'{"messages": []} and more',
    "bom": b'\xef\xbb\xbf{"messages": []}',
    "bad-utf8": b'{"messages": ["\xff\xfe\xfa"]}',
    "messages-null": b'{"messages": null}',
    "messages-object": b'{"messages": {}}',
    "messages-string": b'{"messages": "none"}',
    "inner-not-json": b'{"messages": ["not json"]}',
    "inner-object": json.dumps({"messages": [{"event": "update_headers"}]}).encode(),
    "inner-null": _messages(None),
    "inner-list": _messages([]),
    "inner-number": _messages(5),
    "no-event": _messages({"rev": [9, 9], "headers": [_HEADER]}),
    "event-other": _messages({"event": "update_weather", "headers": [_HEADER]}),
    "event-null": _update(event=None),
    "no-headers": _update(headers=...),
    "headers-null": _update(headers=None),
    "headers-object": _update(headers={"0": _HEADER}),
    "header-null": _update(headers=[None]),
    "header-string": _update(headers=["x"]),
    "no-sync-to-rev": _update(sync_to_rev=...),
    "sync-to-rev-string": _update(sync_to_rev="nine"),
    "no-totals": _update(total_sent=..., total_avail=...),
    "total-short": _update(total_avail=1000),
    "total-negative": _update(total_avail=-1),
    "id-missing": _header(_id=...),
    "id-number": _header(_id=7),
    "id-nul": _header(_id="dqm-source-state-\0"),
    "rev-missing": _header(_rev=...),
    "rev-null": _header(_rev=None),
    "rev-bool": _header(_rev=True),
    "rev-float": _header(_rev=9.5),
    "rev-string": _header(_rev="9"),
    "rev-negative": _header(_rev=-9),
    "rev-2-62": _header(_rev=2**62),
    "rev-2-80": _header(_rev=2**80),
    "documents-null": _messages({"event": "update_documents", "documents": None}),
    "documents-object": _messages({"event": "update_documents", "documents": {}}),
    "document-null": _messages({"event": "update_documents", "documents": [None]}),
    "document-empty": _messages({"event": "update_documents", "documents": [{}]}),
    "duplicate-keys": b'{"messages": ["[]"], "messages": 5}',
    "deep": b'{"messages": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "long-integer": b'{"messages": ' + b"9" * 5_000 + b"}",
}
