"""`python server.py` as a process of its own, and readers of what it answers."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.postgres import TestPlace

ROOT = Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return listening.getsockname()[1]


@dataclass
class ServerProcess:
    """A server that answers; `prefix` is where its pages lie."""

    process: subprocess.Popen
    port: int
    monitoring_port: int
    prefix: str
    log: Path

    def get(self, path: str, method: str = "GET", port: int | None = None, body: bytes | None = None, **headers: str):
        """Status, headers (lower case) and body of an answer. On another port the prefix is left out."""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=20)
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path if port else self.prefix + path, body, sent)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def raw(self, sent: bytes, seconds: float = 5.0) -> bytes:
        """Everything that comes back until the server closes, or nothing came for a moment."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=seconds) as connection:
            connection.sendall(sent)
            connection.settimeout(0.7)
            received = b""
            try:
                while piece := connection.recv(65536):
                    received += piece
            except TimeoutError:
                return received + b"<still open>"
            return received

    def monitoring(self, path: str) -> int:
        return self.get(path, port=self.monitoring_port)[0]

    def end(self, number: int = signal.SIGTERM) -> float:
        """Seconds until it has ended."""
        begun = time.monotonic()
        self.process.send_signal(number)
        self.process.wait(20)
        return time.monotonic() - begun


@contextmanager
def running_server(place: TestPlace, tmp_path: Path, *command: str, **settings: str) -> Iterator[ServerProcess]:
    """A server on the test's databases, once it is ready. `command`: what Python runs in the place of server.py."""
    port, monitoring_port = free_port(), free_port()
    environ = {
        "PATH": os.environ["PATH"],
        **place.environ,
        "SERVER_PORT": str(port),
        "MONITORING_PORT": str(monitoring_port),
        "SERVER_URL_PREFIX": "dqm/dqm-square",
        **settings,
    }
    output = tmp_path / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, *(command or (str(ROOT / "server.py"),))],
            env=environ,
            cwd=tmp_path,
            stdout=file,
            stderr=file,
        )
    server = ServerProcess(process, port, monitoring_port, "/dqm/dqm-square", output)
    try:
        wait_until(lambda: process.poll() is not None or is_ready(server), 30)
        assert process.poll() is None, output.read_text()
        yield server
    finally:
        if process.poll() is None:
            server.end()


def is_ready(server: ServerProcess) -> bool:
    try:
        return server.monitoring("/readyz") == 200 and server.get("/api?what=get_info")[0] == 200
    except OSError:
        return False


def wait_until(is_so, seconds: float = 10.0) -> None:
    ends_at = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < ends_at, "waited in vain"
        time.sleep(0.05)


class EventReader(threading.Thread):
    """An open page: keeps what its stream sends, as (event, id, data)."""

    def __init__(self, server: ServerProcess, cluster: str = "production", after: str = "", **headers: str) -> None:
        super().__init__(daemon=True)
        self.events: list[tuple[str, str, dict]] = []  # without an id: ""
        self.has_ended = threading.Event()
        self._connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"{server.prefix}/api/v1/clusters/{cluster}/events" + (f"?after={after}" if after else "")
        self._connection.request("GET", path, headers=sent)
        self.answer = self._connection.getresponse()
        self.start()

    def run(self) -> None:
        fields: dict[str, str] = {}
        try:
            while line := self.answer.readline():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                elif "event" in fields:
                    self.events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
                    fields = {}
        except (OSError, ValueError, http.client.HTTPException):
            pass
        finally:
            self.answer.close()
            self._connection.close()
            self.has_ended.set()

    def of(self, *names: str) -> list[tuple[str, str, dict]]:
        return [event for event in self.events if event[0] in names]

    def leave(self) -> None:
        """The page is closed."""
        if not self.has_ended.is_set() and self._connection.sock:
            self._connection.sock.shutdown(socket.SHUT_RDWR)
        self.join(5)
