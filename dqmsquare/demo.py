"""`make demo`: the whole mirror on this machine, as processes of its own, on a simulated DQM² that plays runs."""

import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from dqmsquare.config import parse_config
from dqmsquare.errors import MirrorError
from dqmsquare.simulator import Simulator
from dqmsquare.storage.opening import open_place

_ROOT = Path(__file__).resolve().parent.parent
_STOP_SECONDS = 12.0
_READY_SECONDS = 60.0
_HISTORY_RUNS = 40
_ACCOUNT, _PASSWORD = "demo", "demo-control-room"  # of a simulated DQM², on the loopback alone
_PRODUCTION_HOSTS = "bu-c2f11-09-01;fu-c2f11-11-01;fu-c2f11-11-02;fu-c2f11-11-03;fu-c2f11-11-04"
_PLAYBACK_HOSTS = "dqmrubu-c2a06-03-01;dqmfu-c2b01-45-01;dqmfu-c2b02-45-01"
_PROGRAMS = {
    "grabber of production": ("grabber.py", "production"),
    "grabber of playback": ("grabber.py", "playback"),
    "server": ("server.py",),
}


class Demo:
    """Simulator, grabbers and server. `url` is where to look."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = dict(environ)
        self.config = parse_config(self._environ, role="server", as_root=os.geteuid() == 0)
        self.url = f"http://{self.config.server_bind}:{self.config.server_port}{self.config.server_url_prefix}/"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Starts one of the programs, as its people would."""
        command = [sys.executable, *_PROGRAMS[name]]
        # A session of its own: Ctrl-C reaches this process alone, which then ends the others in order.
        # What it logs is in LOG_DIR; what it has to say at once, wrong settings say, is shown.
        self.processes[name] = subprocess.Popen(
            command, cwd=_ROOT, env=self._environ, stdout=subprocess.DEVNULL, start_new_session=True
        )

    def start_all(self) -> None:
        """Starts every program and waits until the page answers. Raises TimeoutError."""
        for name in _PROGRAMS:
            self.start(name)
        ends_at = time.monotonic() + _READY_SECONDS
        while not self._answers():
            if (dead := self.dead()) or time.monotonic() > ends_at:
                raise TimeoutError(f"the {dead or 'server'} did not come up: its log is in {self.config.log_dir}")
            time.sleep(0.1)

    def dead(self) -> str | None:
        """The name of a program that ended by itself."""
        return next((name for name, process in self.processes.items() if process.poll() is not None), None)

    def stop(self) -> None:
        """Asks every program to end, and ends it if it does not."""
        for process in self.processes.values():
            process.send_signal(signal.SIGTERM)
        ends_at = time.monotonic() + _STOP_SECONDS
        for process in self.processes.values():
            try:
                process.wait(max(0.1, ends_at - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=2) as answer:  # noqa: S310  (an address made above)
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def demo_environ(environ: Mapping[str, str], simulator_url: str) -> dict[str, str]:
    """The settings of the demo's processes; what `environ` says of ports and folders holds."""
    fixed = {
        "ENV": "development",
        "POSTGRES_HOST": "",
        "CMSWEB_FRONTEND_PROXY_URL": simulator_url,
        "SERVER_FFF_MACHINE": _PLAYBACK_HOSTS.split(";", maxsplit=1)[0],
        "FFF_PRODUCTION_MACHINES": _PRODUCTION_HOSTS,
        "FFF_PLAYBACK_MACHINES": _PLAYBACK_HOSTS,
        "GRABBER_SLEEP_TIME_STATUS": "5",
        "DQM_CR_USERNAMES": f"{_ACCOUNT}:{_PASSWORD}",
        "PYTHONUNBUFFERED": "1",
    }
    return {**environ, **fixed}


def main() -> int:
    """Runs until Ctrl-C. Returns the exit status."""
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    simulator = Simulator(
        production_hosts=_PRODUCTION_HOSTS.split(";"),
        playback_hosts=_PLAYBACK_HOSTS.split(";"),
        play=True,
        history_runs=_HISTORY_RUNS,
    )
    with simulator:
        demo = Demo(demo_environ(os.environ, simulator.url))
        try:
            return _run(demo, stopping)
        except (MirrorError, TimeoutError) as error:
            print(error, file=sys.stderr)
            return 1
        finally:
            demo.stop()


def _run(demo: Demo, stopping: threading.Event) -> int:
    print("Starting PostgreSQL, a simulated DQM², two grabbers and the server ...", flush=True)
    open_place(demo.config)  # also keeps the database up until the last of the processes has ended
    demo.start_all()
    print(f"\n    The mirror is at {demo.url}", flush=True)
    print(f"    The Control Room takes the account {_ACCOUNT} with the password {_PASSWORD}", flush=True)
    print("\nCtrl-C ends it; its data stays for the next time.", flush=True)
    while not stopping.wait(0.5):
        if dead := demo.dead():
            print(f"The {dead} ended by itself: its log is in {demo.config.log_dir}", file=sys.stderr)
            return 1
    print("Stopping ...", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
