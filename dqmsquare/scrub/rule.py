"""What a rule is, and the marks that stand for what was taken out.

Patterns are RE2's, over UTF-8. One search of RE2's is linear; so that finding all is linear too, no pattern reads far
beyond what it takes. RE2 cannot look around: where neighbours matter, the replacement looks at them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import re2

HOST = b"[host]"
PATH = b"[path]"
ADDRESS = b"[address]"
USER = b"[user]"
REMOVED = b"[removed]"
KEY = b"[key]"
EMAIL = b"[email]"
PID = b"[pid]"
MARKS = (HOST, PATH, ADDRESS, USER, REMOVED, KEY, EMAIL, PID)

Match = Any  # re2 has no types
Pattern = Any
Replacement = Callable[[Match], bytes | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """`replacement` gives what stands for a match, or None where it is none after all.

    `rare`: a usual log has nothing of it; such rules are tried only if one pattern made of all of them finds anything.
    """

    pattern: str
    replacement: Replacement
    rare: bool = False


def always(mark: bytes) -> Replacement:
    """Replaces all that was found."""
    return lambda _: mark


def after_first_group(rest: bytes) -> Replacement:
    """Keeps the first group, which says what the value was of."""
    return lambda match: bytes(match[1]) + rest


def compiled(pattern: str, *, captures: bool = True) -> Pattern:
    """RE2's, silent on standard error."""
    options = re2.Options()
    options.log_errors = False
    options.never_capture = not captures
    return re2.compile(pattern, options)


def one_of(*patterns: str) -> str:
    """A pattern that finds what any of these finds, the first one first."""
    return "(?:" + "|".join(patterns) + ")"
