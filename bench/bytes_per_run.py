"""Bytes in the database per run of about 31 jobs, beside today's tables with the same runs: logs, series, deliveries.

`python -m bench.bytes_per_run [runs] [FILE…]`; FILE has lines `{"host": …, "doc": …}`, such as a run of Point 5.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg2

from bench import todays_way_grabber
from bench.figures import Figure, table
from dqmsquare.documents import AnyDocument, read_document
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber
from dqmsquare.simulator import Simulator
from dqmsquare.simulator.simulator import read_documents
from dqmsquare.storage.host_record import HostRecord
from tests.postgres import KEY, TestPlace, fresh_place

N_RUNS = 60
_HOSTS = ("dqmrubu-c2a06-01-01", "fu-c2f11-11-04")
_BATCH = 100
_N_COPIES = 60  # of a real run, since the pages of a table say little of one
_GRAPHS = """
CREATE TABLE IF NOT EXISTS public.todays_graphs (run INT PRIMARY KEY, rev INT, id TEXT, timestamp TIMESTAMPTZ,
    global_start TIMESTAMPTZ, stream_data TEXT, hostname TEXT)
"""
_SIZE = "SELECT sum(pg_total_relation_size(name::regclass)) FROM unnest(%s) name"
_MIRROR = ("mirror.job_logs", "mirror.job_series", "mirror.deliveries")
_SUMMARIES = ("mirror.jobs", "mirror.runs", "mirror.run_clients", "mirror.run_listings")
_TODAYS = ("public.todays_runs", "public.todays_graphs")


@dataclass(frozen=True, slots=True)
class Bytes:
    """Per run of `n_jobs` jobs on average, indexes included."""

    n_jobs: float
    mirror: float
    summaries: float
    todays: float

    def figures(self, source: str = "simulated") -> list[Figure]:
        """Lines for the table."""
        jobs = f"a run of {self.n_jobs:.0f} jobs, {source}"
        return [
            Figure(
                what=f"logs, series and files of {jobs}",
                unit="KB",
                seen=self.mirror / 1000,
                todays=self.todays / 1000,
                is_cost=True,
                times_todays=3,
            ),
            Figure(what=f"what lists are read from, of {jobs}", unit="KB", seen=self.summaries / 1000, is_cost=True),
        ]


def simulated(n_runs: int) -> list[dict[str, Any]]:
    """The last states of the documents of so many runs."""
    simulator = Simulator(production_hosts=_HOSTS, playback_hosts=(), history_runs=n_runs)
    stores = [simulator.stores[host] for host in _HOSTS]
    return [document for store in stores for document in store.documents(store.newest_ids(len(store)))]


def measure(place: TestPlace, folder: Path, n_runs: int = N_RUNS) -> Bytes:
    """Of simulated runs."""
    del folder
    return _stored_both_ways(place, simulated(n_runs))


def _stored_both_ways(place: TestPlace, documents: list[dict[str, Any]]) -> Bytes:
    jobs = [document for document in documents if document["type"] == "dqm-source-state"]
    files = {document["run"]: document for document in documents if document["type"] == "dqm-files"}
    runs = {document["run"] for document in jobs}
    with psycopg2.connect(**todays_way_grabber.connect_arguments(place)) as connection, connection.cursor() as cursor:
        for statement in (todays_way_grabber.TABLE, _GRAPHS):
            cursor.execute(statement)
        before = [_size(cursor, names) for names in (_MIRROR, _SUMMARIES, _TODAYS)]
        for document in jobs:
            row = todays_way_grabber.row_of(document)
            cursor.execute(f"INSERT INTO public.todays_runs VALUES ({', '.join(['%s'] * len(row))})", row)
        for run, document in files.items():
            values = (run, document["_rev"], document["_id"], repr(document["extra"]["streams"]), document["hostname"])
            cursor.execute("INSERT INTO public.todays_graphs VALUES (%s, %s, %s, now(), now(), %s, %s)", values)
        connection.commit()
        _store(place, documents)
        after = [_size(cursor, names) for names in (_MIRROR, _SUMMARIES, _TODAYS)]
    mirror, summaries, todays = ((one - other) / len(runs) for one, other in zip(after, before, strict=True))
    return Bytes(len(jobs) / len(runs), mirror, summaries, todays)


def _size(cursor: psycopg2.extensions.cursor, names: tuple[str, ...]) -> int:
    cursor.execute(_SIZE, [list(names)])
    (size,) = cursor.fetchone() or (0,)
    return int(size)


def _store(place: TestPlace, documents: list[dict[str, Any]]) -> None:
    ids, scrubber = PublicIds(KEY, "production"), Scrubber(_HOSTS)

    def read(document: dict[str, Any]) -> AnyDocument:
        return read_document(document, received_at=datetime.now(UTC), ids=ids, scrubber=scrubber)

    record = HostRecord(place.owner(), ids.host(_HOSTS[1]), takeover_seconds=10)
    assert record.hold()
    for start in range(0, len(documents), _BATCH):
        record.store([read(document) for document in documents[start : start + _BATCH]])
    record.release()


def main(n_runs: int, paths: list[Path]) -> None:
    """Measures on databases of its own and prints."""
    figures = []
    sources = {"simulated": simulated(n_runs)}
    for path in paths:
        real = [document for _, document in read_documents(path)]
        sources[path.stem] = [_renamed(document, number) for number in range(_N_COPIES) for document in real]
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name, fresh_place(Path(name)) as place:
        for source, documents in sources.items():
            figures += _stored_both_ways(place, documents).figures(source)
    print(table(figures))


def _renamed(document: dict[str, Any], number: int) -> dict[str, Any]:
    changed = {"_id": f"{document['_id']}{number}", "_rev": number + 1, "timestamp": time.time()}
    return document | changed | ({"run": document["run"] + number} if document.get("run") else {})


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else N_RUNS, [Path(name) for name in sys.argv[2:]])
