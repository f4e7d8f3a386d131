"""The mirror's programs as processes of their own, against the simulator, for tests that look from outside."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dqmsquare.simulator import GATEWAY, Simulator
from tests.postgres import TestPlace

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A port of the loopback that nobody listens on at the moment."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 20.0) -> Any:
    """The first true answer of `condition`, asked again and again; fails after `seconds`."""
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if answer := condition():
            return answer
        time.sleep(0.05)
    raise AssertionError(f"after {seconds:g} s still not: {what}")


def fetch(url: str) -> tuple[int, str]:
    """Status and text of an answer; status 0 where nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
    except OSError:
        return 0, ""


class Mirror:
    """Settings for one simulator and one pair of databases, and the processes started with them."""

    def __init__(self, place: TestPlace, simulator: Simulator, folder: Path, **settings: str) -> None:
        self.place = place
        self.simulator = simulator
        self.folder = folder
        self.port = free_port()
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "PYTHONDONTWRITEBYTECODE": "1",
            "CMSWEB_FRONTEND_PROXY_URL": simulator.url,
            "SERVER_FFF_MACHINE": GATEWAY,
            "FFF_PRODUCTION_MACHINES": ";".join(simulator.clusters["production"].hosts),
            "FFF_PLAYBACK_MACHINES": ";".join(simulator.clusters["playback"].hosts),
            "SERVER_PORT": str(self.port),
            "LOG_DIR": str(folder / "log"),
            "TMP_DIR": str(folder / "tmp"),
            **place.environ,
            **settings,
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, *command: str, **settings: str) -> subprocess.Popen[bytes]:
        """Starts `python command`, its output in a file of the test's folder."""
        output = self.folder / f"output-{len(self.processes)}-{Path(command[0]).stem}"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, *command], cwd=ROOT, env={**self.environ, **settings}, stdout=file, stderr=file
            )
        self.processes.append(process)
        return process

    def output(self) -> str:
        """Everything that all processes printed."""
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("output-*")))

    def url(self, path: str = "/") -> str:
        return f"http://127.0.0.1:{self.port}{self.environ.get('SERVER_URL_PREFIX', '')}{path}"

    def get(self, path: str) -> tuple[int, str]:
        """Status and text of an answer of the server; status 0 where there is none."""
        return fetch(self.url(path))

    def json(self, path: str) -> Any:
        status, text = self.get(path)
        assert status == 200, (path, status, text[:300])
        return json.loads(text)

    def start_server(self, **settings: str) -> subprocess.Popen[bytes]:
        process = self.start("server.py", **settings)
        wait_for(lambda: self.get("/")[0] == 200, "the server answers")
        return process

    def stop(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(12)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@contextmanager
def mirror_on(place: TestPlace, simulator: Simulator, folder: Path, **settings: str) -> Iterator[Mirror]:
    """A Mirror whose processes end with the block."""
    mirror = Mirror(place, simulator, folder, **settings)
    try:
        yield mirror
    finally:
        mirror.stop()
