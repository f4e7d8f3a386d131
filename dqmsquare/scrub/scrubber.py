"""Applies the rules until nothing is left to find. It fails closed: without a ScrubError everything was looked at."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import re2

from dqmsquare.errors import ScrubError
from dqmsquare.identity import host_label, short_host_name
from dqmsquare.scrub.addresses import ADDRESSES, EMAILS
from dqmsquare.scrub.cleaning import clean_bytes
from dqmsquare.scrub.credentials import CREDENTIALS
from dqmsquare.scrub.hosts import family_replacement, host_rules
from dqmsquare.scrub.paths import path_rule, user_names, users_rule
from dqmsquare.scrub.processes import PROCESSES
from dqmsquare.scrub.rule import Pattern, Replacement, Rule, compiled

MAX_ROUNDS = 4  # a text that has not settled by then was made to fool the rules
REMEMBERED_BYTES = 20_000  # the first 16 KiB of a log come again every 30 s
REMEMBERED_TEXTS = 256


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """Text without what must not leave, and how many values were taken out of it."""

    text: str
    n_removed: int


class Scrubber:
    """Knows some hosts by name: these become their labels, any other a mark. Threads may share one."""

    def __init__(self, host_names: Iterable[str]) -> None:
        names = {short_host_name(name) for name in host_names if name.strip()}
        labels = {name.encode(): host_label(name).encode() for name in names if host_label(name) != name}
        rules = _rules_in_order(labels)
        self._rules = [(compiled(rule.pattern), rule.replacement, rule.rare) for rule in rules]
        self._anything = _any_of(rules)
        self._anything_rare = _any_of([rule for rule in rules if rule.rare])
        self._scrub_again = lru_cache(REMEMBERED_TEXTS)(self._scrub_bytes)

    def scrub(self, text: str) -> Scrubbed:
        """The text without what must not leave; scrubbing it again changes nothing. Raises ScrubError only."""
        return self.scrub_pieces((text,))[0]

    def scrub_pieces(self, texts: Sequence[str]) -> list[Scrubbed]:
        """Pieces of one text with gaps between them: a user known from one is taken out of all. Raises ScrubError."""
        try:
            pieces = [clean_bytes(text) for text in texts]
            users = frozenset[bytes]().union(*map(user_names, pieces))
            return [self._scrub_piece(piece, users) for piece in pieces]
        except (re2.error, ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError) as error:
            raise ScrubError(type(error).__name__) from error

    def _scrub_piece(self, text: bytes, users: frozenset[bytes]) -> Scrubbed:
        scrub = self._scrub_again if len(text) <= REMEMBERED_BYTES else self._scrub_bytes
        return scrub(text, users)

    def _scrub_bytes(self, text: bytes, users: frozenset[bytes]) -> Scrubbed:
        n_removed = 0
        for _ in range(MAX_ROUNDS):
            n = 0
            if self._anything.search(text) is not None:
                text, n = self._apply_rules(text)
            if users:  # after the rules, since their homes go as a whole
                text, n_users = _replace(*users_rule(users), text)
                n += n_users
            if not n:
                return Scrubbed(text.decode("utf-8"), n_removed)
            n_removed += n
        raise ScrubError("the text does not settle")

    def _apply_rules(self, text: bytes) -> tuple[bytes, int]:
        has_rare = self._anything_rare.search(text) is not None
        n_removed = 0
        for pattern, replacement, is_rare in self._rules:
            if has_rare or not is_rare:
                text, n = _replace(pattern, replacement, text)
                n_removed += n
        return text, n_removed


def _rules_in_order(labels: dict[bytes, bytes]) -> tuple[Rule, ...]:
    """Secrets first, since they may look like anything; paths before the hosts in them."""
    return (
        *CREDENTIALS,
        path_rule(family_replacement(labels)),
        EMAILS,
        *host_rules(labels),
        *ADDRESSES,
        *PROCESSES,
    )


def _any_of(rules: Sequence[Rule]) -> Pattern:
    return compiled("|".join(f"(?:{rule.pattern})" for rule in rules), captures=False)


def _replace(pattern: Pattern, replacement: Replacement, text: bytes) -> tuple[bytes, int]:
    """The text with what the replacement makes of each match, and how many it did not leave as they were."""
    pieces: list[bytes] = []
    end = 0
    for match in pattern.finditer(text):
        new = replacement(match)
        if new is None:
            continue
        start, stop = match.span()
        pieces += (text[end:start], new)
        end = stop
    if not pieces:
        return text, 0
    return b"".join((*pieces, text[end:])), len(pieces) // 2
