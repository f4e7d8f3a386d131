"""The simulator as one object: hosts with their documents, a gateway in front, plays that fill them."""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from dqmsquare.simulator.control import Controls
from dqmsquare.simulator.control_room import ControlRoom
from dqmsquare.simulator.faults import FaultBoard
from dqmsquare.simulator.gateway import Gateway
from dqmsquare.simulator.history import History
from dqmsquare.simulator.payload_counter import PayloadCounter
from dqmsquare.simulator.plan import Cluster
from dqmsquare.simulator.play import Play
from dqmsquare.simulator.server import Server, Tls
from dqmsquare.simulator.store import Document, HostStore
from dqmsquare.simulator.visits import Visits

PRODUCTION_HOSTS = ("dqmrubu-c2a06-01-01", "dqmfu-c2b03-45-01", "dqmfu-c2b04-45-01")
PLAYBACK_HOSTS = ("dqmrubu-c2a06-03-01", "dqmfu-c2b01-45-01", "dqmfu-c2b02-45-01")
GATEWAY = "dqmrubu-c2a06-03-01"
FIRST_RUN = {"production": 377_827, "playback": 500_015}
_FIRST_REV = 8_000_000  # about where the hosts at P5 are
_IDLE_SECONDS = 0.05


class Simulator:
    """A DQM² that runs while the context lasts.

    With `play` both clusters take data, `speed` times faster than life; before it lies a history of `history_runs`
    runs per cluster. Without either the stores are empty. `stores` has the hosts, `faults` what goes wrong,
    `requests` who asked what. `documents` are files of lines `{"host": …, "doc": …}`, gzip or not.
    `dead_host_status` is the HTTP status of the page that the proxy shows for a dead host. A `counter` numbers what
    is uploaded.
    """

    def __init__(
        self,
        production_hosts: Sequence[str] = PRODUCTION_HOSTS,
        playback_hosts: Sequence[str] = PLAYBACK_HOSTS,
        *,
        gateway: str = GATEWAY,
        secret: str = "",
        prefix: str = "",
        bind: str = "127.0.0.1",
        port: int = 0,
        tls: Tls | None = None,
        play: bool = False,
        speed: float = 1.0,
        seed: int = 1,
        history_runs: int = 0,
        documents: Iterable[Path] = (),
        first_rev: int = _FIRST_REV,
        inner_timeout_seconds: float = 5.0,
        dead_host_status: int = 200,
        counter: PayloadCounter | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._paused = False
        rows = [row for path in documents for row in read_documents(path)]
        production_hosts = (*production_hosts, *dict.fromkeys(host for host, _ in rows))
        self.clusters = _clusters(production_hosts, playback_hosts)
        names = dict.fromkeys([gateway, *(host for cluster in self.clusters.values() for host in cluster.hosts)])
        stamp = (lambda document: document) if counter is None else counter.stamp
        self.stores = {name: HostStore(name, first_rev - 1, clock, stamp) for name in names}
        self.faults = FaultBoard()
        self.requests = Visits()
        self._plays = self._make_plays(seed, speed, history_runs, play=play)
        for host, document in rows:
            self.upload(host, document)
        controls = Controls(self)
        self.control_room = ControlRoom(self.clusters, gateway, self.down_hosts)
        self._gateway = Gateway(
            name=gateway, stores=self.stores, control_room=self.control_room, control=controls.carry_out,
            down_hosts=self.down_hosts, secret=secret, inner_timeout_seconds=inner_timeout_seconds,
            dead_host_status=dead_host_status, faults=self.faults, visits=self.requests,
        )  # fmt: skip
        self._tls = tls
        self._prefix = prefix = f"/{prefix.strip('/')}" if prefix.strip("/") else ""
        self._server = Server((bind, port), self._gateway, prefix, tls)
        self.url = self._server.origin + prefix
        self.control_url = f"{self._server.origin}/__ctl"
        self._player = threading.Thread(target=self._run_plays, name="simulator-play", daemon=True)

    def _make_plays(self, seed: int, speed: float, history_runs: int, *, play: bool) -> list[Play]:
        now, plays = self._clock(), []
        for name, cluster in self.clusters.items():
            if not cluster.hosts or name not in FIRST_RUN:
                continue
            # Runs of a playback are numbered without gaps from 500001 on.
            run = max(FIRST_RUN[name], 500_001 + history_runs) if name == "playback" else FIRST_RUN[name]
            live = Play(cluster, self.stores, seed=seed, speed=speed, first_run=run, now=now)
            History(seed, cluster, run, live.started_at if play else now, history_runs).fill(self.stores)
            if play:
                plays.append(live)
        return plays

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def start(self) -> None:
        """Begins to answer; the plays' first documents are there when this returns."""
        self._step_plays()
        self._server.start()
        self._player.start()

    def stop(self) -> None:
        """Ends plays and connections at once."""
        self._stopping.set()
        if self._player.is_alive():
            self._player.join()
        self._server.stop()

    def close_port(self) -> None:
        """Nobody listens any more, and open connections are reset; reports go on."""
        self._server.stop()

    def open_port(self, tls: Tls | None = None) -> None:
        """Listens again where it did, or anew if it listens; with `tls` it shows another certificate from now on."""
        self._server.stop()
        self._tls = tls or self._tls
        host, port = self._server.server_address[:2]
        self._server = Server((str(host), int(port)), self._gateway, self._prefix, self._tls)
        self._server.start()

    def _run_plays(self) -> None:
        while not self._stopping.is_set() and self._plays:
            due = self._step_plays()
            self._stopping.wait(max(_IDLE_SECONDS, min(due - self._clock(), 1.0)))

    def _step_plays(self) -> float:
        with self._lock:
            now = self._clock()
            return now if self._paused else min((play.step(now) for play in self._plays), default=now)

    def upload(self, host: str, document: Mapping[str, Any]) -> int:
        """Stores a document on a host; returns its revision."""
        return self.stores[host].upload(document)

    def reset(self, host: str) -> None:
        """A host's database is made anew: empty, revisions start at 1."""
        self.stores[host].reset()

    def drop(self, host: str, ids: Iterable[str] = (), *, newest: int = 0) -> list[str]:
        """Drops documents by id, and the `newest` ones; returns the ids."""
        dropped = [*ids, *(self.stores[host].newest_ids(newest) if newest else ())]
        self.stores[host].drop(dropped)
        return dropped

    def reuse(self, host: str) -> int:
        """Drops the newest document and lets another one have its revision (U4), which is returned."""
        (document_id,) = self.drop(host, newest=1)
        return self.upload(host, {"_id": f"{document_id}9", "hostname": host, "type": "dqm-other"})

    def pause(self) -> None:
        """Nobody reports any more."""
        with self._lock:
            self._paused = True

    def resume(self) -> None:
        """Reports go on; those of the pause are not made up for."""
        with self._lock:
            self._paused = False

    def kill(self) -> None:
        """Ends the plays for good; what they reported stays."""
        with self._lock:
            self._plays.clear()

    def crash(self, tag: str, exit_code: int = -11, cluster: str = "production") -> bool:
        """Lets the living job of a client crash now; True if there was one."""
        with self._lock:
            plays = [play for play in self._plays if play.plan.cluster == cluster]
            return any(play.crash(tag, exit_code, self._clock()) for play in plays)

    def down_hosts(self) -> dict[str, str]:
        """Hosts that are down now, by fault or by a play, with the message that was set for them."""
        hosts: dict[str, str] = {}
        for play in list(self._plays):
            hosts |= play.down_hosts
        return hosts | self.faults.down_hosts()


def _clusters(production: Sequence[str], playback: Sequence[str]) -> dict[str, Cluster]:
    hosts = {"production": production, "playback": playback, "lookarea": ()}
    return {name: Cluster(name, tuple(dict.fromkeys(names))) for name, names in hosts.items()}


def read_documents(path: Path) -> Iterator[tuple[str, Document]]:
    """Host and document of each line of a file, gzip or not. Raises ValueError for a line that is neither."""
    opened = gzip.open if path.read_bytes()[:2] == b"\x1f\x8b" else open
    with opened(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                yield row["host"], row["doc"]
            except (ValueError, KeyError, TypeError) as error:
                raise ValueError(f"{path}, line {number}: {error!r}") from error
