"""What the chaos happens to: simulator, two grabbers, a server and a PostgreSQL, each a process, TLS between."""

import itertools
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg2

from dqmsquare.simulator import PayloadCounter, Simulator, Tls
from dqmsquare.simulator.documents import diskspace_document, job_document, stats_document
from dqmsquare.simulator.hostile import CHANGES
from tests.certs.authority import Authority, Pair
from tests.chaos.lossy_proxy import LossyProxy
from tests.postgres import PrivateServer, TestPlace, breakable_place
from tests.programs import Mirror, free_port, wait_for

HOSTS = ("dqmrubu-c2a06-01-01", "dqmfu-c2b03-45-01", "dqmfu-c2b04-45-01", "dqmfu-c2b05-45-01")
POLL_SECONDS = 1.0
SETTINGS = {  # durations of hours and minutes in seconds; the rest as it is in production
    "GRABBER_SLEEP_TIME_INFO": str(POLL_SECONDS),
    "GRABBER_SLEEP_TIME_STATUS": "5",
    "UPSTREAM_DEADLINE_SECONDS": "5",
    "LISTING_DEADLINE_SECONDS": "20",
    "LISTING_PAUSE_SECONDS": "5",
    "BACKOFF_MAX_SECONDS": "3",
    "AUTH_RETRY_SECONDS": "3",
    "OUTAGE_PROBE_SECONDS": "1",
    "TAKEOVER_SECONDS": "3",
    "RELIST_SECONDS": "10",
    "DQM_FFF_SECRET": "a-secret-of-the-chaos",
    "SERVER_FFF_MACHINE": HOSTS[0],
}
_TAG = "beam_dqm_sourceclient-live"
_START_SECONDS = 90.0  # of a machine that has much else to do
_N_JOBS = 25  # per host, of one run, that are reported on again and again
# What PostgreSQL is to refuse is said in a row, so that to say it waits for nobody's lock.
_REFUSALS = """
    CREATE SCHEMA chaos;
    CREATE TABLE chaos.refusal (sqlstate text);
    INSERT INTO chaos.refusal VALUES (NULL);
    CREATE FUNCTION chaos.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      DECLARE state text;
      BEGIN
        SELECT sqlstate INTO state FROM chaos.refusal;
        IF state IS NOT NULL AND random() < 0.5 THEN RAISE 'chaos' USING ERRCODE = state; END IF;
        RETURN NEW;
      END $$;
    CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON mirror.jobs FOR EACH ROW EXECUTE FUNCTION chaos.refuse();
"""


class Stage:
    """The processes, and what may be done to each."""

    def __init__(
        self, folder: Path, private: PrivateServer, place: TestPlace, proxy: LossyProxy, socket_folder: Path, seed: int
    ) -> None:
        self.place = place
        self.postgres = private
        self.proxy = proxy
        self.dice = random.Random(seed)
        self.folder = folder
        self.counter = PayloadCounter()
        self._numbers = itertools.count()
        self._authority, self._stranger = Authority(folder), Authority(folder, "stranger")
        self._tls = self._server_tls(self._authority.issue("server", hosts=["127.0.0.1"]))
        self.simulator = Simulator(
            HOSTS, (), gateway=HOSTS[0], secret=SETTINGS["DQM_FFF_SECRET"], tls=self._tls, play=True, speed=6, seed=seed,
            counter=self.counter, inner_timeout_seconds=2.0,
        )  # fmt: skip
        self._right, self._wrong = self._authority.issue("right"), self._stranger.issue("wrong")
        self._client = Pair(folder / "client.pem", folder / "client-key.pem")
        self.show_certificate(is_right=True)
        self.mirror = Mirror(
            place, self.simulator, folder, **SETTINGS, POSTGRES_HOST=str(socket_folder),
            CA_BUNDLE=str(self._authority.bundle), SERVER_GRID_CERT_PATH=str(self._client.certificate),
            SERVER_GRID_KEY_PATH=str(self._client.key),
        )  # fmt: skip
        self.grabbers: list[subprocess.Popen[bytes]] = []
        self.server: subprocess.Popen[bytes] | None = None
        self.monitoring_ports = {"server": free_port()}
        self.sql(_REFUSALS)

    def _server_tls(self, pair: Pair) -> Tls:
        return Tls(pair.certificate, pair.key, self._authority.bundle)

    # ------------------------------------------------------------------------------------------------------ processes

    def start_grabber(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Its metrics are at `monitoring_ports["grabber"]`, if it is the one that was started last."""
        port = self.monitoring_ports["grabber"] = free_port()
        return self.mirror.start("grabber.py", "production", *arguments, MONITORING_PORT=str(port))

    def start_server(self) -> subprocess.Popen[bytes]:
        return self.mirror.start("server.py", MONITORING_PORT=str(self.monitoring_ports["server"]))

    def replace_grabber(self, number: int) -> None:
        """Starts a grabber in the place of one that was told to end, and goes on first if it was stopped."""
        self.continue_process(self.grabbers[number].pid)
        self.grabbers[number].wait(15)
        self.grabbers[number] = self.start_grabber()

    def signal_grabber(self, number: int, what: signal.Signals) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.grabbers[number].pid, what)

    @contextmanager
    def all_hosts_of(self, number: int) -> Iterator[None]:
        """This grabber alone holds hosts meanwhile: the other one is stopped for longer than a silent holder may be."""
        others = [process.pid for other, process in enumerate(self.grabbers) if other != number]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            [(stopped_at,)] = self.sql("SELECT clock_timestamp()")
            theirs = "SELECT count(*) FROM mirror.leases WHERE stamped_at < %s"
            wait_for(lambda: self.sql(theirs, stopped_at) == [(0,)], "the hosts are taken over", _START_SECONDS)
            yield
        finally:
            for pid in others:
                self.continue_process(pid)

    @staticmethod
    def continue_process(pid: int) -> None:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    # ----------------------------------------------------------------------------------------------------- PostgreSQL

    def connect(self) -> Any:
        """A superuser's connection past the proxy, which may write while the database is read-only."""
        options = "-c default_transaction_read_only=off -c lock_timeout=2000"
        name = self.place.config.database_name("production")
        return psycopg2.connect(host=self.place.server.host, user="postgres", dbname=name, options=options)

    def sql(self, statement: str, *values: Any) -> list[tuple]:
        """One statement by such a connection. Raises psycopg2.Error."""
        connection = self.connect()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def refuse(self, sqlstate: str | None) -> None:
        """Half of all rows of jobs are refused with this state from now on; None: they are taken."""
        self.sql("UPDATE chaos.refusal SET sqlstate = %s", sqlstate)

    def restart_postgres(self, mode: str) -> None:
        self.postgres.stop(mode)
        self.postgres.start()

    # --------------------------------------------------------------------------------------------------- certificates

    def show_certificate(self, *, is_right: bool) -> None:
        """What the grabbers show to DQM²; replaced on disk, as a renewal does it."""
        pair = self._right if is_right else self._wrong
        for source, target in ((pair.key, self._client.key), (pair.certificate, self._client.certificate)):
            shutil.copy(source, f"{target}.new")
            Path(f"{target}.new").replace(target)

    def show_servers_certificate(self, *, is_right: bool) -> None:
        """What DQM² shows to the grabbers."""
        pair = self._stranger.issue("false-server", hosts=["127.0.0.1"])
        self.simulator.open_port(self._tls if is_right else self._server_tls(pair))

    # ------------------------------------------------------------------------------------------------------ documents

    def any_host(self) -> str:
        return self.dice.choice(HOSTS)

    def produce(self, host: str, *, change: str = "") -> None:
        """A report of one of the host's jobs, disks or of its memory, hostile if a change is named."""
        self.simulator.upload(host, self.document(host, change))

    def document(self, host: str, change: str = "") -> dict[str, Any]:
        """What a report of it looks like."""
        now, number = time.time(), self.dice.randrange(_N_JOBS)
        what = self.dice.randrange(10)
        if change or what < 7:
            document = job_document(host, 377_001, _TAG, 1000 + number, lumi=self.dice.randrange(40), reported_at=now)
        elif what < 9:  # reported on once: what is lost of it is not made up for by the next report
            document = diskspace_document(host, tag=f"fff_deleter_{next(self._numbers)}")
        else:
            document = stats_document(host, at=now)
        return document | CHANGES[change](document) if change else document


class Producer(threading.Thread):
    """Something new on some host, all the time, until `stop`."""

    def __init__(self, stage: Stage, per_second: float) -> None:
        super().__init__(name="producer", daemon=True)
        self._stage = stage
        self._pause_seconds = 1.0 / per_second
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.wait(self._pause_seconds):
            self._stage.produce(self._stage.any_host())

    def stop(self) -> None:
        self._stopping.set()
        self.join()


@contextmanager
def stage(folder: Path, seed: int) -> Iterator[Stage]:
    """Everything, started; ended with the block."""
    sockets = Path(tempfile.mkdtemp(prefix="chaos-"))  # a socket's path is short
    sockets.chmod(0o755)
    try:
        with (
            breakable_place(folder) as (private, place),
            LossyProxy(sockets, place.server.host) as proxy,
        ):
            stage = Stage(folder, private, place, proxy, sockets, seed)
            with stage.simulator:
                try:
                    stage.grabbers = [stage.start_grabber(), stage.start_grabber()]
                    stage.server = stage.start_server()
                    wait_for(lambda: stage.mirror.get("/")[0] == 200, "the server answers", _START_SECONDS)
                    yield stage
                finally:
                    for process in stage.mirror.processes:
                        if process.poll() is None:
                            stage.continue_process(process.pid)
                    stage.mirror.stop()
    finally:
        shutil.rmtree(sockets, ignore_errors=True)
