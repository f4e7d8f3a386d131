"""A simulator that numbers its documents, databases, and grabbers that are started within a tenth of a second."""

import itertools
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dqmsquare.simulator import PayloadCounter, Simulator
from dqmsquare.simulator.documents import diskspace_document, job_document, stats_document
from tests.acceptance.oracle import Verdict, compare
from tests.nursery import Nursery, Nursling
from tests.postgres import TestPlace
from tests.programs import Mirror, wait_for

HOSTS = ("dqmrubu-c2a06-01-01", "dqmfu-c2b03-45-01", "dqmfu-c2b04-45-01")
SETTINGS = {
    "GRABBER_SLEEP_TIME_INFO": "0.05",
    "GRABBER_SLEEP_TIME_STATUS": "1",
    "SERVER_FFF_MACHINE": HOSTS[0],
    "TAKEOVER_SECONDS": "1.5",
    "OUTAGE_PROBE_SECONDS": "0.2",
    "BACKOFF_MAX_SECONDS": "0.5",
    "RELIST_SECONDS": "1",
}


class NurseryStage:
    """`produce` something, `start` grabbers, `settle`, `compare`."""

    def __init__(self, place: TestPlace, folder: Path, simulator: Simulator, counter: PayloadCounter) -> None:
        self.place = place
        self.simulator = simulator
        self.counter = counter
        self.folder = folder
        self.dice = random.Random(1)
        self._numbers = itertools.count()
        self.mirror = Mirror(place, simulator, folder, **SETTINGS)
        self.nursery = Nursery()
        self._n_started = 0

    def start(self, *arguments: str, **settings: str) -> Nursling:
        """A grabber of production."""
        self._n_started += 1
        output = self.folder / f"grabber-{self._n_started}"
        return self.nursery.start({**self.mirror.environ, **settings}, output, "production", *arguments)

    def produce(self, n: int = 1) -> None:
        """New reports: of a few dozen jobs again and again, of disks once each, so that none makes up for another."""
        for _ in range(n):
            host, number = self.dice.choice(HOSTS), self.dice.randrange(20)
            lumi, now = self.dice.randrange(30), time.time()
            job = job_document(host, 377_001, "beam_dqm_sourceclient-live", number, lumi=lumi, reported_at=now)
            disk = diskspace_document(host, tag=f"fff_deleter_{next(self._numbers)}")
            self.simulator.upload(host, self.dice.choice((job, disk, disk, stats_document(host, at=now))))

    @contextmanager
    def producing(self, per_second: float = 60.0) -> Iterator[None]:
        """Something new all the time, as long as the block lasts."""
        stopping = threading.Event()

        def produce() -> None:
            while not stopping.wait(1.0 / per_second):
                self.produce()

        thread = threading.Thread(target=produce)
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def terms(self) -> list[int]:
        return [term for (term,) in self.place.rows("SELECT term FROM mirror.cursors ORDER BY host_id")]

    def has_terms(self, term: int) -> bool:
        """Whether every host was taken that often."""
        return min(self.terms(), default=0) >= term

    def heads(self) -> int:
        """The sum of the revisions passed: it grows when something is stored."""
        return self.place.rows("SELECT coalesce(sum(head_rev), 0) FROM mirror.cursors")[0][0]

    def is_beyond(self, heads: int) -> bool:
        return self.heads() > heads

    def is_level(self) -> bool:
        """Whether every host's head is upstream's newest revision, and its history complete."""
        rows = self.place.rows("SELECT head_rev FROM mirror.cursors WHERE tail_rev = 0")
        newest = sorted(self.simulator.stores[host].newest_rev for host in HOSTS)
        return sorted(rev or 0 for (rev,) in rows) == newest

    def is_compared(self) -> bool:
        """Whether a full comparison of every host was completed."""
        return self.place.rows("SELECT count(compared_at) FROM mirror.cursors") == [(len(HOSTS),)]

    def settle(self, seconds: float = 30.0) -> None:
        """Waits until everything that was produced has been passed."""
        wait_for(self.is_level, "the mirror is level with upstream", seconds)

    def compare(self) -> Verdict:
        return compare(self.place, self.simulator, self.counter)

    def n_locks(self) -> int:
        """Advisory locks that somebody holds: leases that were not given back."""
        statement = "SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database"
        return self.place.rows(f"{statement} WHERE locktype = 'advisory' AND datname = current_database()")[0][0]


@contextmanager
def nursery_stage(place: TestPlace, folder: Path) -> Iterator[NurseryStage]:
    """A stage for one test; what still runs at the end is told to stop."""
    counter = PayloadCounter()
    with Simulator(HOSTS, (), gateway=HOSTS[0], counter=counter) as simulator:
        stage = NurseryStage(place, folder, simulator, counter)
        stage.produce(60)
        with stage.nursery:
            yield stage
