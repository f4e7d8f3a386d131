"""What is measured while the chaos goes on: how fast a host catches up, memory, what the logs and pages say."""

import math
import re
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqmsquare.identity import PublicIds
from tests.chaos.stage import HOSTS, POLL_SECONDS, Stage
from tests.postgres import KEY

_LOOK_SECONDS = 0.1
_HOST_IDS = {PublicIds(KEY, "production").host(name): name for name in HOSTS}


@dataclass(frozen=True)
class CatchUp:
    """A host after a storm: `fault_seconds` without a successful poll; from the first one on no lag after `seconds`.

    `n_polls` more succeeded meanwhile: on a machine that does much else two of them last longer than they should.
    """

    host: str
    fault_seconds: float
    seconds: float
    n_polls: int

    @property
    def allowed_seconds(self) -> float:
        return self.fault_seconds / 10 + 2 * POLL_SECONDS

    def is_late(self, patience: float) -> bool:
        """Whether neither a tenth of the fault and two seconds nor two polls were enough."""
        return self.seconds > patience * self.allowed_seconds and self.n_polls > 2


@dataclass
class _Looked:
    polled_at: float  # s since 1970
    head_rev: int
    n_behind: int


def _look(stage: Stage) -> dict[str, _Looked]:
    rows = stage.sql(
        "SELECT host_id, coalesce(extract(epoch FROM polled_at), 0), coalesce(head_rev, -1), n_behind FROM mirror.cursors"
    )
    return {_HOST_IDS[host_id]: _Looked(float(at), head, behind) for host_id, at, head, behind in rows}


def catch_ups(stage: Stage, seconds: float) -> list[CatchUp]:
    """To be called when a storm has just ended: how each host comes back, waited for `seconds` at most."""
    ended_at = time.time()
    before = _look(stage)
    wanted: dict[str, tuple[float, int]] = {}  # when the first poll succeeded, and what was to be had then
    polls: dict[str, set[float]] = {host: set() for host in HOSTS}
    found: list[CatchUp] = []
    down: set[str] = set()  # now and then the run that is played has a host that nobody can reach
    while len({catch_up.host for catch_up in found} | down) < len(HOSTS) and time.time() < ended_at + seconds:
        down |= stage.simulator.down_hosts().keys()
        for host, looked in _look(stage).items():
            if host in {catch_up.host for catch_up in found} or looked.polled_at < ended_at:
                continue
            polls[host].add(looked.polled_at)
            began_at, rev = wanted.setdefault(host, (looked.polled_at, stage.simulator.stores[host].newest_rev))
            if looked.head_rev >= rev and looked.n_behind == 0:
                fault_seconds, taken = ended_at - before[host].polled_at, looked.polled_at - began_at
                found.append(CatchUp(host, fault_seconds, taken, len(polls[host]) - 1))
        time.sleep(_LOOK_SECONDS)
    late = set(HOSTS) - down - {catch_up.host for catch_up in found}
    return [*found, *(CatchUp(host, ended_at - before[host].polled_at, math.inf, 999) for host in late)]


def resident_megabytes(pid: int) -> float:
    """A process's memory with that of its children, in MB; 0 for one that has ended."""
    try:
        pids = [pid, *map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]
        texts = [Path(f"/proc/{each}/status").read_text() for each in pids]
    except OSError:
        return 0.0
    return sum(int(found) for text in texts for found in re.findall(r"VmRSS:\s+(\d+) kB", text)) / 1024


def tracebacks(stage: Stage) -> list[str]:
    """The last line of each traceback that a process of the mirror's wrote anywhere."""
    texts = [stage.mirror.output()]
    found = [text[match.start() :] for text in texts for match in re.finditer(r"Traceback \(most recent", text)]
    return [next((line for line in text.splitlines()[1:] if line[:1].strip()), "?") for text in found]


class Visitor(threading.Thread):
    """Somebody who looks at the pages all the time; counts the answers by status."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(name="visitor", daemon=True)
        self._stage = stage
        self._stopping = threading.Event()
        self.statuses: Counter[Any] = Counter()

    def run(self) -> None:
        paths = ("/", "/live/partial?db=production", "/api?what=get_info&db=production")
        while not self._stopping.is_set():
            for path in paths:
                self.statuses[self._ask(path)] += 1
                self._stopping.wait(0.3)

    def _ask(self, path: str) -> Any:
        try:
            with urllib.request.urlopen(self._stage.mirror.url(path), timeout=10) as answer:
                answer.read()
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code
        except OSError as error:
            return type(error).__name__

    def stop(self) -> None:
        self._stopping.set()
        self.join()
