"""Processes that read, strip and store stretches side by side; they end with their parent, however it ends."""

import multiprocessing
import signal
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from dqmsquare.config import Config
from dqmsquare.errors import StoreRefused, StoreUnavailable
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber
from dqmsquare.storage.engine import Database, owner_database, translated_errors
from dqmsquare.storage.first_mirror.batches import StretchImport, Tally
from dqmsquare.storage.first_mirror.conversion import RowReader
from dqmsquare.storage.first_mirror.source import Stretch, other_database
from dqmsquare.storage.opening import Place


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the old tables are and where their rows go: `dsn` None is beside the new tables."""

    config: Config
    place: Place
    cluster: str
    dsn: str | None = None

    def database(self) -> Database:
        """The mirror's own, as its owner."""
        return owner_database(self.config, self.cluster, self.place.host, name="dqmsquare import")

    def old_engine(self) -> Engine:
        """For reading the old tables."""
        return self.database().engine if self.dsn is None else other_database(self.dsn)


@dataclass(frozen=True, slots=True)
class Reading:
    """What rows are read with: the zone of the first mirror's clock, and the names that become labels."""

    clock: str
    is_labelled: bool
    host_names: frozenset[str]

    def reader(self, origin: Origin) -> RowReader:
        """The same in every process."""
        ids = PublicIds(origin.place.key, origin.cluster)
        return RowReader(ids, Scrubber(self.host_names), ZoneInfo(self.clock), self.is_labelled)


def import_stretches(
    origin: Origin, reading: Reading, stretches: Iterable[Stretch], n_workers: int
) -> Generator[tuple[str, Tally]]:
    """What became of each stretch, with its table's name, as they are done; closed early, it waits for those at work.

    Raises StoreUnavailable.
    Processes are spawned, since connections must not be shared by a fork.
    """
    remaining = iter(stretches)
    with _workers(origin, reading, n_workers) as idle:
        busy: dict[Pipe, str] = {}
        while True:
            for pipe, stretch in zip(list(idle), remaining, strict=False):
                idle.remove(pipe)
                pipe.send(stretch)
                busy[pipe] = stretch.table
            if not busy:
                return
            answered = wait(list(busy))
            for pipe in [pipe for pipe in busy if pipe in answered]:
                yield busy.pop(pipe), _answer_of(pipe)
                idle.append(pipe)


@contextmanager
def _workers(origin: Origin, reading: Reading, n_workers: int) -> Iterator[list[Pipe]]:
    """A pipe to each; they end with the block, or when the other end of their pipe is gone."""
    context = multiprocessing.get_context("spawn")
    processes: list[SpawnProcess] = []
    pipes: list[Pipe] = []
    for _ in range(n_workers):
        ours, theirs = context.Pipe()
        process = context.Process(target=_work, args=(theirs, origin, reading), daemon=True)
        process.start()
        theirs.close()
        processes.append(process)
        pipes.append(ours)
    try:
        yield list(pipes)
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.join()


def _answer_of(pipe: Pipe) -> Tally:
    try:
        answer: Tally | StoreUnavailable = pipe.recv()
    except (EOFError, ConnectionResetError):
        raise StoreUnavailable("a process of the import ended; what it had stored is stored") from None
    if isinstance(answer, StoreUnavailable):
        raise answer
    return answer


def _work(pipe: Pipe, origin: Origin, reading: Reading) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all; the parent says when it is over
    try:
        with translated_errors(), closing(origin.old_engine().connect()) as connection:
            old_rows = connection.execution_options(isolation_level="AUTOCOMMIT")
            work = StretchImport(old_rows, origin.database(), reading.reader(origin))
            while True:
                pipe.send(work.run(pipe.recv()))
    except (StoreUnavailable, StoreRefused) as error:
        pipe.send(StoreUnavailable(str(error)))
    except (EOFError, OSError):
        pass  # nobody waits for an answer any more
