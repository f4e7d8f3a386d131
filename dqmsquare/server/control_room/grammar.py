"""What may stand in a command's parameters. A value is taken exactly as it may be written, or not at all.

DQM² builds shell commands from what it is sent, so nothing here mends, trims or guesses.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

CLUSTER_KINDS = ("playback", "production", "lookarea")  # DQM²'s word for a cluster
LUMIS_MAX = 10_000
CLIENT_FILE = r"[A-Za-z0-9][A-Za-z0-9_-]{0,95}_cfg\.py"
RUN_FOLDER = r"run[0-9]{6,7}"


@dataclass(frozen=True, slots=True)
class Known:
    """What this installation knows: short host name to cluster, run keys, and the host that plays runs again."""

    clusters: Mapping[str, str]
    run_keys: tuple[str, ...]
    simulator_host: str


@dataclass(frozen=True, slots=True)
class Grammar:
    """`words` say what may stand there; `canonical` gives the value as we write it, or None where it may not."""

    words: str
    canonical: Callable[[str, Known], str | None]


def one_of(*words: str) -> Grammar:
    """One of these words."""
    return Grammar(" or ".join(words), lambda text, _: next((word for word in words if word == text), None))


def pattern(expression: str, words: str) -> Grammar:
    """What an expression fits from its first to its last character."""
    compiled = re.compile(expression, re.ASCII)

    def canonical(text: str, _: Known) -> str | None:
        found = compiled.fullmatch(text)  # not match() with $, which lets a newline follow
        return found[0] if found else None

    return Grammar(words, canonical)


def whole_number(low: int, high: int) -> Grammar:
    """A number without sign, spaces or leading zeros."""
    digits = pattern(r"[1-9][0-9]{0,8}", "")

    def canonical(text: str, known: Known) -> str | None:
        written = digits.canonical(text, known)
        return str(int(written)) if written and low <= int(written) <= high else None

    return Grammar(f"a whole number from {low} to {high}", canonical)


def _machine(text: str, known: Known) -> str | None:
    return next((name for name in known.clusters if name == text), None)


def _run_key(text: str, known: Known) -> str | None:
    return next((key for key in known.run_keys if key == text), None)


CLUSTER_KIND = one_of(*CLUSTER_KINDS)
SWITCH = one_of("0", "1")
PRINTABLE = one_of("1")
MACHINE = Grammar("a machine of the two clusters, by its short name", _machine)
CLIENT = pattern(
    r"[A-Za-z0-9][A-Za-z0-9_-]{0,95}_cfg\.py", "a client's file, such as beam_dqm_sourceclient-live_cfg.py"
)
RUN = pattern(RUN_FOLDER, "a run's folder, such as run398183")
RUN_KEY = Grammar("a run key of SIMULATOR_RUN_KEYS", _run_key)
LUMIS = whole_number(1, LUMIS_MAX)
