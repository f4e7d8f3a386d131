"""The hosts of a cluster as the live page shows them: up, down or unknown, memory and ramdisk with their thresholds."""

from dataclasses import dataclass

from dqmsquare.server import formats
from dqmsquare.storage.rows import HostRow


@dataclass(frozen=True, slots=True)
class Gauge:
    """A bar from 0 to 100 with its thresholds."""

    name: str
    percent: float
    marks: tuple[float, ...]
    text: str

    @property
    def level(self) -> str:
        """From the highest threshold on bad, from the lowest warn, else ok."""
        if not self.marks or self.percent < min(self.marks):
            return "ok"
        return "bad" if self.percent >= max(self.marks) else "warn"


@dataclass(frozen=True, slots=True)
class HostLine:
    """A host in the cluster card. `word` is up, down or unknown; unknown is not down."""

    host: HostRow
    word: str
    gauges: tuple[Gauge, ...]

    @property
    def is_down(self) -> bool:
        """Whether cluster status says so."""
        return self.word == "down"


def host_line(host: HostRow) -> HostLine:
    """A host with its bars; those that nothing is known of are left out."""
    word = {True: "up", False: "down", None: "unknown"}[host.is_up]
    return HostLine(host, word, tuple(gauge for gauge in (_memory_gauge(host), _disk_gauge(host)) if gauge))


_MEMORY_MARKS = (90.0,)  # percent; DQM² sends no threshold for memory, above this a FU begins to swap


def _memory_gauge(host: HostRow) -> Gauge | None:
    # "used" of DQM² counts the cache as used (dqm2.md section 5), so what is available says it better.
    used = host.memory_used_bytes
    if host.memory_total_bytes and host.memory_available_bytes is not None:
        used = host.memory_total_bytes - host.memory_available_bytes
    full = formats.percent(used, host.memory_total_bytes)
    if full is None:
        return None
    text = f"{formats.gigabytes(used)} of {formats.gigabytes(host.memory_total_bytes)}"
    return Gauge("memory", full, _MEMORY_MARKS, text)


def _disk_gauge(host: HostRow) -> Gauge | None:
    full = formats.percent(host.disk_used_bytes, host.disk_total_bytes)
    if full is None:
        return None
    marks = tuple(sorted({mark for mark in (host.disk_rename_percent, host.disk_delete_percent) if mark}))
    text = f"{formats.gigabytes(host.disk_used_bytes)} of {formats.gigabytes(host.disk_total_bytes)}"
    return Gauge("ramdisk", full, marks, text)
