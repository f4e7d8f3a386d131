"""One line of the table: what was seen, beside today's way and the limit measured in the same run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

HEADINGS = ("what", "today's way", "seen", "limit", "must show", "met")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """`seen`, `todays` and `limit` are in `unit`; None: not measured. What must show are the last four; None: nothing.

    `is_cost`: less is better, so that "times today's way" and "of the limit" are turned round. `more_than` and
    `less_than` are in `unit`. `note` is printed below the table.
    """

    what: str
    unit: str
    seen: float
    todays: float | None = None
    limit: float | None = None
    is_cost: bool = False
    times_todays: float | None = None
    of_limit: float | None = None
    more_than: float | None = None
    less_than: float | None = None
    note: str = ""

    @property
    def gain(self) -> float | None:
        """How many times better than today's way."""
        return _ratio(self.todays, self.seen) if self.is_cost else _ratio(self.seen, self.todays)

    @property
    def share(self) -> float | None:
        """Which part of the limit is reached; 1 is all of it."""
        return _ratio(self.limit, self.seen) if self.is_cost else _ratio(self.seen, self.limit)

    @property
    def is_met(self) -> bool | None:
        """Whether everything that must show shows; None where nothing must."""
        met = [held for _, held in self._demands()]
        return all(met) if met else None

    @property
    def must_show(self) -> str:
        """The demands in words; each with what is held against it."""
        return ", ".join(words for words, _ in self._demands())

    def cells(self) -> tuple[str, ...]:
        """What stands under HEADINGS."""
        todays = f"{quantity(self.todays, self.unit)} ({_times(self.gain)})" if self.todays is not None else ""
        limit = f"{quantity(self.limit, self.unit)} ({_part(self.share)})" if self.limit is not None else ""
        met = {True: "yes", False: "NO", None: ""}[self.is_met]
        return self.what, todays, quantity(self.seen, self.unit), limit, self.must_show, met

    def as_json(self) -> dict[str, Any]:
        """Everything, with what follows from it."""
        return asdict(self) | {"gain": self.gain, "share": self.share, "is_met": self.is_met}

    def _demands(self) -> list[tuple[str, bool]]:
        gain, share = self.gain or 0.0, self.share or 0.0
        demands = [
            (self.times_todays, f"over {self.times_todays:g} times today's" if self.times_todays else "", gain),
            (self.of_limit, f"over {self.of_limit:g} of the limit" if self.of_limit else "", share),
        ]
        found = [(words, value > least) for least, words, value in demands if least is not None]
        if self.more_than is not None:
            found.append((f"over {quantity(self.more_than, self.unit)}", self.seen > self.more_than))
        if self.less_than is not None:
            found.append((f"under {quantity(self.less_than, self.unit)}", self.seen < self.less_than))
        return found


def quantity(value: float, unit: str) -> str:
    """Three digits are enough.

    >>> quantity(23456.7, "answers/s"), quantity(0.7812, "s"), quantity(12, "KB")
    ('23,457 answers/s', '0.781 s', '12 KB')
    """
    return f"{value:,.0f} {unit}" if value >= 1000 else f"{value:.3g} {unit}"


def table(figures: Sequence[Figure]) -> str:
    """The figures in columns, for a terminal."""
    rows: list[Sequence[str]] = [HEADINGS, *(figure.cells() for figure in figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADINGS))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    notes = [f"{figure.what}: {figure.note}" for figure in figures if figure.note]
    return "\n".join([lines[0], "-" * max(map(len, lines)), *lines[1:], *notes])


def _ratio(one: float | None, other: float | None) -> float | None:
    return None if one is None or not other else one / other


def _times(gain: float | None) -> str:
    return "?" if gain is None else f"×{gain:.3g}"


def _part(share: float | None) -> str:
    return "?" if share is None else f"{share:.2g} of it"
