"""A job's log: the first and the last lines that DQM² kept, in whatever shape, joined where they overlap, scrubbed."""

import ast
import json
from collections import Counter
from dataclasses import dataclass

from dqmsquare.scrub import Scrubber, clean_bytes

MAX_KEPT_BYTES = 65_536  # of head and of tail each, scrubbed
MAX_READ_CHARACTERS = 262_144  # of each: four times what is shown, so that what is cut here hardly ever shows
MAX_LIST_CHARACTERS = 1_000_000  # of a list that came as text
FULL_BYTES = 14_336  # DQM² keeps whole lines up to 16 KiB, or
FULL_LINES = 256
TELLING_BYTES = 20  # shorter lines, such as "%MSG", are alike by chance
MARK_BYTES = 40
INPUT_GONE = "Internal error, cannot get data file"  # what a client says whose run was cleared out under it


@dataclass(frozen=True, slots=True)
class LogText:
    """`tail` is without what `head` has; `gap`: DQM² did not keep what stood between them; `input_gone`: see model."""

    head: str = ""
    tail: str = ""
    gap: bool = False
    n_removed: int = 0
    input_gone: bool = False


@dataclass(frozen=True, slots=True)
class _Part:
    lines: list[bytes]  # clean, with their ends
    n_cut_bytes: int  # that were not even read

    @property
    def text(self) -> bytes:
        return b"".join(self.lines)

    @property
    def is_full(self) -> bool:
        return len(self.lines) >= FULL_LINES or sum(map(len, self.lines)) >= FULL_BYTES


def read_log(start: object, end: object, scrubber: Scrubber) -> LogText:
    """Whatever `stdlog_start` and `stdlog_end` are: a list, a list as text (JSON's or Python's), text. Raises
    ScrubError.
    """
    start_text, end_text = _as_text(start), _as_text(end)
    input_gone = INPUT_GONE in start_text or INPUT_GONE in end_text  # of all there is, before anything is cut
    head, tail = _first_part(start_text), _last_part(end_text)
    both_full = head.is_full and tail.is_full
    n_shared = _n_shared_lines(head.lines, tail.lines, must_tell=both_full)
    gap = both_full and n_shared == 0
    rest = _Part(tail.lines[n_shared:], tail.n_cut_bytes)
    if gap:
        first, last = scrubber.scrub_clean((head.text, rest.text))
        head_text, tail_text, n_removed = first.text, last.text, first.n_removed + last.n_removed
    else:
        (whole,) = scrubber.scrub_clean((head.text + rest.text,))  # as one, so that nothing hides across the seam
        head_text, tail_text = _part_before_last_lines(whole.text, len(rest.lines))
        n_removed = whole.n_removed
    return LogText(
        _clip_end(head_text, head.n_cut_bytes), _clip_start(tail_text, rest.n_cut_bytes), gap, n_removed, input_gone
    )


# -------------------------------------------------------------------------------------------------------------- shapes


def _as_text(value: object) -> str:
    if isinstance(value, str):
        items = _list_in_text(value)
        return value if items is None else _join(items)
    return _join(value) if isinstance(value, list | tuple) else ""


def _join(items: list[object] | tuple[object, ...]) -> str:
    """Items are lines with their ends; where none has one, they are lines without."""
    texts = [item for item in items if isinstance(item, str)]
    has_ends = any("\n" in text for text in texts) or not any(texts)
    return ("" if has_ends else "\n").join(texts)


def _list_in_text(text: str) -> list[object] | None:
    """The first mirror's rows, and old documents, hold the list as Python or JSON wrote it."""
    stripped = text.strip() if len(text) <= MAX_LIST_CHARACTERS else ""
    if not stripped.startswith("[") or not stripped.endswith("]") or stripped[1:].lstrip()[:1] not in ("'", '"'):
        return None
    for read in (json.loads, ast.literal_eval):  # the latter takes literals only: nothing is run
        try:
            value = read(stripped)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            continue
        if isinstance(value, list):
            return value
    return None


def _first_part(text: str) -> _Part:
    kept = text[:MAX_READ_CHARACTERS]
    if len(kept) < len(text):  # not the half of a word, which might be the half of a name
        kept = kept[: -len(kept.split()[-1][-1000:])] if kept.strip() else ""
    return _Part(clean_bytes(kept).splitlines(keepends=True), _n_bytes(text[len(kept) :]))


def _last_part(text: str) -> _Part:
    kept = text[-MAX_READ_CHARACTERS:]
    if len(kept) < len(text):
        kept = kept[len(kept.split(maxsplit=1)[0][:1000]) :] if kept.strip() else ""
    return _Part(clean_bytes(kept).splitlines(keepends=True), _n_bytes(text[: len(text) - len(kept)]))


def _n_bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


def _split_lines(text: str) -> list[str]:
    """With their ends; splitlines() alone would part at U+2028 and the like too."""
    if text.isascii():  # and without controls, since it is clean
        return text.splitlines(keepends=True)
    lines = [line + "\n" for line in text.split("\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


# ------------------------------------------------------------------------------------------------------- head and tail


def _n_shared_lines(head: list[bytes], tail: list[bytes], *, must_tell: bool) -> int:
    """How many lines at the end of head are the first of tail; `must_tell`: they may be alike by chance."""
    n_shared = _longest_border(tail, head[-len(tail) :]) if tail and tail[0] in head else 0
    if n_shared in {0, len(tail)} or not must_tell:
        return n_shared
    in_head, in_tail = Counter(head), Counter(tail)
    telling = (line for line in tail[:n_shared] if len(line) > TELLING_BYTES and in_head[line] == in_tail[line] == 1)
    return n_shared if next(telling, None) is not None else 0


def _longest_border(tail: list[bytes], head_end: list[bytes]) -> int:
    """The longest start of tail that ends head, in linear time (Knuth, Morris and Pratt)."""
    sequence: list[bytes | None] = [*tail, None, *head_end]
    borders = [0] * len(sequence)
    for position in range(1, len(sequence)):
        length = borders[position - 1]
        while length and sequence[position] != sequence[length]:
            length = borders[length - 1]
        borders[position] = length + (sequence[position] == sequence[length])
    return borders[-1]


def _part_before_last_lines(text: str, n_lines: int) -> tuple[str, str]:
    lines = _split_lines(text)
    seam = max(0, len(lines) - n_lines)
    return "".join(lines[:seam]), "".join(lines[seam:])


# ------------------------------------------------------------------------------------------------------------- cutting


def _clip_end(text: str, n_cut_bytes: int) -> str:
    data = text.encode("utf-8")
    if len(data) <= MAX_KEPT_BYTES and not n_cut_bytes:
        return text
    kept = data[: MAX_KEPT_BYTES - MARK_BYTES].decode("utf-8", "ignore")
    line_end = kept.rfind("\n", len(kept) - 4096) + 1
    kept = kept[: line_end or None]
    n_bytes = len(data) - len(kept.encode("utf-8")) + n_cut_bytes
    return f"{kept}{'' if kept.endswith(chr(10)) or not kept else chr(10)}[clipped {n_bytes} bytes]\n"


def _clip_start(text: str, n_cut_bytes: int) -> str:
    data = text.encode("utf-8")
    if len(data) <= MAX_KEPT_BYTES and not n_cut_bytes:
        return text
    kept = data[-(MAX_KEPT_BYTES - MARK_BYTES) :].decode("utf-8", "ignore")
    kept = kept[kept.find("\n", 0, 4096) + 1 :]
    n_bytes = len(data) - len(kept.encode("utf-8")) + n_cut_bytes
    return f"[clipped {n_bytes} bytes]\n{kept}"
