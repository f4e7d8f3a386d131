"""What a process has taken so far, as Linux counts it."""

import os
from dataclasses import dataclass
from pathlib import Path

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Taken:
    """CPU seconds since the start, resident memory now and at its highest, in MB."""

    cpu_seconds: float
    resident_mb: float
    highest_mb: float


def taken(pid: int) -> Taken:
    """Of one process, without its children."""
    after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    lines = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    ticks = int(after_name[11]) + int(after_name[12])  # utime and stime: fields 14 and 15 of proc(5)
    return Taken(ticks / _TICKS_PER_SECOND, _mb(lines["VmRSS"]), _mb(lines["VmHWM"]))


def children(pid: int) -> list[int]:
    """Process ids of its direct children."""
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _mb(text: str) -> float:
    return int(text.split(maxsplit=1)[0]) * 1024 / 1e6
