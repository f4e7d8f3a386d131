"""Every fault that the mirror must bear, every hole of the first one and every row of security has its test by name.

test_f14_… shows the fault F14, test_f2_f3_… both, test_h3_… the hole H3; test_security_f1_… the row F1 of security, in which
the rows of containers are called h1k, h2k, …
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
_ROWS = "(?:_[a-i][0-9]{1,2}k?)"

FAULTS = {
    "f1": "upstream's port closed, its name unknown, TLS reset",
    "f2": "it accepts and never answers",
    "f3": "a byte a second",
    "f4": "an answer without end, a gzip bomb",
    "f5": "5xx with a page of HTML",
    "f6": "429 or 503 with Retry-After",
    "f7": "401, 403, our certificate refused",
    "f8": "a redirect to a login, a login page with 200",
    "f9": "JSON cut at any byte",
    "f10": "JSON of another shape",
    "f11": "equal keys, deep nesting, an integer of 5,000 digits",
    "f12": "half of the messages good, the other broken",
    "f13": "headers out of order, twice, with one revision",
    "f14": "documents left out, reordered, more than asked, twice",
    "f15": "a document newer than its header",
    "f16": "revisions that begin at 0 again",
    "f17": "the same, and grown past the cursor",
    "f18": "the newest rows dropped, their revision given out again",
    "f19": "a row inserted at a low revision",
    "f20": "revisions of 63 bits, negative, no number",
    "f21": "a document's clock ahead, long ago, no number",
    "f22": "our clock set, daylight saving",
    "f23": "NaN, Infinity, 1e999",
    "f24": "U+0000",
    "f25": "half a surrogate pair",
    "f26": "bytes that are no UTF-8",
    "f27": "a field of another type, a key that nobody knows",
    "f28": "a document that breaks the reader",
    "f29": "a log of 50 MB, of a million lines, with escapes",
    "f30": "a series of a hundred thousand points",
    "f31": "SIGKILL at any instant",
    "f32": "SIGTERM and SIGINT in every phase",
    "f33": "two grabbers for one host",
    "f34": "the lease's connection silently dead",
    "f35": "PostgreSQL restarted",
    "f36": "a standby that is read-only answers",
    "f37": "COMMIT's answer lost",
    "f38": "PostgreSQL full, out of connections, slow, deadlocked",
    "f39": "a row that PostgreSQL refuses",
    "f40": "tables older or newer than the program",
    "f41": "volumes full, read-only, hanging",
    "f42": "a certificate expired, early, missing, replaced, locked",
    "f43": "a server that nobody vouches for",
    "f44": "the cookie's secret missing or with a newline",
    "f45": "a list of hosts empty, with a typo, with one twice",
    "f46": "cluster status that is odd",
    "f47": "a host with a hundred times the traffic",
    "f48": "all hosts back at once",
    "f49": "a thread that dies or hangs",
    "f50": "two hundred open pages",
    "f51": "a restart of the server during an action",
    "f52": "memory that leaks",
}
HOLES = {
    "h1": "a cookie that is the user's name",
    "h2": "a query handed on before it was looked at",
    "h3": "changes by GET, without a token",
    "h4": "text that is run as code",
    "h5": "logs and messages as markup",
    "h6": "nobody proves who answers",
    "h7": "whole documents kept, files served by their path",
    "h8": "passwords plain, in addresses, by default",
    "h9": "upstream's errors and repr() in the browser",
    "h10": "scripts from elsewhere",
}
SECURITY = {
    "a1": "a session's id is random, stored as a hash, new on login, gone on logout",
    "a2": "a forged cookie, the old cookie",
    "a3": "idle 60 minutes, 12 hours in all, logging out everywhere",
    "a4": "the cookie's attributes",
    "a5": "passwords are hashes",
    "a6": "an unknown user costs the same",
    "a7": "twelve characters, of any alphabet, none cut off",
    "a8": "many tries are slowed down",
    "a9": "the password again before something is changed",
    "a10": "the front-end's identity where a key is set",
    "a11": "its signature",
    "a12": "a wrong setting does not leave the door open",
    "b1": "changes by POST, with a token",
    "b2": "from our own pages",
    "b3": "each route is of one kind",
    "b4": "GET, HEAD and POST",
    "c1": "the relay's list of what is allowed",
    "c2": "the alphabet of its addresses",
    "c3": "the origins that are set, no redirect, no proxy",
    "c4": "TLS is verified",
    "d1": "no text is run as code",
    "d2": "SQL is parameterised",
    "d3": "no text becomes markup",
    "d4": "logs are plain text",
    "d5": "no path of a file from outside",
    "e1": "Content-Security-Policy",
    "e2": "the other headers",
    "e3": "what may be kept, and for how long",
    "e4": "nothing from elsewhere",
    "f1": "errors show an id and a sentence",
    "f2": "no secret in the logs, no line that somebody else wrote",
    "f3": "the audit, which nobody changes",
    "f4": "what was refused is in it",
    "g1": "what is scrubbed",
    "g2": "the keys that are published",
    "g3": "metrics on a port of their own, without names",
    "g4": "how long things are kept",
    "h1k": "the image",
    "h2k": "read-only, as any user",
    "h3k": "who may connect",
    "h4k": "probes",
    "h5k": "no secret in the environment",
    "h6k": "limits of requests",
    "i1": "requests that may be two",
    "i2": "the Host header makes no address",
    "i3": "a login leads nowhere else",
    "i4": "no debug routes, no path in the version",
}
ROWS = FAULTS | HOLES | {f"security {row}": words for row, words in SECURITY.items()}


def rows_of(name: str) -> list[str]:
    """The rows that a test's name begins with."""
    found = re.match(rf"test({_ROWS}*)(?:_security({_ROWS}+))?_", name)
    faults, security = (group.split("_")[1:] if group else [] for group in found.groups()) if found else ([], [])
    return faults + [f"security {row}" for row in security]


def named_tests() -> Iterator[str]:
    """The name of every test function and method."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield node.name


def test_each_row_is_shown_by_a_test_that_is_named_after_it() -> None:
    shown = {row for name in named_tests() for row in rows_of(name)}

    assert [f"{row}: {words}" for row, words in ROWS.items() if row not in shown] == []


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("test_f14_a_document_left_out", ["f14"]),
        ("test_f2_f3_a_deadline", ["f2", "f3"]),
        ("test_f_is_a_letter", []),
        ("test_utf8_is_no_row", []),
        ("test_f140_is_no_row", []),
        ("test_security_a8_many_tries", ["security a8"]),
        ("test_security_e1_e2_headers", ["security e1", "security e2"]),
        ("test_security_h5k_no_secret", ["security h5k"]),
        ("test_h10_a_script", ["h10"]),
        ("test_f35_security_h4k_probes", ["f35", "security h4k"]),
    ],
)
def test_a_name_tells_its_rows(name: str, rows: list[str]) -> None:
    assert rows_of(name) == rows
