"""The mirror's programs started as a container runtime or systemd would, and what they answer."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dqmsquare.simulator import GATEWAY, Simulator
from tests.certs.authority import Authority, Pair
from tests.postgres import KEY, TestPlace
from tests.programs import fetch, free_port, wait_for

__all__ = ["Started", "Surroundings", "free_port", "get", "jobs_of_newest_run", "said", "wait_for"]


def said(*command: str | Path, cwd: Path | None = None, **environ: str) -> subprocess.CompletedProcess[str]:
    """A command that runs to its end, with nobody who could answer a question."""
    full = {**os.environ, **environ}
    return subprocess.run(
        command, cwd=cwd, env=full, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=600, check=False
    )


def get(port: int, path: str) -> tuple[int, str]:
    """Status and text; status 0 where nobody answers."""
    return fetch(f"http://127.0.0.1:{port}{path}")


def jobs_of_newest_run(port: int, prefix: str) -> list:
    """The jobs that the first API shows of the newest run; empty where there is none yet."""
    status, text = get(port, f"{prefix}/api?what=get_info&db=production")
    if status != 200 or json.loads(text) == [None, None]:
        return []
    return json.loads(get(port, f"{prefix}/api?what=get_run&run={json.loads(text)[1]}&db=production")[1])[1][1]


@dataclass
class Started:
    """A process of ours, and the file with what it printed."""

    process: subprocess.Popen[bytes]
    log: Path

    @property
    def output(self) -> str:
        return self.log.read_text(errors="replace")

    def environ(self) -> dict[str, str]:
        """What `/proc` shows of its environment."""
        raw = Path(f"/proc/{self.process.pid}/environ").read_bytes().decode(errors="replace")
        return dict(pair.split("=", 1) for pair in raw.split("\0") if pair)

    def status(self, name: str) -> str:
        """A line of /proc/PID/status."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{name}:"))

    def end(self) -> int:
        """SIGTERM, and the status it ends with."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(15)


@dataclass
class Surroundings:
    """What an installed mirror finds: databases, DQM², a certificate, a cookie."""

    place: TestPlace
    simulator: Simulator
    authority: Authority
    robot: Pair
    secret: str
    folder: Path
    started: list[Started] = field(default_factory=list)

    @property
    def settings(self) -> dict[str, str]:
        """What .env would hold. PostgreSQL's socket is seen at /run/postgresql, the authorities at /etc/grid.pem."""
        return {
            "ENV": "testbed",
            "POSTGRES_HOST": "/run/postgresql",
            "POSTGRES_PRODUCTION_DB_NAME": self.place.config.postgres_production_db_name,
            "POSTGRES_PLAYBACK_DB_NAME": self.place.config.postgres_playback_db_name,
            "CMSWEB_FRONTEND_PROXY_URL": self.simulator.url,
            "CA_BUNDLE": "/etc/grid.pem",
            "SERVER_FFF_MACHINE": GATEWAY,
            "FFF_PRODUCTION_MACHINES": ";".join(self.simulator.clusters["production"].hosts),
            "FFF_PLAYBACK_MACHINES": ";".join(self.simulator.clusters["playback"].hosts),
        }

    @property
    def secrets(self) -> dict[str, str]:
        """Settings that nobody may see."""
        return {"PUBLIC_ID_KEY": KEY.decode(), "DQM_FFF_SECRET": self.secret, "POSTGRES_PASSWORD": "p@ss 'word' %41"}

    @property
    def mounts(self) -> dict[str, Path | None]:
        """What `settings` names."""
        # The socket alone: the folder it lies in is PostgreSQL's own.
        name = ".s.PGSQL.5432"
        return {f"/run/postgresql/{name}": Path(self.place.server.host, name), "/etc/grid.pem": self.authority.bundle}

    def robot_folder(self, user: int) -> Path:
        """The secret robot-secrets, readable for `user` alone."""
        folder = self.folder / "robots"
        folder.mkdir(exist_ok=True)
        for name, source in (("robotcert.pem", self.robot.certificate), ("robotkey.pem", self.robot.key)):
            (folder / name).write_bytes(source.read_bytes())
            (folder / name).chmod(0o400)
            os.chown(folder / name, user, user)
        return folder

    def writable(self, name: str, user: int) -> Path:
        """A folder that `user` may write to."""
        folder = self.folder / name
        folder.mkdir(exist_ok=True)
        os.chown(folder, user, user)
        return folder

    def start(self, command: Sequence[str]) -> Started:
        """Starts a command that CleanRoot made."""
        log = self.folder / f"output-{len(self.started)}"
        with log.open("wb") as file:
            process = subprocess.Popen(command, stdout=file, stderr=file, stdin=subprocess.DEVNULL)
        self.started.append(Started(process, log))
        return self.started[-1]

    def output(self) -> str:
        return "\n".join(f"--- {one.log.name}\n{one.output}" for one in self.started)

    def stop(self) -> None:
        for one in self.started:
            if one.process.poll() is None:
                one.process.terminate()
        for one in self.started:
            try:
                one.process.wait(12)
            except subprocess.TimeoutExpired:
                one.process.kill()
                one.process.wait()


class NotifySocket:
    """systemd's end of sd_notify: keeps what it is told, with when."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.setblocking(False)
        path.chmod(0o777)
        self.told: list[tuple[float, str]] = []

    def words(self) -> list[str]:
        """Everything that came up to now."""
        while True:
            try:
                self.told.append((time.monotonic(), self._socket.recv(4096).decode()))
            except BlockingIOError:
                return [words for _, words in self.told]

    def is_told_twice(self, words: str) -> bool:
        return self.words().count(words) > 1

    def close(self) -> None:
        self._socket.close()
