"""The parent process: checks everything before Granian starts, then runs its workers and the monitoring port."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.server import Server

from dqmsquare import sd_notify
from dqmsquare.config import Config, setting_fields
from dqmsquare.errors import KeyMismatch, SchemaMismatch, StoreUnavailable
from dqmsquare.logs import start_logging
from dqmsquare.monitoring import (
    Heartbeats,
    MonitoringServer,
    collect_metrics_in,
    collected_metrics,
    prepare_folder,
)
from dqmsquare.storage.opening import Place, open_place

_logger = logging.getLogger(__name__)
_EXIT_WRONG_DATABASE = 78  # EX_CONFIG
_EXIT_CANNOT_START = 1
_DATABASE_AGAIN_SECONDS = 2.0
_KILL_SECONDS = 8  # Granian waits for streams for ever; ours end in a fraction of this
_THREADS_BESIDE_STREAMS = 64
_BACKLOG = 4_096
_HEADERS_WITHIN_MS = 30_000
_HEADERS_MAX_BYTES = 64 * 1024

# Builds the WSGI application in a worker process.
BuildApplication = Callable[[Config, Place, Heartbeats], Any]


def run(config: Config, build: BuildApplication) -> None:
    """Serves until SIGTERM. Ends with status 78 where tables or key are not this program's."""
    start_logging(config, "server", debug=config.server_debug)
    heartbeats = prepare_monitoring(config.tmp_dir)
    hide_secrets()
    waiting = threading.Event()
    waiting.set()
    monitoring = _monitoring_server(config, heartbeats, waiting)
    place = check_database(config)
    waiting.clear()
    # So many threads are wanted: each open stream has one, which sleeps.
    logging.getLogger("_granian").addFilter(lambda record: "Python threads" not in record.getMessage())
    server = Server(**granian_options(config))
    end_telling = sd_notify.keep_telling(heartbeats.all_alive, ready_with_it=True)
    server.on_startup(lambda: _logger.info("listening at %s port %d", config.server_bind, config.server_port))
    try:
        server.serve(target_loader=WorkerLoader(build, config, place, heartbeats), wrap_loader=False)
    finally:
        sd_notify.stopping()
        end_telling()
        if monitoring is not None:
            monitoring.stop()


class WorkerLoader:
    """What Granian calls in each worker process, before it serves: a new process needs a log queue of its own."""

    def __init__(self, build: BuildApplication, config: Config, place: Place, heartbeats: Heartbeats) -> None:
        self._arguments = (config, place, heartbeats)
        self._build = build

    def __call__(self) -> Any:
        config = self._arguments[0]
        start_logging(config, "server", debug=config.server_debug)
        return self._build(*self._arguments)


def granian_options(config: Config) -> dict[str, Any]:
    """Arguments of granian.Server, each measured: see docs/architecture.md."""
    threads = config.server_streams_max + _THREADS_BESIDE_STREAMS
    return {
        "target": "dqmsquare",
        "address": config.server_bind,
        "port": config.server_port,
        "interface": Interfaces.WSGI,
        "http": HTTPModes.http1,
        "http1_settings": HTTP1Settings(header_read_timeout=_HEADERS_WITHIN_MS, max_buffer_size=_HEADERS_MAX_BYTES),
        "workers": config.server_workers,
        "blocking_threads": threads,
        "backpressure": 2 * threads,
        "backlog": _BACKLOG,
        "respawn_failed_workers": True,
        "workers_kill_timeout": _KILL_SECONDS,
        "log_level": LogLevels.warning,
        # Incremental, so that Granian leaves our handlers alone and its lines go through them.
        "log_dictconfig": {"incremental": True, "formatters": {}, "handlers": {}, "loggers": {}},
    }


def prepare_monitoring(tmp_dir: Path) -> Heartbeats:
    """Empty folders for metrics and heartbeats. Ends the process where TMP_DIR cannot be written."""
    try:
        collect_metrics_in(prepare_folder(tmp_dir, "metrics"))
        return Heartbeats(prepare_folder(tmp_dir, "heartbeats"))
    except OSError as error:
        _end(_EXIT_CANNOT_START, f"TMP_DIR {tmp_dir} cannot be written ({type(error).__name__}): name another folder")


def hide_secrets() -> None:
    """Takes the secrets out of the environment, which Granian puts into that of every request."""
    for field in setting_fields():
        if field.metadata["secret"]:
            os.environ.pop(field.metadata["name"], None)


def check_database(config: Config) -> Place:
    """The database, once it is there, with tables and key checked; ends the process where they are wrong."""
    is_told = False
    while True:
        try:
            return open_place(config, as_server=True)
        except (SchemaMismatch, KeyMismatch) as error:
            _end(_EXIT_WRONG_DATABASE, str(error))
        except StoreUnavailable as error:
            if config.embedded:
                _end(_EXIT_CANNOT_START, str(error))
            if not is_told:
                _logger.warning("waiting for the database: %s", error)
            is_told = True
            time.sleep(_DATABASE_AGAIN_SECONDS)


def _monitoring_server(config: Config, heartbeats: Heartbeats, waiting: threading.Event) -> MonitoringServer | None:
    """Alive is also what waits for the database: starting it again would not help."""
    if not config.monitoring_port:
        return None
    try:
        server = MonitoringServer(
            config.monitoring_port,
            config.server_bind,
            is_alive=lambda: waiting.is_set() or heartbeats.all_alive(),
            is_ready=heartbeats.all_ready,
            metrics=collected_metrics,
        )
    except OSError as error:
        port = config.monitoring_port
        _end(_EXIT_CANNOT_START, f"MONITORING_PORT {port} cannot be used ({error.strerror}): choose another, or 0")
    server.start()
    return server


def _end(status: int, message: str) -> NoReturn:
    print(message, file=sys.stderr)  # noqa: T201  (for whoever started it; the log's queue may not be written any more)
    _logger.error("%s", message)
    sys.exit(status)
