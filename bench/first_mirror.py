"""The import of the first mirror's rows beside COPY of the same rows on the same server: rows per second, and memory.

By itself: python -m bench.first_mirror [ROWS]; the claim is about 100,000 of them.
"""

import gzip
import json
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import psycopg2

from bench.figures import Figure, table
from dqmsquare.simulator.clients import CLIENTS
from dqmsquare.simulator.documents import job_document
from tests.first_mirror_tables import FirstMirror, run_row
from tests.postgres import TestPlace, fresh_place

_RECORDED = Path(__file__).resolve().parent.parent.parent / "shared" / "data" / "p5_run358788.jsonl.gz"
_ROOT = Path(__file__).resolve().parent.parent
_AT = 1663242347.0
_FIRST_RUN = 300_000
_LOG_CHARACTERS = 22_000  # of both ends
_ROWS_AT_A_TIME = 620
_SAMPLE_SECONDS = 0.2
_N_CORES = 2


def measure(place: TestPlace, folder: Path, n_rows: int = 9_300) -> list[Figure]:
    """100,000 rows take 2 GB of disk for a while."""
    del folder
    first_mirror = FirstMirror(place.server.host, place.config.database_name("production"))
    first_mirror.make_tables()
    _fill(first_mirror, n_rows)
    [(n_characters,)] = first_mirror.execute("SELECT avg(length(stdlog_start) + length(stdlog_end))::float8 FROM runs")
    copy_seconds, copy_busy_seconds = _copy(first_mirror)
    busy_before = _busy_seconds(place)
    import_seconds, samples = _import(place)
    busy_seconds = _busy_seconds(place) - busy_before
    [(n_imported,)] = place.rows("SELECT count(*) FROM mirror.jobs WHERE has_log")
    assert n_imported == n_rows, (n_imported, n_rows)
    quarter = len(samples) // 4
    return [
        Figure(
            what=f"import of {n_rows:,} rows of the first mirror",
            unit="rows/s",
            seen=n_rows / import_seconds,
            limit=n_rows / copy_seconds,
            of_limit=1 / 3,
            note=f"logs of {n_characters / 1000:.0f} KB",
        ),
        Figure(
            what="the same on two cores of its own, by time of CPU",
            unit="rows/s",
            seen=n_rows / (busy_seconds / _N_CORES),
            limit=n_rows / copy_busy_seconds,
            of_limit=1 / 3,
            note=f"{busy_seconds / n_rows * 1000:.2f} ms a row, PostgreSQL's too; COPY's process that reads in: "
            f"{copy_busy_seconds / n_rows * 1000:.2f} ms",
        ),
        Figure(
            what="its memory at the end, of that after a quarter",
            unit="times",
            seen=max(samples[-quarter:]) / max(samples[quarter : 2 * quarter]),
            is_cost=True,
            less_than=1.2,
            note=f"all its processes hold {max(samples):.0f} MB at most",
        ),
    ]


def _busy_seconds(place: TestPlace) -> float:
    """CPU of processes that have ended: this one's children, and connections of PostgreSQL's."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    postmaster = int((Path(place.server.host) / "postmaster.pid").read_text().split()[0])
    return usage.ru_utime + usage.ru_stime + sum(_cpu_seconds(postmaster)[2:])


def _cpu_seconds(pid: int) -> list[float]:
    """In user mode and in the kernel, its own and of its children that have ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return [int(field) / os.sysconf("SC_CLK_TCK") for field in fields[11:15]]


def _documents() -> list[dict[str, Any]]:
    """A run's jobs: the recorded ones where they are, else the simulator's."""
    if _RECORDED.exists():
        with gzip.open(_RECORDED) as lines:
            documents = [json.loads(line)["doc"] for line in lines]
        return [document for document in documents if document["type"] == "dqm-source-state"]
    return [
        job_document(f"fu-c2f11-11-0{number % 4 + 1}", 358788, client.tag, 1000 + number, lumi=99, reported_at=_AT)
        for number, client in enumerate(CLIENTS)
    ]


def _fill(first_mirror: FirstMirror, n_rows: int) -> None:
    documents = [json.dumps(_shortened(document)) for document in _documents()]
    rows = []
    for number in range(n_rows):
        # Each run has a number of its own in its ids and in its logs, so that no two logs are alike.
        run = str(_FIRST_RUN + number // len(documents))
        rows.append(run_row(json.loads(documents[number % len(documents)].replace("358788", run))))
        if len(rows) == _ROWS_AT_A_TIME or number == n_rows - 1:
            first_mirror.insert("runs", rows)
            rows = []
    with closing(psycopg2.connect(first_mirror.dsn)) as connection:
        connection.autocommit = True
        connection.cursor().execute("VACUUM ANALYZE runs")


def _shortened(document: dict[str, Any]) -> dict[str, Any]:
    """Its log cut to whole lines of half the length that is measured with, at each end."""
    extra = document["extra"]
    for name, step in (("stdlog_start", 1), ("stdlog_end", -1)):
        lines, n_left = [], _LOG_CHARACTERS // 2
        for line in extra[name][::step]:
            n_left -= len(line)
            if n_left < 0:
                break
            lines.append(line)
        extra[name] = lines[::step]
    return document


def _copy(first_mirror: FirstMirror) -> tuple[float, float]:
    """Out of one table and into another of the same shape, at the same time.

    Returns seconds, and seconds of CPU of the connection that has most to do.
    """
    first_mirror.execute("CREATE TABLE copied (LIKE runs INCLUDING ALL)")
    read_end, write_end = os.pipe()

    def copy_out() -> None:
        with (
            os.fdopen(write_end, "wb") as file,
            closing(psycopg2.connect(first_mirror.dsn)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.copy_expert("COPY (SELECT * FROM runs) TO STDOUT", file)

    began_at = time.perf_counter()
    thread = threading.Thread(target=copy_out)
    thread.start()
    with (
        os.fdopen(read_end, "rb") as file,
        closing(psycopg2.connect(first_mirror.dsn)) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.copy_expert("COPY copied FROM STDIN", file, 65_536)
        connection.commit()
        busy_seconds = sum(_cpu_seconds(connection.get_backend_pid())[:2])
    thread.join()
    seconds = time.perf_counter() - began_at
    first_mirror.execute("DROP TABLE copied")
    return seconds, busy_seconds


def _import(place: TestPlace) -> tuple[float, list[float]]:
    command = [sys.executable, "db.py", "import-first-mirror", "--cluster", "production"]
    began_at = time.perf_counter()
    process = subprocess.Popen(command, cwd=_ROOT, env={**os.environ, **place.environ}, stdout=subprocess.DEVNULL)
    samples = []
    while process.poll() is None:
        samples.append(sum(map(_resident_mb, [process.pid, *_children(process.pid)])))
        time.sleep(_SAMPLE_SECONDS)
    seconds = time.perf_counter() - began_at
    assert process.returncode == 0, process.returncode
    return seconds, samples


def _children(pid: int) -> list[int]:
    return [int(child) for child in _read(Path(f"/proc/{pid}/task/{pid}/children")).split()]


def _resident_mb(pid: int) -> float:
    fields = dict(line.partition(":")[::2] for line in _read(Path(f"/proc/{pid}/status")).splitlines())
    return int(fields.get("VmRSS", "0 kB").split()[0]) / 1024


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # a process that has just ended
        return ""


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name, fresh_place(Path(name)) as fresh:
        print(table(measure(fresh, Path(name), *map(int, sys.argv[1:2]))))
