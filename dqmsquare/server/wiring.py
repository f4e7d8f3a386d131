"""Builds what a worker process serves with. Everything that has threads or connections is made here, after the fork."""

import gc
import logging
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import jinja2

from dqmsquare.config import CLUSTERS, Config
from dqmsquare.monitoring import Heartbeats
from dqmsquare.server.alarm_watch import BehindWatch, alarm_threads
from dqmsquare.server.application import Application, make_application
from dqmsquare.server.assets import Assets
from dqmsquare.server.change_log import ChangeLog
from dqmsquare.server.control_room.room import open_control_room
from dqmsquare.server.control_room.routes import add_control_room
from dqmsquare.server.judging import make_standing
from dqmsquare.server.live import Hub
from dqmsquare.server.site import ClusterSite, Site
from dqmsquare.server.snapshots import Snapshots
from dqmsquare.server.streams import StreamPlaces
from dqmsquare.server.watched import WatchedDatabase
from dqmsquare.storage.alarm_sender import AlarmSender
from dqmsquare.storage.engine import Database, server_database
from dqmsquare.storage.listener import Listener
from dqmsquare.storage.opening import Place

_logger = logging.getLogger(__name__)
_POOL_SIZE = 12  # per cluster and worker; its listener keeps one of them
_HEARTBEAT_SECONDS = 5.0
_COLLECT_AFTER = (50_000, 20, 20)  # objects; then younger generations; Python's own: 700, 10, 10
_PROJECT = Path(__file__).parents[2]


class Worker:
    """What runs beside the application in a worker process: per cluster a listener, a hub and what watches over the
    alarms, and the heartbeat.
    """

    def __init__(self, config: Config, place: Place, heartbeats: Heartbeats) -> None:
        self._heartbeats = heartbeats
        self._stopped = threading.Event()
        self._listeners: list[Listener] = []
        self._alarm_threads: list[BehindWatch | AlarmSender] = []
        places = StreamPlaces(config.server_streams_max)
        self.clusters = {name: self._cluster(config, place, name, places) for name in CLUSTERS}

    def start(self) -> None:
        """Begins to listen, to announce and to beat."""
        for cluster in self.clusters.values():
            cluster.hub.start()
        for thread in (*self._listeners, *self._alarm_threads):
            thread.start()
        threading.Thread(target=self._beat_for_ever, name="heartbeat", daemon=True).start()

    def stop(self) -> None:
        """Ends all streams and lets no new ones begin; requests in flight are answered."""
        self._stopped.set()
        for cluster in self.clusters.values():
            cluster.hub.stop()
        for thread in (*self._listeners, *self._alarm_threads):
            thread.stop()

    def _cluster(self, config: Config, place: Place, name: str, places: StreamPlaces) -> ClusterSite:
        database = server_database(config, name, place.host, pool_size=_POOL_SIZE)
        watched = WatchedDatabase(database)
        snapshots = Snapshots(watched)
        hub = Hub(name, ChangeLog(watched), snapshots, make_standing(config.stuck_after_seconds), places)
        self._listeners.append(_listener(database, hub))
        self._alarm_threads += alarm_threads(database, config)
        return ClusterSite(name, watched, snapshots, hub)

    def _beat_for_ever(self) -> None:
        while not self._stopped.is_set():
            try:
                self._heartbeats.beat(is_ready=not any(cluster.database.is_gone for cluster in self.clusters.values()))
            except OSError:
                _logger.warning("the heartbeat cannot be written")
            self._stopped.wait(_HEARTBEAT_SECONDS)


def _listener(database: Database, hub: Hub) -> Listener:
    return Listener(database, hub.on_changes, hub.on_state)


def build_application(config: Config, place: Place, heartbeats: Heartbeats) -> Application:
    """The application of a worker process, with everything it needs running."""
    worker = Worker(config, place, heartbeats)
    site = make_site(config, worker)
    application = make_application(site)
    if config.control_room != "off":
        add_control_room(application, site, open_control_room(config, place))
    worker.start()
    call_when_ending(worker.stop)
    collect_garbage_seldom()
    return application


def collect_garbage_seldom() -> None:
    """What is there now stays, and a large page makes 100,000 objects: looking for cycles among them again and again
    took a third of the page's time (`python -m bench timeline`).
    """
    gc.freeze()
    gc.set_threshold(*_COLLECT_AFTER)


def make_site(config: Config, worker: Worker) -> Site:
    """The site with the files of static/ and templates/."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_PROJECT / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=config.development,
    )
    site = Site(config, worker.clusters, Assets(_PROJECT / "static", watch=config.development), templates)
    templates.globals.update(url=site.url, asset=site.asset)
    return site


def call_when_ending(stop: Callable[[], None]) -> None:
    """Has `stop` called, in a thread, at SIGTERM or SIGINT. To be called in the main thread.

    Granian replaces the handlers that signal.signal sets, and ends only once all answers have; the wake-up descriptor
    is written by Python itself, whatever the handler.
    """
    reading, writing = socket.socketpair()
    writing.setblocking(False)
    signal.set_wakeup_fd(writing.detach(), warn_on_full_buffer=False)  # open as long as the process lives

    def wait() -> None:
        while received := reading.recv(16):
            if {signal.SIGTERM, signal.SIGINT} & set(received):
                stop()

    threading.Thread(target=wait, name="waits for the end", daemon=True).start()
