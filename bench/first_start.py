"""A first start against a host with 200,000 headers: `python -m bench.first_start [headers] [documents waited for]`."""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench.figures import Figure, table
from bench.grabbing import grabbing
from bench.ready_upstream import FIRST_COPY_RUN, JOBS_OF_A_RUN, documents_of_one_host, ready_upstream
from tests.postgres import TestPlace, fresh_place

N_HEADERS = 200_000
N_WAITED = 20_000  # documents; all of them would be the same again, ten times
_N_MADE = 2_000  # documents; the others are copies of these
_LIMIT_SECONDS = 600.0


@dataclass(frozen=True, slots=True)
class FirstStart:
    """What was seen. `newest_seconds`: from the process's start to its newest run in the database."""

    n_headers: int
    n_documents: int
    newest_seconds: float
    documents_per_second: float
    early_mb: float  # resident when a quarter was stored
    late_mb: float  # and at the end
    highest_mb: float

    def figures(self) -> list[Figure]:
        """Lines for the table."""
        behind = f"{self.n_headers:,} headers behind"
        return [
            Figure(what=f"newest run stored, {behind}", unit="s", seen=self.newest_seconds, is_cost=True, less_than=5),
            Figure(what=f"history stored, {behind}", unit="documents/s", seen=self.documents_per_second),
            Figure(what=f"grabber's memory, {behind}", unit="MB", seen=self.highest_mb, is_cost=True, less_than=120),
            Figure(
                what="the same, growth while three quarters of the documents are stored",
                unit="MB",
                seen=max(self.late_mb - self.early_mb, 0.0),
                is_cost=True,
                less_than=12,
            ),
        ]


def measure(place: TestPlace, folder: Path, n_headers: int = N_HEADERS, n_waited: int = N_WAITED) -> FirstStart:
    """Starts a grabber on an empty database."""
    documents = documents_of_one_host(min(_N_MADE, n_headers))
    newest_run = FIRST_COPY_RUN + (n_headers - 1) // JOBS_OF_A_RUN
    with ready_upstream(folder, documents, n_headers) as url, grabbing(place, folder, url) as grabber:
        while not grabber.ask(f"SELECT max(run) FROM mirror.runs WHERE run = {newest_run}"):
            assert grabber.seconds() < _LIMIT_SECONDS, (folder / "grabber-output").read_text()
            time.sleep(0.01)
        newest_seconds = grabber.seconds()
        begun_at = grabber.wait_for_jobs(n_waited // 4, _LIMIT_SECONDS)
        n_begun, early_mb = grabber.n_jobs(), grabber.memory_mb("VmRSS")
        ended_at = grabber.wait_for_jobs(n_waited, _LIMIT_SECONDS)
        per_second = (grabber.n_jobs() - n_begun) / (ended_at - begun_at)
        late_mb, highest_mb = grabber.memory_mb("VmRSS"), grabber.memory_mb("VmHWM")
    return FirstStart(n_headers, n_waited, newest_seconds, per_second, early_mb, late_mb, highest_mb)


def main(arguments: list[str]) -> None:
    """Measures on a database of its own and prints."""
    sizes = [int(argument) for argument in arguments]
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name, fresh_place(Path(name)) as place:
        print(table(measure(place, Path(name), *sizes).figures()))


if __name__ == "__main__":
    main(sys.argv[1:])
