"""Wires the grabber's threads for one or both clusters, runs them until a signal, gives up when they keep failing."""

import logging
import signal
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

from dqmsquare import sd_notify
from dqmsquare.config import Config
from dqmsquare.dqm2_http import Dqm2Session, certificate_expiry
from dqmsquare.errors import StoreUnavailable
from dqmsquare.grabber.alarms import AlarmThreads, AlarmWatch
from dqmsquare.grabber.certificate_check import CertificateCheck
from dqmsquare.grabber.cluster_watch import ClusterWatch
from dqmsquare.grabber.history import History
from dqmsquare.grabber.keeper import LeaseKeeper
from dqmsquare.grabber.memory import keep_memory_small
from dqmsquare.grabber.metrics import CountedRecord, GrabberMetrics
from dqmsquare.grabber.pace import Outage, Pace
from dqmsquare.grabber.reading import DocumentReader
from dqmsquare.grabber.replication import Replication
from dqmsquare.grabber.upstream import HostFeed
from dqmsquare.grabber.worker import HostWorker
from dqmsquare.identity import PublicIds, host_label
from dqmsquare.monitoring import MonitoringServer
from dqmsquare.scrub import Scrubber
from dqmsquare.storage.alarm_sender import AlarmSender
from dqmsquare.storage.cursors import register_hosts
from dqmsquare.storage.engine import owner_database
from dqmsquare.storage.lease import Lease
from dqmsquare.storage.opening import Place, open_place

_logger = logging.getLogger(__name__)

T = TypeVar("T")

EXIT_CANNOT_START = 1
EXIT_GIVEN_UP = 70  # EX_SOFTWARE: the supervisor outside starts a fresh process
_BATCH_SECONDS = 5.0  # for the batches under way to end by themselves
_CUT_SECONDS = 3.0  # and for the threads that were waiting for DQM²
_SILENT_SECONDS = 120.0  # a worker without a sign of life for so long hangs
_CHECK_SECONDS = 1.0
_DATABASE_AGAIN_SECONDS = 2.0


class ClusterGrabber:
    """All threads of one cluster: a worker per host, the cluster's watch, the keeper of their leases, the alarms."""

    def __init__(
        self,
        cluster: str,
        config: Config,
        place: Place,
        outage: Outage,
        metrics: GrabberMetrics,
        *,
        full_check: bool = False,
    ) -> None:
        self.cluster = cluster
        self._config = config
        self._ids = PublicIds(place.key, cluster)
        self._outage = outage
        self._metrics = metrics
        self._database = owner_database(config, cluster, place.host, name=f"dqmsquare grabber {cluster}")
        self._scrubber = _scrubber(config)
        self._records: list[CountedRecord] = []
        self.workers = [self._worker(name, full_check=full_check) for name in config.machines(cluster)]
        self._watch = self._cluster_watch()
        leases = [*(worker.record.lease for worker in self.workers), self._watch.lease]
        self._keeper = LeaseKeeper(self._database, leases)
        self._alarms = AlarmThreads(self._database, self._watch.lease, config)

    @property
    def threads(self) -> Sequence[HostWorker | ClusterWatch | LeaseKeeper | AlarmWatch | AlarmSender]:
        """In the order in which they are started and stopped."""
        return [self._keeper, *self.workers, self._watch, *self._alarms]

    def start(self) -> None:
        """Notes which hosts are this cluster's, then starts the threads. Raises StoreUnavailable."""
        machines = self._config.machines(self.cluster)
        with self._database.writing() as connection:
            register_hosts(connection, {self._ids.host(name): host_label(name) for name in machines})
        for thread in self.threads:
            thread.start()

    def is_alive(self) -> bool:
        """Whether every thread gave a sign of life within two minutes; also where the database is waited for."""
        now, stored_at = time.monotonic(), {record.host_id: record.stored_at for record in self._records}
        beats = [(worker, max(worker.beat_at, stored_at[worker.record.host_id])) for worker in self.workers]
        others = [(thread, thread.beat_at) for thread in (self._keeper, self._watch, self._alarms.watch)]
        return all(not thread.ident or now - beat_at < _SILENT_SECONDS for thread, beat_at in [*beats, *others])

    def is_ready(self) -> bool:
        """Whether the database is reached: then the hosts are grabbed, or could be taken over at once."""
        return self._keeper.reaches_database()

    def cut_short(self) -> None:
        """Ends the questions that are under way."""
        for worker in self.workers:
            worker.cut_short()
        self._watch.cut_short()
        self._alarms.cut_short()

    def _worker(self, name: str, *, full_check: bool) -> HostWorker:
        host_id, config = self._ids.host(name), self._config
        label = f"{host_label(name)} ({host_id})"
        count_error = partial(self._metrics.count_error, self.cluster, host_id)
        count_odd = partial(self._metrics.count_odd, self.cluster, host_id)
        pace = Pace(
            f"host {label}",
            config.grabber_sleep_time_info,
            config,
            self._outage,
            time.monotonic,
            count_error,
        )
        record = CountedRecord(
            self._database,
            host_id,
            takeover_seconds=config.takeover_seconds,
            cluster=self.cluster,
            metrics=self._metrics,
            pace=pace,
        )
        self._records.append(record)

        def new_feed() -> HostFeed:
            return HostFeed(Dqm2Session(config), config, name, host_id, count_odd)

        session = Dqm2Session(config)
        feed = HostFeed(session, config, name, host_id, count_odd)
        reader = DocumentReader(feed, self._ids, self._scrubber, lambda: datetime.now(UTC), count_odd)
        history = History(record, reader, new_feed, self._ids, config, on_failure=count_error)
        if full_check:
            history.ask_for_comparison()
        replication = Replication(feed, record, reader, history, self._ids)
        return HostWorker(label, session, replication, record, pace)

    def _cluster_watch(self) -> ClusterWatch:
        config = self._config
        lease = Lease(self._database, "cluster", takeover_seconds=config.takeover_seconds)
        name = f"cluster status of {self.cluster}"
        pace = Pace(name, config.grabber_sleep_time_status, config, self._outage, time.monotonic)
        return ClusterWatch(
            self.cluster,
            Dqm2Session(config),
            lease=lease,
            pace=pace,
            ids=self._ids,
            scrubber=self._scrubber,
            config=config,
            on_quarantine=self._metrics.quarantine.labels(self.cluster).set,
        )


def _scrubber(config: Config) -> Scrubber:
    return Scrubber({*config.fff_production_machines, *config.fff_playback_machines, config.server_fff_machine})


def run_grabber(clusters: Sequence[str], config: Config, *, full_check: bool = False) -> int:
    """Grabs until SIGTERM or SIGINT. Returns the exit status: 0, 70 when the threads kept failing, 1 without its port.

    A database that is away is waited for. Raises SchemaMismatch or KeyMismatch where tables or key are not ours,
    StoreUnavailable where the embedded database does not start.
    """
    keep_memory_small()
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    metrics = GrabberMetrics(_certificate_expiry(config))
    grabbers: list[ClusterGrabber] = []
    try:
        monitoring = _monitoring_server(config, grabbers, metrics)
    except OSError as error:
        _logger.critical(
            "MONITORING_PORT %d cannot be used (%s): choose another, or 0", config.monitoring_port, error.strerror
        )
        return EXIT_CANNOT_START
    end_telling = sd_notify.keep_telling(lambda: all(grabber.is_alive() for grabber in grabbers))
    # The embedded database is started here: where it does not start, waiting does not help.
    place = open_place(config) if config.embedded else _when_reachable(lambda: open_place(config), stopping)
    status = 0 if place is None else _grab(clusters, config, place, metrics, grabbers, stopping, full_check=full_check)
    end_telling()
    if monitoring is not None:
        monitoring.stop()
    _logger.info("stopped")
    return status


def _grab(
    clusters: Sequence[str],
    config: Config,
    place: Place,
    metrics: GrabberMetrics,
    grabbers: list[ClusterGrabber],
    stopping: threading.Event,
    *,
    full_check: bool,
) -> int:
    scrubber = _scrubber(config)
    outage = Outage(config.outage_probe_seconds, time.monotonic, lambda error: scrubber.scrub(str(error)).text)
    # Into the list that the monitoring looks at.
    grabbers += (ClusterGrabber(cluster, config, place, outage, metrics, full_check=full_check) for cluster in clusters)
    for grabber in grabbers:
        _when_reachable(grabber.start, stopping)
    sd_notify.ready()
    _logger.info("grabbing %s", ", ".join(f"{g.cluster} ({len(g.workers)} hosts)" for g in grabbers))
    status = _watch_over(grabbers, stopping, CertificateCheck(config, time.monotonic))
    sd_notify.stopping()
    _stop(grabbers)
    return status


def _when_reachable(do: Callable[[], T], stopping: threading.Event) -> T | None:
    """What `do` returns, once the database is there; None if the process is to end before that."""
    is_told = False
    while not stopping.is_set():
        try:
            return do()
        except StoreUnavailable as error:
            if not is_told:
                _logger.warning("waiting for the database: %s", error)
            is_told = True
            stopping.wait(_DATABASE_AGAIN_SECONDS)
    return None


def _monitoring_server(
    config: Config, grabbers: Sequence[ClusterGrabber], metrics: GrabberMetrics
) -> MonitoringServer | None:
    """The monitoring port, which answers from the first moment on. Raises OSError where it is taken."""
    if not config.monitoring_port:
        return None
    server = MonitoringServer(
        config.monitoring_port,
        config.server_bind,
        is_alive=lambda: all(grabber.is_alive() for grabber in grabbers),
        is_ready=lambda: bool(grabbers) and all(grabber.is_ready() for grabber in grabbers),
        metrics=metrics.text,
    )
    server.start()
    return server


def _certificate_expiry(config: Config) -> Callable[[], datetime] | None:
    if not config.cmsweb_frontend_proxy_url.startswith("https://"):
        return None
    return lambda: certificate_expiry(config.server_grid_cert_path)


def _watch_over(
    grabbers: Sequence[ClusterGrabber], stopping: threading.Event, check_certificate: CertificateCheck
) -> int:
    while not stopping.wait(_CHECK_SECONDS):
        dead = [t.name for g in grabbers for t in g.threads if not t.is_alive()]
        # A message that cannot be sent is no reason to stop grabbing.
        watched = [t for g in grabbers for t in g.threads if not isinstance(t, AlarmSender)]
        failing = [thread.name for thread in watched if thread.crashes.too_many]
        if dead or failing:
            _logger.critical("giving up, to be started afresh: %s", ", ".join(sorted({*dead, *failing})))
            return EXIT_GIVEN_UP
        check_certificate()
    return 0


def _stop(grabbers: Sequence[ClusterGrabber]) -> None:
    """Lets the batches under way end; what takes longer is rolled back by the database when its connection ends."""
    threads = [thread for grabber in grabbers for thread in grabber.threads]
    for thread in threads:
        thread.stop()
    ends_at = time.monotonic() + _BATCH_SECONDS
    for thread in threads:
        thread.join(max(0.0, ends_at - time.monotonic()))
    for grabber in grabbers:
        grabber.cut_short()
    for thread in threads:
        thread.join(max(0.0, ends_at + _CUT_SECONDS - time.monotonic()))
