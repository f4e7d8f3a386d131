"""A cluster of one host over HTTP, in this process: the simulator, the grabber's own wiring, a real PostgreSQL.

The grabber's threads are not started: a test lets its worker make one cycle after the other.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from dqmsquare.config import parse_config
from dqmsquare.documents import KEPT_KINDS
from dqmsquare.grabber.metrics import GrabberMetrics
from dqmsquare.grabber.pace import Outage
from dqmsquare.grabber.supervisor import ClusterGrabber
from dqmsquare.identity import PublicIds
from dqmsquare.simulator import GATEWAY, Simulator
from dqmsquare.storage.cursors import Cursor, register_hosts
from tests.postgres import KEY, TestPlace

HOST = "fu-c2f11-11-01"
IDS = PublicIds(KEY, "production")


def raw_disk(number: int, counter: int, host: str = HOST, **changed: Any) -> dict[str, Any]:
    """A small document as DQM² has it; `disk_used` is the counter to recognise its version by."""
    return {
        "_id": f"dqm-diskspace-{host}-app{number}",
        "type": "dqm-diskspace",
        "hostname": host,
        "tag": "fff_deleter",
        "run": None,
        "pid": 1,
        "disk_used": counter,
        "disk_free": 1,
        "disk_total": 2,
        "extra": {"file_count": 3, "thresholds": {"rename": 60, "delete": 80}},
        **changed,
    }


def public(number: int) -> str:
    """The public id of raw_disk(number)."""
    return IDS.document(f"dqm-diskspace-{HOST}-app{number}")


class Wire:
    """Has `simulator`, `grabber`, its only `worker`, and `metrics`."""

    def __init__(self, place: TestPlace, simulator: Simulator, *, full_check: bool = False, **settings: str) -> None:
        self.place = place
        self.simulator = simulator
        environ = {
            **place.environ,
            "CMSWEB_FRONTEND_PROXY_URL": simulator.url,
            "SERVER_FFF_MACHINE": GATEWAY,
            "FFF_PRODUCTION_MACHINES": HOST,
            **settings,
        }
        self.config = parse_config(environ, role="grabber", as_root=False)
        self.metrics = GrabberMetrics()
        outage = Outage(self.config.outage_probe_seconds, time.monotonic)
        self.grabber = ClusterGrabber(
            "production", self.config, place.place, outage, self.metrics, full_check=full_check
        )
        with place.owner().writing() as connection:
            register_hosts(connection, {IDS.host(HOST): "fu..01"})
        self.worker = self.grabber.workers[0]
        self.counter = 0

    def close(self) -> None:
        """Gives host and cluster back."""
        self.worker.record.release()
        self.grabber._watch.lease.release()

    def upload(self, *numbers: int, **changed: Any) -> None:
        """New versions of these documents at the host."""
        for number in numbers:
            self.counter += 1
            self.simulator.upload(HOST, raw_disk(number, self.counter, **changed))

    def cycle(self) -> None:
        """One poll and what follows of history, as the worker's thread would; whatever fails is counted."""
        self.worker._guarded_cycle()

    def settle(self, *, compare: bool = False, seconds: float = 20.0) -> None:
        """Cycles until everything that the host has is here; with `compare` after a full comparison."""
        history = self.worker._replication._history
        if compare:
            history.ask_for_comparison()
        n_quiet, ends_at = 0, time.monotonic() + seconds
        while n_quiet < 3:
            assert time.monotonic() < ends_at, "replication does not settle"
            self.cycle()
            begins = not self.worker.record.lease.held or self.cursor.head_rev is None
            n_quiet = 0 if history.is_busy or begins else n_quiet + 1
        self.assert_same()

    @property
    def cursor(self) -> Cursor:
        return self.worker.record.cursor

    def mirrored(self) -> dict[str, int]:
        """Public id to counter, of the disks' documents."""
        return dict(self.place.rows("SELECT document_id, used_bytes FROM mirror.host_disks"))

    def assert_same(self) -> None:
        """Everything that upstream lists is here, with the counter it has there."""
        store = self.simulator.stores[HOST]
        listed = [header["_id"] for header in store.headers_from(None) if header["type"] in KEPT_KINDS]
        upstream = {IDS.document(d["_id"]): d["disk_used"] for d in store.documents(listed) if "disk_used" in d}
        mirrored = self.mirrored()
        assert {key: mirrored.get(key) for key in upstream} == upstream

    def quarantine(self) -> list[tuple[str, str, int]]:
        """Document, reason and revision of each line."""
        return self.place.rows("SELECT document_id, reason, rev FROM mirror.quarantine ORDER BY quarantine_id")

    def counted(self, name: str, **labels: str) -> float:
        """The sum of a metric's values with these labels among others."""
        total = 0.0
        for line in self.metrics.text().decode().splitlines():
            found, _, value = line.rpartition(" ")
            is_it = found.partition("{")[0] == f"dqm_grabber_{name}"
            if is_it and all(f'{key}="{wanted}"' in found for key, wanted in labels.items()):
                total += float(value)
        return total

    def before_documents(self, do: Callable[[], None]) -> None:
        """Has `do` called once, between the next listing and the question for its documents."""
        feed = self.worker._replication._reader._feed
        ask = feed.documents

        def documents(ids: Sequence[str]) -> Any:
            feed.documents = ask  # type: ignore[method-assign]
            do()
            return ask(ids)

        feed.documents = documents  # type: ignore[method-assign]


@contextmanager
def wired(place: TestPlace, **settings: str) -> Iterator[Wire]:
    """A Wire to a simulator of its own, for as long as the block lasts."""
    with Simulator(production_hosts=[HOST]) as simulator:
        wire = Wire(place, simulator, full_check=False, **settings)
        try:
            yield wire
        finally:
            wire.close()
