"""The kept API under load: get_run, get_graph and get_runs from the cache, and get_runs made anew."""

import statistics
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench import load, stage, todays_way_server
from bench.figures import Figure
from bench.filled import fill
from bench.processes import children, taken
from tests.postgres import TestPlace

_N_LUMIS = 465
_RANGES = (100, 1_000)  # runs
_N_RANGES = 40  # that are asked for once each
_BROWSERS = load.BROWSER["Accept-Encoding"]  # today's way compresses nothing, whoever asks


def measure(
    place: TestPlace,
    folder: Path,
    *,
    n_runs: int = 2_000,
    ranges: Sequence[int] = _RANGES,
    seconds: float = 3.0,
    rounds: int = 2,
) -> list[Figure]:
    """`seconds` of load on each side, `rounds` times in turn, so that what else the machine does hits all alike."""
    runs = fill(place.owner(), n_runs)
    newest = runs[-1]
    streams = stage.deliver(place, newest, _N_LUMIS)
    todays_way_server.make_tables(place, {newest: streams})
    with (
        stage.mirror_server(place, folder / "mirror") as server,
        stage.todays_server(place, folder) as todays,
    ):
        mirror = f"http://127.0.0.1:{server.port}{server.prefix}/api"
        pair = _Pair(mirror, todays, folder, seconds, rounds)
        figures = pair.compared(
            "get_run of the newest run", f"what=get_run&run={newest}", times_todays=20, of_limit=0.4
        )
        figures += pair.compared(
            f"get_graph, {_N_LUMIS} lumisections", f"what=get_graph&run={newest}", times_todays=50, connections=16
        )
        figures += _weights(server.port, server.prefix, newest)
        for n in ranges:
            query = f"what=get_runs&from={newest - n + 1}&to={newest}"
            figures += pair.compared(f"get_runs of {n:,} runs, from the cache", query, times_todays=100, connections=8)
            figures += pair.uncached(f"get_runs of {n:,} runs, made anew", runs, n)
        figures.append(_memory(children(server.process.pid), mirror, runs))
    return figures


class _Pair:
    """The mirror and today's way, asked the same."""

    def __init__(self, mirror: str, todays: str, folder: Path, seconds: float, rounds: int) -> None:
        self._mirror, self._todays, self._folder = mirror, todays, folder
        self._seconds, self._rounds = seconds, rounds

    def compared(
        self, what: str, query: str, *, times_todays: float, of_limit: float | None = None, connections: int = 64
    ) -> list[Figure]:
        """Answers per second of both, and of a static file as large as the mirror's answer is on the wire."""
        n_bytes = len(_body(f"{self._mirror}?{query}", _BROWSERS))
        with stage.static_file(n_bytes, self._folder) as static:
            urls = (f"{self._mirror}?{query}", static, f"{self._todays}?{query}")
            seen, limit, todays = self._in_turn(urls, connections)
        measured = Figure(what=what, unit="answers/s", seen=seen, todays=todays, limit=limit)
        return [replace(measured, times_todays=times_todays, of_limit=of_limit)]

    def uncached(self, what: str, runs: Sequence[int], n: int) -> list[Figure]:
        """Seconds of one answer that nobody asked for before: another range each time."""
        highest = range(runs[-1] - 1, runs[0] + n - 2, -1)
        ranges = [
            f"what=get_runs&from={last - n + 1}&to={last}" for last, _ in zip(highest, range(_N_RANGES), strict=False)
        ]
        seen, todays = _best_seconds([f"{self._mirror}?", f"{self._todays}?"], ranges)
        return [Figure(what=what, unit="s", seen=seen, todays=todays, is_cost=True, times_todays=10)]

    def _in_turn(self, urls: Sequence[str], connections: int) -> list[float]:
        rates: list[list[float]] = [[] for _ in urls]
        alone = [_best_seconds([url], [""])[0] for url in urls]  # made, compressed
        for _ in range(self._rounds):
            for url, found, one in zip(urls, rates, alone, strict=True):
                long_enough = max(self._seconds, 2 * connections * one)  # each connection sees an answer or two
                found.append(load.ask(url, connections=connections, seconds=long_enough).answers_per_second)
            for _ in range(todays_way_server.N_PROCESSES):  # what its readers did not wait for is still being made
                _body(f"{self._todays}?what=get_cluster_status", "gzip")
        return [statistics.mean(found) for found in rates]


def _memory(workers: Sequence[int], mirror: str, runs: Sequence[int]) -> Figure:
    """Memory that answers of 1,000 runs and of all runs add to a process that has already answered everything else."""
    before = {worker: taken(worker).resident_mb for worker in workers}
    for number in range(10):
        _body(f"{mirror}?what=get_runs&from={runs[0] + number}&to={runs[0] + number + 999}", "gzip")
        _body(f"{mirror}?what=get_runs&from=0&to={runs[-1]}", "gzip")
    added = max(taken(worker).highest_mb - before[worker] for worker in workers)
    return Figure(what="memory added by 20 get_runs of 1,000 and all runs", unit="MB", seen=added, less_than=90)


def _weights(port: int, prefix: str, run: int) -> list[Figure]:
    base = f"http://127.0.0.1:{port}{prefix}"
    graph = max(len(_body(f"{base}/api?what=get_graph&run={run}", coding)) for coding in ("gzip", "zstd"))
    chart = max(len(_body(f"{base}/runs/{run}/delivery.json", coding)) for coding in ("gzip", "zstd"))
    return [
        Figure(what="get_graph on the wire", unit="KB", seen=graph / 1024, is_cost=True, less_than=48),
        Figure(what="the page's own chart data on the wire", unit="KB", seen=chart / 1024, is_cost=True, less_than=20),
    ]


def _body(url: str, coding: str) -> bytes:
    request = urllib.request.Request(url, headers={"Accept-Encoding": coding})
    with urllib.request.urlopen(request, timeout=120) as answer:
        return bytes(answer.read())


def _best_seconds(sides: Sequence[str], queries: Sequence[str]) -> list[float]:
    """Of each side the fastest answer: what else the machine does only ever makes it slower. They take turns."""
    took: list[list[float]] = [[] for _ in sides]
    for query in queries:
        for side, times in zip(sides, took, strict=True):
            begun = time.perf_counter()
            _body(side + query, _BROWSERS)
            times.append(time.perf_counter() - begun)
    return [min(times) for times in took]
