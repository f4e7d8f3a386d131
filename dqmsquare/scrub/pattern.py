"""RE2's patterns over bytes, found one after the other with little ado: logs have a hundred hits each.

Not `re2.finditer`, whose matches cost more than RE2's search for them.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import re2
from re2 import _re2

Span = tuple[int, int]
_ANYWHERE, _WHOLE = _re2.RE2.Anchor.UNANCHORED, _re2.RE2.Anchor.ANCHOR_BOTH


@dataclass(slots=True)
class Match:
    """Where a pattern was found in `string`; `match[1]` is its first group, b"" where that took no part."""

    string: bytes
    spans: tuple[Span, ...]

    def __getitem__(self, group: int) -> bytes:
        start, end = self.spans[group]
        return self.string[start:end] if start >= 0 else b""

    def groups(self) -> list[bytes]:
        """All groups but the whole."""
        return [self[group] for group in range(1, len(self.spans))]

    @property
    def start(self) -> int:
        return self.spans[0][0]

    @property
    def end(self) -> int:
        return self.spans[0][1]


Replacement = Callable[[Match], bytes | None]


class Pattern:
    """A pattern; one that is wrong raises re2.error. RE2 says nothing on standard error."""

    def __init__(self, pattern: str, *, captures: bool = True) -> None:
        options = _re2.RE2.Options()
        options.log_errors = False
        options.never_capture = not captures
        regexp = _re2.RE2(pattern.encode(), options)
        if not regexp.ok():
            raise re2.error(regexp.error())
        self._find = regexp.Match

    def finds(self, text: bytes) -> bool:
        """Whether it is anywhere in the text."""
        return bool(self._find(_ANYWHERE, text, 0, len(text))[0][0] >= 0)

    def is_all_of(self, text: bytes) -> bool:
        """Whether it is the whole text."""
        return bool(self._find(_WHOLE, text, 0, len(text))[0][0] >= 0)

    def find_all(self, text: bytes) -> Iterator[Match]:
        """What is found, from left to right; nothing twice."""
        position, end = 0, len(text)
        while position <= end:
            spans = self._find(_ANYWHERE, text, position, end)
            start, stop = spans[0]
            if start < 0:
                return
            yield Match(text, spans)
            position = stop if stop > start else stop + 1

    def replaced(self, text: bytes, replacement: Replacement) -> tuple[bytes, list[int]]:
        """The text with what the replacement makes of each match, and for each the number of the line it ends in.

        A match for which the replacement gives None stays as it was, and does not count.
        """
        pieces: list[bytes] = []
        lines: list[int] = []
        end = line = 0
        for match in self.find_all(text):
            new = replacement(match)
            if new is None:
                continue
            start, stop = match.spans[0]
            line += text.count(b"\n", end, stop)
            lines.append(line)
            pieces += (text[end:start], new)
            end = stop
        return (b"".join((*pieces, text[end:])) if lines else text), lines

    def find(self, text: bytes, position: int) -> Match | None:
        """The first that is found from `position` on."""
        spans = self._find(_ANYWHERE, text, position, len(text))
        return Match(text, spans) if spans[0][0] >= 0 else None


class PatternSet:
    """Tells in one search which of some patterns are in a text. A wrong one raises re2.error."""

    def __init__(self, patterns: Iterable[str]) -> None:
        options = re2.Options()
        options.log_errors = False
        self._set = re2.Set.SearchSet(options)
        self._all = frozenset(map(self._set.Add, patterns))
        self._set.Compile()

    def found_in(self, text: bytes) -> frozenset[int]:
        """Their numbers; all of them where RE2 finds none, since it says so too when it runs out of memory."""
        return frozenset(self._set.Match(text) or self._all)
