"""What a grabber counts, and how its hosts stand. Hosts are named by their public ids, never by their names."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from dqmsquare.errors import ConfigError, MirrorError, UpstreamError
from dqmsquare.grabber.pace import Pace
from dqmsquare.storage.host_record import HostRecord
from dqmsquare.storage.store import Stored

_HOST = ("cluster", "host")
_BUCKETS = (0.005, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30)


@dataclass(slots=True)
class HostStanding:
    """How one host stands, as its worker sees it. `last_success_at` is seconds since 1970, 0: never."""

    is_held: Callable[[], bool]
    backoff_seconds: Callable[[], float]
    is_up: bool = False
    n_behind: int = 0
    last_success_at: float = 0.0
    last_rev: int = -1
    epoch: int = 0


class GrabberMetrics:
    """All numbers of one grabber process; `text` is what a scraper gets."""

    def __init__(self, certificate_expiry: Callable[[], datetime] | None = None) -> None:
        registry = self._registry = CollectorRegistry()
        self._standings: dict[tuple[str, str], HostStanding] = {}
        self.documents = Counter(
            "dqm_grabber_docs", "Documents by what became of them.", (*_HOST, "result"), registry=registry
        )
        self.errors = Counter(
            "dqm_grabber_protocol_errors", "Answers that could not be used.", (*_HOST, "kind"), registry=registry
        )
        self.oddities = Counter(
            "dqm_grabber_oddities",
            "What was put up with in answers and documents.",
            (*_HOST, "kind"),
            registry=registry,
        )
        self.resyncs = Counter(
            "dqm_grabber_resyncs", "Times that a host's history had been rewritten.", _HOST, registry=registry
        )
        self.batches = Histogram(
            "dqm_grabber_batch_seconds", "Time a batch took to be stored.", _HOST, buckets=_BUCKETS, registry=registry
        )
        self.quarantine = Gauge(
            "dqm_grabber_quarantine_rows", "Rows in the quarantine.", ("cluster",), registry=registry
        )
        if certificate_expiry is not None:
            expiry = Gauge(
                "dqm_grabber_cert_expiry_seconds", "When the grid certificate expires, in Unix time.", registry=registry
            )
            expiry.set_function(lambda: _unix_time(certificate_expiry))
        ProcessCollector(registry=registry)
        registry.register(_Standings(self._standings))

    def add_host(self, cluster: str, host_id: str, standing: HostStanding) -> None:
        """A host that this process grabs; its numbers begin at 0 so that a rise can be seen from the first."""
        self._standings[cluster, host_id] = standing
        for result in ("stored", "unchanged", "quarantined", "missing"):
            self.documents.labels(cluster, host_id, result)
        self.resyncs.labels(cluster, host_id)

    def count_error(self, cluster: str, host_id: str, error: MirrorError) -> None:
        """An answer that could not be used: a malformed one by what was wrong, another by what became of it."""
        if isinstance(error, UpstreamError):
            kind = getattr(error, "kind", type(error).__name__.removeprefix("Upstream"))
            self.errors.labels(cluster, host_id, kind.lower()).inc()

    def count_odd(self, cluster: str, host_id: str, kind: str, n: int) -> None:
        """Something that was put up with, such as a bad field, which costs itself only."""
        if n:
            self.oddities.labels(cluster, host_id, kind).inc(n)

    def text(self) -> bytes:
        """The text to scrape."""
        return generate_latest(self._registry)


def _unix_time(certificate_expiry: Callable[[], datetime]) -> float:
    try:
        return certificate_expiry().timestamp()
    except ConfigError:  # a file that is being replaced, or is gone: as good as expired
        return 0.0


class _Standings(Collector):
    """Read off the workers when somebody asks. A host that another grabber holds has only `lease_held`, 0."""

    def __init__(self, standings: dict[tuple[str, str], HostStanding]) -> None:
        self._standings = standings

    def collect(self) -> Iterator[Metric]:
        held = {labels: standing for labels, standing in self._standings.items() if standing.is_held()}
        yield _gauge(
            "lease_held",
            "1 where this grabber writes the host.",
            ((labels, float(labels in held)) for labels in self._standings),
        )
        described: dict[str, tuple[str, Callable[[HostStanding], float]]] = {
            "up": ("1 where the host answered its last poll.", lambda s: float(s.is_up)),
            "lag_headers": ("Documents that are listed but not stored yet.", lambda s: float(s.n_behind)),
            "last_success_seconds": ("When the last poll succeeded, in Unix time.", lambda s: s.last_success_at),
            "last_new_rev": ("The last revision that was passed.", lambda s: float(s.last_rev)),
            "backoff_seconds": ("Time until a host that fails is tried again.", lambda s: s.backoff_seconds()),
            "epoch": ("The number of the host's history.", lambda s: float(s.epoch)),
        }
        for name, (words, value) in described.items():
            yield _gauge(name, words, ((labels, value(standing)) for labels, standing in held.items()))


def _gauge(name: str, words: str, values: Iterable[tuple[tuple[str, str], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(f"dqm_grabber_{name}", words, labels=_HOST)
    for labels, value in values:
        family.add_metric(labels, value)
    return family


class CountedRecord(HostRecord):
    """A HostRecord that counts what it stores. `standing` belongs to it."""

    def __init__(self, *arguments: Any, cluster: str, metrics: GrabberMetrics, pace: Pace, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._labels = (cluster, self.host_id)
        self._metrics = metrics
        self.stored_at = time.monotonic()  # monotonic s of the last batch
        self.standing = HostStanding(lambda: self.lease.held, pace.backoff_seconds)
        metrics.add_host(cluster, self.host_id, self.standing)

    def begin_epoch(self, reason: str) -> None:
        super().begin_epoch(reason)
        self._metrics.resyncs.labels(*self._labels).inc()

    def report(self, state: str, *, error: str | None = None, n_behind: int = 0) -> None:
        standing, cursor = self.standing, self.cursor
        standing.is_up, standing.n_behind = error is None, n_behind
        standing.epoch, standing.last_rev = cursor.epoch, -1 if cursor.head_rev is None else cursor.head_rev
        if error is None:
            standing.last_success_at = time.time()
        super().report(state, error=error, n_behind=n_behind)

    def _write(self, documents: Any, refused: Any, moved: dict[str, Any]) -> Stored:
        with self._metrics.batches.labels(*self._labels).time():
            stored = super()._write(documents, refused, moved)
        self._count("stored", stored.n_stored)
        self._count("unchanged", stored.n_unchanged)
        self._count("missing", sum(row.reason == "missing" for row in refused))
        self._count("quarantined", sum(row.reason != "missing" for row in refused))
        self.stored_at = time.monotonic()
        return stored

    def _count(self, result: str, n: int) -> None:
        if n:
            self._metrics.documents.labels(*self._labels, result).inc(n)
