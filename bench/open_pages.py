"""A thousand open live pages on one server process: how soon each hears of a commit, and what that takes."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from bench import stage
from bench.figures import Figure
from bench.filled import fill
from bench.processes import Taken, children, taken
from dqmsquare.storage.host_record import HostRecord
from tests.examples import job_document
from tests.integration.server_process import ROOT, ServerProcess
from tests.postgres import TestPlace

_COMMITS_EVERY_SECONDS = 1.0  # 31 jobs report every 30 s


def measure(place: TestPlace, folder: Path, *, n_pages: int = 1_000, n_commits: int = 12) -> list[Figure]:
    """Once with pages that only listen, once with pages that fetch the partial at each event, as real ones do."""
    newest = fill(place.owner(), 200)[-1]
    figures, at_rest = [], 0.0
    for is_fetching in (False, True):
        # A server each: the streams of pages that have left are noticed at the next beat only.
        with stage.mirror_server(place, folder / str(is_fetching), SERVER_WORKERS="1") as server:
            [worker] = children(server.process.pid)
            server.get("/")
            at_rest = taken(worker).resident_mb
            show = _Show(server, worker, n_pages, n_commits, newest, is_fetching=is_fetching)
            figures += show.figures(place)
    rest = Figure(what="server at rest: memory", unit="MB", seen=at_rest, is_cost=True, less_than=300)
    return [rest, *figures]


class _Show:
    """One crowd before one server."""

    def __init__(
        self, server: ServerProcess, worker: int, n_pages: int, n_commits: int, run: int, *, is_fetching: bool
    ) -> None:
        self._server, self._worker, self._run = server, worker, run
        self._n_pages, self._n_commits, self._is_fetching = n_pages, n_commits, is_fetching

    def figures(self, place: TestPlace) -> list[Figure]:
        record = HostRecord(place.owner(), "hostid0000000001", takeover_seconds=10)
        assert record.hold()
        committed, came, before, after = self._watched(record, place)
        record.release()
        seconds = self._n_commits * _COMMITS_EVERY_SECONDS
        delays = sorted(at - committed[event] for event, at in came["events"] if event in committed)
        expected = self._n_pages * self._n_commits
        assert len(delays) == expected, f"{len(delays)} of {expected} events came"
        fetching = ", each fetching the partial" if self._is_fetching else ""
        who = f"{self._n_pages:,} open pages{fetching}"
        return [
            Figure(what=f"{who}: commit to event, 99 %", unit="s", seen=_p99(delays), is_cost=True, less_than=0.5),
            Figure(what=f"{who}: cores", unit="cores", seen=(after.cpu_seconds - before.cpu_seconds) / seconds,
                   is_cost=True, less_than=0.5),
            Figure(what=f"{who}: memory", unit="MB", seen=after.highest_mb, is_cost=True, less_than=300),
        ]  # fmt: skip

    def _watched(self, record: HostRecord, place: TestPlace) -> tuple[dict[str, float], Any, Taken, Taken]:
        seconds = self._n_commits * _COMMITS_EVERY_SECONDS + 3
        command = [sys.executable, "-m", "bench.page_crowd", str(self._server.port), self._server.prefix]
        arguments = [str(self._n_pages), str(int(self._is_fetching)), str(seconds)]
        with subprocess.Popen([*command, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True) as crowd:
            assert crowd.stdout is not None
            assert crowd.stdout.readline() == "READY\n"
            time.sleep(1)
            before = taken(self._worker)
            committed = self._commit(record, place)
            after = taken(self._worker)
            return committed, json.loads(crowd.stdout.read()), before, after

    def _commit(self, record: HostRecord, place: TestPlace) -> dict[str, float]:
        """Event id to the instant at which its commit had returned."""
        [(name,)] = place.rows("SELECT database_id FROM mirror.identity")
        committed = {}
        begun = time.monotonic()
        for number in range(self._n_commits):
            record.store([job_document(rev=int(time.time() * 1000), run=self._run, n_events=number)])
            at = time.time()
            [(change,)] = place.rows("SELECT max(change_id) FROM mirror.changes")
            committed[f"{name}-{change}"] = at
            time.sleep(max(0.0, begun + (number + 1) * _COMMITS_EVERY_SECONDS - time.monotonic()))
        return committed


def _p99(ordered: list[float]) -> float:
    return ordered[round(0.99 * (len(ordered) - 1))]
