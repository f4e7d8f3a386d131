"""Applies the rules until nothing is left to find. It fails closed: without a ScrubError everything was looked at."""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import cast

import re2

from dqmsquare.errors import ScrubError
from dqmsquare.identity import host_label, short_host_name
from dqmsquare.scrub.addresses import ADDRESSES, EMAILS
from dqmsquare.scrub.cleaning import clean_bytes
from dqmsquare.scrub.credentials import CREDENTIALS, PEM
from dqmsquare.scrub.event_lines import is_event_line
from dqmsquare.scrub.hosts import family_replacement, host_rules
from dqmsquare.scrub.line_memo import LineMemo, ShownLine
from dqmsquare.scrub.paths import path_rule, user_names, users_rule
from dqmsquare.scrub.pattern import Pattern, PatternSet, Replacement
from dqmsquare.scrub.processes import PROCESSES
from dqmsquare.scrub.rule import Rule

MAX_ROUNDS = 4  # a text that has not settled by then was made to fool the rules
REMEMBERED_BYTES = 1_000_000  # about the logs of a run
REMEMBERED_USERS = 4  # lines are remembered for each set of users that are looked for
REMEMBERED_WORDS, LONG_WORD = 4_096, 500  # words with a path in them, bytes
REMEMBERED_SHORT, SHORT = 1_000, 200  # texts, characters: names come with every document

_Step = tuple[Pattern, Replacement]
_PEM: _Step = (Pattern(PEM.pattern), PEM.replacement)


@dataclass(frozen=True, slots=True)
class Scrubbed:
    """Text without what must not leave, and how many values were taken out of it."""

    text: str
    n_removed: int


class Scrubber:
    """Knows some hosts by name: these become their labels, any other a mark. Threads may share one."""

    def __init__(self, host_names: Iterable[str] = ()) -> None:
        names = {short_host_name(name) for name in host_names if name.strip()}
        labels = {name.encode(): host_label(name).encode() for name in names if host_label(name) != name}
        rules = _rules_in_order(labels)
        self._all: list[_Step] = [(Pattern(rule.pattern), rule.replacement) for rule in rules]
        self._common = [step for step, rule in zip(self._all, rules, strict=True) if rule.common]
        self._which = PatternSet(rule.pattern for rule in rules)
        self._anything = _any_of(rules)
        self._anything_uncommon = _any_of([rule for rule in rules if not rule.common])
        self._memo_for = lru_cache(REMEMBERED_USERS)(lambda _: LineMemo(REMEMBERED_BYTES))
        self._shown_word = lru_cache(REMEMBERED_WORDS)(self._without_common)
        self._scrub_short = lru_cache(REMEMBERED_SHORT)(lambda text: self.scrub_clean((clean_bytes(text),))[0])

    def scrub(self, text: str) -> Scrubbed:
        """The text without what must not leave; scrubbing it again changes nothing. Raises ScrubError only."""
        with _failing_closed():
            return self._scrub_short(text) if len(text) <= SHORT else self.scrub_clean((clean_bytes(text),))[0]

    def scrub_clean(self, pieces: Sequence[bytes]) -> list[Scrubbed]:
        """Pieces of one text with gaps between them, as clean_bytes leaves them: a user known from one is taken out of
        all. Raises ScrubError.
        """
        with _failing_closed():
            return self._scrub_clean(pieces, frozenset[bytes]().union(*map(user_names, pieces)))

    def _scrub_clean(self, pieces: Sequence[bytes], users: frozenset[bytes]) -> list[Scrubbed]:
        without_keys = [_without_keys(piece) for piece in pieces]
        lines_of_pieces = [text.split(b"\n") for text, _ in without_keys]
        shown = self._shown(list(chain.from_iterable(lines_of_pieces)), users)
        result, end = [], 0
        for (_, n_keys), lines in zip(without_keys, lines_of_pieces, strict=True):
            begin, end = end, end + len(lines)
            text = b"\n".join([line for line, _ in shown[begin:end]]).decode("utf-8")
            result.append(Scrubbed(text, n_keys + sum([n for _, n in shown[begin:end]])))
        return result

    def _shown(self, lines: Sequence[bytes], users: frozenset[bytes]) -> list[ShownLine]:
        memo = self._memo_for(users)
        known = memo.look_up(lines)
        unknown = list(dict.fromkeys([line for line, shown in zip(lines, known, strict=True) if shown is None]))
        if not unknown:
            return cast("list[ShownLine]", known)
        fresh = dict(zip(unknown, self._settled(unknown, users), strict=True))
        memo.add(fresh)
        return [shown or fresh[line] for line, shown in zip(lines, known, strict=True)]

    def _settled(self, lines: Sequence[bytes], users: frozenset[bytes]) -> list[ShownLine]:
        """Each line as the rules leave it, all at once: nothing depends on what the other lines are."""
        shown, n_removed = list(lines), [0] * len(lines)
        # Those in which there may be something yet.
        waiting = [place for place, line in enumerate(lines) if not is_event_line(line)]
        for _ in range(MAX_ROUNDS):
            changed = self._go_over(shown, n_removed, waiting, users)
            if not changed:
                return list(zip(shown, n_removed, strict=True))
            waiting = sorted(changed)
        raise ScrubError("the text does not settle")

    def _go_over(
        self, shown: list[bytes], n_removed: list[int], places: list[int], users: frozenset[bytes]
    ) -> set[int]:
        """Applies the rules once to the lines at places, and tells where they found something."""
        text = b"\n".join([shown[place] for place in places])
        # After the rules, since a user's home goes as a whole.
        look_for_users = [users_rule(users)] if any(user in text for user in users) else []
        if not self._anything.finds(text):
            return _apply(look_for_users, shown, n_removed, places)
        uncommon = set(_lines_with(self._anything_uncommon, text))
        special = [place for n, place in enumerate(places) if n in uncommon]
        usual = [place for n, place in enumerate(places) if n not in uncommon] if uncommon else places
        return (
            _apply([*self._found_in(shown, special), *look_for_users], shown, n_removed, special)
            | self._replace_words(shown, n_removed, usual)
            | _apply([*self._common, *look_for_users], shown, n_removed, usual)
        )

    def _found_in(self, shown: list[bytes], places: Sequence[int]) -> list[_Step]:
        """The rules that find something there. What one of them makes another one find is found the next time."""
        found = self._which.found_in(b"\n".join([shown[place] for place in places])) if places else ()
        return [step for number, step in enumerate(self._all) if number in found]

    def _replace_words(self, shown: list[bytes], n_removed: list[int], places: Sequence[int]) -> set[int]:
        """The same files stand in many lines: what the common rules make of a word with a path is looked up.

        None of them reaches beyond a space. A long word is left to them.
        """
        changed: set[int] = set()
        for place in places:
            line, n_here = self._with_words_replaced(shown[place])
            if n_here:
                shown[place] = line
                n_removed[place] += n_here
                changed.add(place)
        return changed

    def _with_words_replaced(self, line: bytes) -> ShownLine:
        pieces: list[bytes] = []
        n_removed = kept_from = end = 0
        while end >= 0 and (slash := line.find(b"/", end)) >= 0:
            begin = line.rfind(b" ", end, slash) + 1 or end
            end = line.find(b" ", slash)
            word = line[begin:] if end < 0 else line[begin:end]
            shown, n = self._shown_word(word) if len(word) <= LONG_WORD else (word, 0)
            if n:
                pieces += (line[kept_from:begin], shown)
                n_removed += n
                kept_from = begin + len(word)
        return b"".join((*pieces, line[kept_from:])), n_removed

    def _without_common(self, text: bytes) -> ShownLine:
        n_removed = 0
        for pattern, replacement in self._common:
            text, hits = pattern.replaced(text, replacement)
            n_removed += len(hits)
        return text, n_removed


@contextlib.contextmanager
def _failing_closed() -> Iterator[None]:
    try:
        yield
    except (re2.error, ArithmeticError, AttributeError, LookupError, MemoryError, TypeError, ValueError) as error:
        raise ScrubError(type(error).__name__) from error


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
    return Pattern("|".join(f"(?:{rule.pattern})" for rule in rules), captures=False)


def _without_keys(text: bytes) -> tuple[bytes, int]:
    """The text without keys in PEM. Nothing that is done to a line afterwards makes one."""
    if b"-----BEGIN " not in text and b"-----END " not in text:
        return text, 0
    text, hits = _PEM[0].replaced(text, _PEM[1])
    return text, len(hits)


def _apply(steps: Sequence[_Step], shown: list[bytes], n_removed: list[int], places: Sequence[int]) -> set[int]:
    """Takes out of the lines at `places` what the steps find; returns where that was."""
    if not places or not steps:
        return set()
    text = b"\n".join([shown[place] for place in places])
    changed: set[int] = set()
    for pattern, replacement in steps:
        text, hits = pattern.replaced(text, replacement)
        for hit in hits:
            n_removed[places[hit]] += 1
        changed.update(hits)
    if changed:
        lines = text.split(b"\n")
        if len(lines) != len(places):
            raise ScrubError("a rule took the end of a line")
        for hit in changed:
            shown[places[hit]] = lines[hit]
    return {places[hit] for hit in changed}


def _lines_with(pattern: Pattern, text: bytes) -> Iterator[int]:
    """Numbers of the lines in which the pattern finds something."""
    line = position = 0
    while (match := pattern.find(text, position)) is not None:
        line += text.count(b"\n", position, match.end)
        yield line
        position = text.find(b"\n", match.end)
        if position < 0:
            return
