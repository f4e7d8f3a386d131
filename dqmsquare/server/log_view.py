"""A job's log as numbered lines: which of them are errors, what the scrubber took out, where DQM² left a gap."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from dqmsquare.scrub import MARKS
from dqmsquare.storage.rows import LogRow

GAP_TEXT = "DQM² kept the first 16 KB and the last 16 KB; what was between is not kept."

_ERROR = re.compile(r"%MSG-[es]\b|Fatal Exception|segmentation violation|fatal system signal", re.IGNORECASE)
_EXIT = re.compile(r"-- process exit: (-?[0-9]{1,6}) --")
_GONE = re.compile("(" + "|".join(re.escape(mark.decode()) for mark in MARKS) + ")")
_BLOCK_MAX_LINES = 60  # of an error's own text; longer than any exception CMSSW prints


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line. `kind`: plain, error (counted), body (the text of an error), exit or exit-bad.

    `pieces` alternate: text, what stands for a removed value, text, …
    """

    number: int
    kind: str
    pieces: tuple[str, ...]

    @property
    def is_error(self) -> bool:
        """Whether it counts as an error and is shown as one."""
        return self.kind in {"error", "exit-bad"}


@dataclass(frozen=True, slots=True)
class LogView:
    """The lines before and after the gap; `tail` is empty where there is none."""

    head: tuple[LogLine, ...]
    tail: tuple[LogLine, ...]
    has_gap: bool
    n_removed: int

    @property
    def lines(self) -> tuple[LogLine, ...]:
        """All lines."""
        return self.head + self.tail

    @property
    def n_errors(self) -> int:
        """Messages of severity error, exceptions, signals and a bad exit, each counted once."""
        return sum(1 for line in self.lines if line.is_error)

    @property
    def first_error(self) -> int | None:
        """The first one's line number."""
        return next((line.number for line in self.lines if line.is_error), None)

    def end(self, n_lines: int) -> tuple[LogLine, ...]:
        """The last lines that are not blank."""
        written = (line for line in reversed(self.lines) if any(piece.strip() for piece in line.pieces))
        return tuple(reversed(list(islice(written, n_lines))))


def log_view(row: LogRow) -> LogView:
    """The log as the pages show it. Head and tail of a log without a gap are one text."""
    parts = [row.head, row.tail] if row.gap else [row.head + row.tail, ""]
    head = _numbered(_lines(parts[0]), 1)
    return LogView(head, _numbered(_lines(parts[1]), len(head) + 1), row.gap, row.n_removed)


def log_text(row: LogRow) -> str:
    """The log as plain text, with a line that says where something is missing."""
    if not row.gap:
        return row.head + row.tail
    return f"{row.head.rstrip()}\n\n[{GAP_TEXT}]\n\n{row.tail}"


def _lines(text: str) -> list[str]:
    # Not splitlines(): CMSSW prints characters that only Unicode counts as line ends.
    lines = text.split("\n")
    return lines if lines[-1] else lines[:-1]


def _numbered(lines: Sequence[str], first: int) -> tuple[LogLine, ...]:
    kinds = _kinds(lines)
    return tuple(LogLine(first + i, next(kinds), tuple(_GONE.split(line))) for i, line in enumerate(lines))


def _kinds(lines: Sequence[str]) -> Iterator[str]:
    left = 0  # lines that may still belong to the error above
    for line in lines:
        exit_line = _EXIT.search(line)
        if exit_line:
            left = 0
            yield "exit" if exit_line[1] == "0" else "exit-bad"
        elif left and (line.rstrip() == "%MSG" or "End Fatal Exception" in line):
            left = 0
            yield "body"
        elif left and not line.startswith("%MSG-"):
            left -= 1
            yield "body"
        elif _ERROR.search(line):
            left = _BLOCK_MAX_LINES if line.startswith("%MSG") or "Begin Fatal" in line else 0
            yield "error"
        else:
            left = 0
            yield "plain"
