"""What a rule is, and the marks that stand for what was taken out.

Patterns are RE2's, over UTF-8. One search of RE2's is linear; so that finding all is linear too, no pattern reads far
beyond what it takes. RE2 cannot look around: where neighbours matter, the replacement looks at them.
A match may begin with the end of the line before, and has no other: so a line is scrubbed alike wherever it stands.
"""

from dataclasses import dataclass

from dqmsquare.scrub.pattern import Replacement

HOST = b"[host]"
PATH = b"[path]"
ADDRESS = b"[address]"
USER = b"[user]"
REMOVED = b"[removed]"
KEY = b"[key]"
EMAIL = b"[email]"
PID = b"[pid]"
MARKS = (HOST, PATH, ADDRESS, USER, REMOVED, KEY, EMAIL, PID)


@dataclass(frozen=True, slots=True)
class Rule:
    """`replacement` gives what stands for a match, or None where it is none after all.

    `common`: every log is full of it. The other rules are tried only on lines in which one pattern made of all of
    them finds anything.
    """

    pattern: str
    replacement: Replacement
    common: bool = False


def always(mark: bytes) -> Replacement:
    """Replaces all that was found."""
    return lambda _: mark


def after_first_group(rest: bytes) -> Replacement:
    """Keeps the first group, which says what the value was of."""
    return lambda match: match[1] + rest


def one_of(*patterns: str) -> str:
    """A pattern that finds what any of these finds, the first one first."""
    return "(?:" + "|".join(patterns) + ")"
