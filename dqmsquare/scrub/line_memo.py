"""Remembers what lines became: most of a log was seen 30 s before, or in the log of another client."""

from collections.abc import Mapping, Sequence

ShownLine = tuple[bytes, int]  # the line without what must not leave, and how many values were taken out of it


class LineMemo:
    """Lines that were used lately, in two generations of `max_bytes` each. Threads may share one."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._young: dict[bytes, ShownLine] = {}
        self._old: Mapping[bytes, ShownLine] = {}

    def look_up(self, lines: Sequence[bytes]) -> list[ShownLine | None]:
        """What became of each line; None for those that are not known."""
        found: list[ShownLine | None] = list(map(self._young.get, lines))
        if self._old and None in found:
            older: dict[bytes, ShownLine] = {}
            for place in [place for place, shown in enumerate(found) if shown is None]:
                shown = self._old.get(lines[place])
                if shown is not None:
                    found[place] = older[lines[place]] = shown
            self.add(older)
        return found

    def add(self, shown: Mapping[bytes, ShownLine]) -> None:
        """Remembers these, and forgets those that have not been used for longest."""
        self._young.update(shown)
        self._n_bytes += sum(map(len, shown))
        if self._n_bytes > self._max_bytes:
            self._old, self._young, self._n_bytes = self._young, {}, 0
