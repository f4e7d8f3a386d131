"""The monitoring port: /metrics, /healthz and /readyz, and the heartbeats of processes that cannot be asked."""

import contextlib
import os
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

_ALIVE_SECONDS = 30.0
_REQUEST_SECONDS = 10.0
_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
_READY, _NOT_READY = b"1", b"0"


class MonitoringServer:
    """Answers on a port of its own, in threads of its own.

    `is_alive` and `is_ready` are called at each question and must not wait for the database longer than a probe does;
    `metrics` returns the text to scrape. Raises OSError where the port is taken.
    """

    def __init__(
        self,
        port: int,
        bind: str,
        *,
        is_alive: Callable[[], bool],
        is_ready: Callable[[], bool],
        metrics: Callable[[], bytes],
    ) -> None:
        answers = {
            "/metrics": lambda: (200, metrics()),
            "/healthz": lambda: _verdict(is_alive()),
            "/readyz": lambda: _verdict(is_ready()),
        }
        self._server = _HttpServer((bind, port), _handler(answers))

    @property
    def port(self) -> int:
        """The port it listens on, also where any free one was asked for."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begins to answer."""
        threading.Thread(target=self._server.serve_forever, name="monitoring", daemon=True).start()

    def stop(self) -> None:
        """Ends; to be called after start."""
        self._server.shutdown()
        self._server.server_close()


class Heartbeats:
    """A file per process in `folder`: its time is the heartbeat, its one byte says whether the process is ready.

    The time is the machine's monotonic clock, which all its processes share: when the other clock is set, nobody must
    look dead, and nobody who hangs alive.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._clock = clock

    def beat(self, *, is_ready: bool) -> None:
        """To be called by each process every few seconds. A full disk does not stop it: the file is written over."""
        path = self._folder / str(os.getpid())
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            with contextlib.suppress(OSError):
                os.pwrite(descriptor, _READY if is_ready else _NOT_READY, 0)
            os.utime(descriptor, (self._clock(), self._clock()))
        finally:
            os.close(descriptor)

    def all_alive(self) -> bool:
        """Whether there is a process, and each of them has beaten within 30 s."""
        ages = [self._clock() - path.stat().st_mtime for path in self._living()]
        return bool(ages) and max(ages) < _ALIVE_SECONDS

    def all_ready(self) -> bool:
        """The same, and each said that it is ready."""
        return self.all_alive() and all(path.read_bytes() == _READY for path in self._living())

    def _living(self) -> list[Path]:
        """A process that was replaced leaves its file behind."""
        return [path for path in self._folder.iterdir() if path.name.isdecimal() and _is_running(int(path.name))]


def prepare_folder(tmp_dir: Path, name: str) -> Path:
    """An empty folder of that name for this start, so that nothing of the last one is taken for alive."""
    folder = tmp_dir / name
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    return folder


def collect_metrics_in(folder: Path) -> None:
    """Several processes count into `folder`. To be called before anything imports prometheus_client."""
    os.environ[_FOLDER_VARIABLE] = str(folder)


def collected_metrics() -> bytes:
    """What all processes have counted, where collect_metrics_in was called."""
    from prometheus_client import CollectorRegistry, generate_latest, multiprocess  # noqa: PLC0415  (after the folder)

    folder = os.environ[_FOLDER_VARIABLE]
    for path in Path(folder).glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        if not _is_running(pid):
            multiprocess.mark_process_dead(pid)  # type: ignore[no-untyped-call]
    registry = CollectorRegistry()
    multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return generate_latest(registry)


def own_metrics() -> bytes:
    """What this process has counted, where it is the only one."""
    from prometheus_client import generate_latest  # noqa: PLC0415  (see collected_metrics)

    return generate_latest()


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _verdict(is_good: bool) -> tuple[int, bytes]:
    return (200, b"ok\n") if is_good else (503, b"no\n")


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 16

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A scraper that hangs up is nobody's fault."""


def _handler(answers: dict[str, Callable[[], tuple[int, bytes]]]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _REQUEST_SECONDS
        server_version, sys_version = "dqmsquare", ""

        def do_GET(self) -> None:
            answer = answers.get(self.path.partition("?")[0])
            status, body = answer() if answer else (404, b"there is /metrics, /healthz and /readyz\n")
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002  (http.server's word)
            """A line for each probe would be most of the log."""

    return Handler
