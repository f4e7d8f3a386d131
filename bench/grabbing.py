"""A grabber as a process of its own, against an upstream whose answers are ready; what it costs and how far it is."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2

from bench.ready_upstream import HOST
from tests.postgres import TestPlace
from tests.programs import ROOT


@dataclass(frozen=True, slots=True)
class Grabbing:
    """A grabber that runs, and a connection to what it stores."""

    process: subprocess.Popen[bytes]
    connection: psycopg2.extensions.connection
    began_at: float  # monotonic s

    def seconds(self) -> float:
        """Since it was started."""
        return time.monotonic() - self.began_at

    def n_jobs(self) -> int:
        """How many it stored so far."""
        return int(self.ask("SELECT count(*) FROM mirror.jobs"))

    def ask(self, question: str) -> int:
        """The one number that is the answer."""
        with self.connection.cursor() as cursor:
            cursor.execute(question)
            (answer,) = cursor.fetchone() or (0,)
            return int(answer or 0)

    def wait_for_jobs(self, n_jobs: int, limit_seconds: float) -> float:
        """When so many were stored, in monotonic s."""
        while self.n_jobs() < n_jobs:
            assert self.process.poll() is None, "the grabber ended"
            assert self.seconds() < limit_seconds, f"{self.n_jobs()} of {n_jobs} in {limit_seconds} s"
            time.sleep(0.02)
        return time.monotonic()

    def memory_mb(self, name: str) -> float:
        """VmRSS or VmHWM of the process."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(f"{name}:"))


@contextmanager
def grabbing(place: TestPlace, folder: Path, url: str, **settings: str) -> Iterator[Grabbing]:
    """`python grabber.py production` until the block ends."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        **place.environ,
        "CMSWEB_FRONTEND_PROXY_URL": url,
        "SERVER_FFF_MACHINE": "dqmrubu-c2a06-03-01",
        "FFF_PRODUCTION_MACHINES": HOST,
        "LOG_DIR": str(folder / "log"),
        "TMP_DIR": str(folder / "tmp"),
        **settings,
    }
    database = place.config.database_name("production")
    connection = psycopg2.connect(host=place.server.host, user="postgres", dbname=database)
    connection.autocommit = True
    command = [sys.executable, "grabber.py", "production"]
    with (folder / "grabber-output").open("ab") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=output, stderr=output)
    try:
        yield Grabbing(process, connection, time.monotonic())
    finally:
        process.terminate()
        process.wait(20)
        connection.close()
