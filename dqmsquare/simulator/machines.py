"""The machines as DQM²'s Control Room reaches them: clients, services, logs, and what is played again.

Nothing is executed: `shell` holds what the real one would have handed to a shell, so that a test can look at it.
"""

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dqmsquare.simulator.clients import CLIENTS, RELEASES, dice
from dqmsquare.simulator.plan import SOURCE_RUN, Cluster

RUNS = (256936, 358788, 381594, 398183)
_SOURCES = "/fff/BU0/playback_files"
_HLTD_LOG, _ANELASTIC_LOG, _FFF_LOG = (
    "/var/log/hltd/hltd.log",
    "/var/log/hltd/anelastic.log",
    "/var/log/fff_dqmtools.log",
)
_LOG_LINES = 400


@dataclass
class Machine:
    """A machine: which of its clients hltd starts, and how often its services were restarted."""

    active: set[str] = field(default_factory=set)
    n_restarts: dict[str, int] = field(default_factory=lambda: {"hltd": 0, "fff": 0})


class Machines:
    """All machines of all clusters. Methods give what DQM² answers as text; any thread may call them."""

    def __init__(self, clusters: Mapping[str, Cluster]) -> None:
        self.clusters = clusters
        self.available = tuple(f"{client.tag}_cfg.py" for client in CLIENTS)
        self.machines: dict[str, Machine] = {}
        self.playback: dict[str, Any] = {}
        self.shell: list[str] = []
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Everything as it is at the beginning."""
        hosts = [host for cluster in self.clusters.values() for host in cluster.hosts]
        self.machines = {host: self._machine(host) for host in hosts}
        self.shell = []
        self.playback = {
            "source": f"{_SOURCES}/run{SOURCE_RUN}",
            "ramdisk": "/fff/BU0/ramdisk",
            "run": 500_000,
            "run_key": "pp_run",
            "run_unique_key": "4e94e771-add6-41be-8683-c5f6a7a9ed1f",
            "number_of_ls": 1500,
            "lumi_timeout": 24,
            "lumi_to_skip": [],
        }

    def _machine(self, host: str) -> Machine:
        return Machine({name for name in self.available if dice("active", host, name).random() < 0.8})

    def by_cluster(self) -> dict[str, list[str]]:
        """Machines by cluster, in DQM²'s spelling."""
        return {f"{name}_c2a06": [f"{host}.cms" for host in one.hosts] for name, one in self.clusters.items()}

    def versions(self, package: str, version: str) -> dict[str, dict[str, str]]:
        """What rpm says on each machine."""
        return {
            cluster: dict.fromkeys(hosts, f"{package}-{version}-0.x86_64\n")
            for cluster, hosts in self.by_cluster().items()
        }

    def clients(self, host: str | None) -> object:
        """Each client's file with whether hltd starts it; an error of ssh comes as a client."""
        if not host:
            return "host argument not defined"
        machine = self._reach(host, "find -type f -name *_cfg.py")
        if isinstance(machine, str):
            return [[machine, True]]
        return [[name, name in machine.active] for name in self.available]

    def change_client(self, host: str | None, client: str | None, state: object) -> str:
        """Switches a client. What is not "0" switches it on, nothing at all too."""
        if not host:
            return "host argument not defined"
        switches_off = state == "0"
        machine = self._reach(host, f"-name {client} -delete" if switches_off else f"ln -s {client}")
        if isinstance(machine, str):
            return machine
        with self._lock:
            if switches_off:
                machine.active.discard(str(client))
            elif client in machine.active:
                return f"ln: failed to create symbolic link './{client}': File exists\n"
            else:
                machine.active.add(str(client))
        return "Ok"

    def restart(self, host: str, service: str) -> str:
        """Restarts a service."""
        machine = self._reach(host, f"restart {service}")
        if isinstance(machine, str):
            return machine
        with self._lock:
            machine.n_restarts[service] += 1
        return "Ok"

    def logs(self, host: str | None, service: str) -> list[str]:
        """The texts of a service's log files."""
        if not host:
            return [f"Specify host {service.upper()}"] * (2 if service == "hltd" else 1)
        files = (_HLTD_LOG, _ANELASTIC_LOG) if service == "hltd" else (_FFF_LOG,)
        return [self._log(host, path) for path in files]

    def configuration(self) -> str:
        """The file that says what is played again."""
        with self._lock:
            return json.dumps(self.playback, sort_keys=True, indent=2)

    def runs(self) -> list[str]:
        """Folders of runs that can be played; the last line of `ls` is empty."""
        return [f"run{run}" for run in RUNS] + [""]

    def configure(self, run_number: str, run_key: str | None, number_of_ls: int) -> None:
        """Writes the file; what is empty changes nothing."""
        changed = {"source": f"{_SOURCES}/{run_number}", "run_key": run_key, "number_of_ls": number_of_ls}
        with self._lock:
            self.playback |= {name: value for name, value in changed.items() if value}

    def cmssw(self) -> str:
        """Releases, pull requests and global tags of both clusters."""
        release = RELEASES[-1].partition("_CMSSW_")[2]
        words = f"CMSSW_{release}\nPRs :\n 48011 ok\n 48102 ok\nGTs:\nGlobalTag.globaltag = 150X_dataRun3_HLT_v1\n"
        return f"\n<strong>Playback:</strong>\n{words}\n<strong>Production:</strong>\n{words}"

    def _reach(self, host: str, command: str) -> Machine | str:
        short = host.removesuffix(".cms")
        with self._lock:
            self.shell.append(f'ssh {host} "{command}"')
        return self.machines.get(short) or f"ssh: Could not resolve hostname {host}: Name or service not known\r\n"

    def _log(self, host: str, path: str) -> str:
        machine = self._reach(host, f"cat {path}")
        if isinstance(machine, str):
            return machine
        return "".join(_log_line(host, path, number) for number in range(1, _LOG_LINES + 1))


def _log_line(host: str, path: str, number: int) -> str:
    stamp = f"2026-05-01 12:{number // 60 % 60:02d}:{number % 60:02d}"
    if number % 97 == 0:
        return f"{stamp} ERROR - failed to move {path}.{number} to storage on {host}.cms: <disk> full & 'quoted'\n"
    if number % 41 == 0:
        return f"{stamp} INFO - canary-operator@{host}.cms logged in, settings in /nfshome0/canary-home/.hltdrc\n"
    return f"{stamp} INFO - run {381594 + number // 100}: file {number} of stream DQM is complete\n"
