"""What a document may hold that is no document's business, by name: each gives the fields that it changes."""

from collections.abc import Callable, Mapping
from typing import Any

Document = dict[str, Any]
_LONG_LINE = "%MSG-e Canary: a line that never ends " + "(x, 'y') " * 30_000 + "\n"
_N_LINES = 20_000
_N_POINTS = 100_000
_DEPTH = 900  # json of Python refuses to write more than about 990


def _extra(document: Document, **fields: Any) -> Document:
    extra = document.get("extra")
    return {"extra": {**(extra if isinstance(extra, Mapping) else {}), **fields}}


def _nested(depth: int) -> Any:
    inner: Any = 0
    for _ in range(depth):
        inner = [inner]
    return inner


def _wrong_types(document: Document) -> Document:
    fields = {"cmdline": {"cmsRun": None}, "exit_code": {}, "fi_state": [], "events_rate": ""}
    wrong = {"mem_info": [1, 2], "lumi_stats": "none", "ps_info": None, "lumi_seen": 3, "environ": [True]}
    return {**fields, **_extra(document, **wrong)}


def _many_points(document: Document) -> Document:
    memory = {str(1_600_000_000.5 + i): f"{200_000 + i % 977} {90_000 + i % 613} 1 1 0 1 0" for i in range(_N_POINTS)}
    return _extra(document, mem_info=memory)


def _terminal(_: Document) -> Document:
    return {"tag": "\x1b[31mred\x1b[0m\rback"}


CHANGES: dict[str, Callable[[Document], Document]] = {
    "nan": lambda _: {"events_rate": float("nan"), "memory_used": float("inf"), "disk_used": float("-inf")},
    "nul": lambda document: {"tag": f"{document.get('tag')}\0"},
    "surrogate": lambda document: {"tag": f"{document.get('tag')}\ud800"},
    "shrink": lambda _: {"cmdline": None, "extra": None},
    "wrong-types": _wrong_types,
    "terminal": _terminal,
    "odd-times": lambda _: {"report_timestamp": 1e18, "update_timestamp": "-1e999"},
    "long-line": lambda document: _extra(document, stdlog_start=[_LONG_LINE]),
    "many-lines": lambda document: _extra(document, stdlog_end=[f"line {i}\n" for i in range(_N_LINES)]),
    "many-points": _many_points,
    "huge-numbers": lambda _: {"cmssw_lumi": "9" * 18, "pid": 2**70, "lumi_events": "1e999"},
    "deep": lambda document: _extra(document, environ=_nested(_DEPTH)),
    "poison": lambda _: {"run": "none"},  # a job that cannot be stored: of which run it is cannot be told
}
ODD_REVISIONS: dict[str, Any] = {
    "2-62": 2**62, "2-80": 2**80, "negative": -9, "float": 9.5, "string": "12", "null": None, "bool": True,
}  # fmt: skip
