"""One run: storms of faults with calm between, then quiet, a full check, and what the oracle says."""

import heapq
import itertools
import logging
import signal
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg2

from tests.acceptance.oracle import Verdict, compare
from tests.chaos.faults import FAULTS, End, Fault
from tests.chaos.leaks import leaks
from tests.chaos.stage import HOSTS, Producer, Stage, stage
from tests.chaos.watch import CatchUp, Visitor, catch_ups, resident_megabytes, tracebacks
from tests.programs import wait_for

log = logging.getLogger(__name__)
_STORM_SECONDS = 18.0
_CALM_SECONDS = 20.0  # at most
_QUIET_SECONDS = 90.0
_WARM_UP_SECONDS = 4.0
_MEMORY_JUDGED_FROM_SECONDS = 120.0  # a shorter run says nothing about memory
_MEMORY_GROWTH = 1.2
_PER_SECOND = 6.0


@dataclass
class Report:
    """What a run showed; `problems` is empty if it held."""

    seed: int
    faults: Counter[str] = field(default_factory=Counter)
    n_not_begun: int = 0
    catch_ups: list[CatchUp] = field(default_factory=list)
    memory: dict[str, tuple[float, float]] = field(default_factory=dict)  # MB at the start and at the end
    tracebacks: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    statuses: Counter[Any] = field(default_factory=Counter)
    n_lost_acks: int = 0
    n_offered: int = 0
    verdict: Verdict = field(default_factory=Verdict)
    problems: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        slowest = max(self.catch_ups, key=lambda c: c.seconds - c.allowed_seconds, default=None)
        lines = [
            f"seed {self.seed}: {self.faults.total()} faults of {len(self.faults)} kinds, {self.n_offered} reports",
            f"{self.n_not_begun} faults found PostgreSQL away; {self.n_lost_acks} COMMITs unanswered",
            f"caught up {len(self.catch_ups)} times; nearest to its limit: {slowest}",
            *(
                f"memory of {name}: {start:.0f} MB, at the end {end:.0f} MB"
                for name, (start, end) in self.memory.items()
            ),
            "pages answered " + ", ".join(f"{n} × {status}" for status, n in self.statuses.most_common()),
            str(self.verdict),
            *(f"PROBLEM: {problem}" for problem in self.problems),
        ]
        return "\n".join(lines)


class Storm:
    """Random faults, some at the same time, until `calm`."""

    def __init__(self, stage: Stage, report: Report) -> None:
        self._stage = stage
        self._report = report
        self._ends: list[tuple[float, int, str, End]] = []
        self._numbers = itertools.count()

    def blow(self, seconds: float, faults: tuple[Fault, ...]) -> None:
        """A fault every half to three seconds, each for half a second to six."""
        dice, ends_at = self._stage.dice, time.monotonic() + seconds
        while time.monotonic() < ends_at:
            [fault] = dice.choices(faults, [each.weight for each in faults])
            self._begin(fault, dice.uniform(0.5, 6.0))
            self._wait_until(time.monotonic() + dice.uniform(0.5, 3.0))

    def calm(self) -> None:
        """Ends every fault."""
        while self._ends:
            self._end_next()
        self._stage.simulator.faults.clear()

    def _begin(self, fault: Fault, seconds: float) -> None:
        log.info("fault: %s (%s) for %.1f s", fault.name, fault.rows, seconds)
        self._report.faults[fault.name] += 1
        try:
            end = fault.begin(self._stage)
        except psycopg2.Error as error:  # PostgreSQL is in no state to be broken further
            log.info("fault %s not begun: %s", fault.name, type(error).__name__)
            self._report.n_not_begun += 1
            return
        if callable(end):  # otherwise it is over
            heapq.heappush(self._ends, (time.monotonic() + seconds, next(self._numbers), fault.name, end))

    def _wait_until(self, at: float) -> None:
        while self._ends and self._ends[0][0] < at:
            time.sleep(max(0.0, self._ends[0][0] - time.monotonic()))
            self._end_next()
        time.sleep(max(0.0, at - time.monotonic()))

    def _end_next(self) -> None:
        _, _, name, end = heapq.heappop(self._ends)
        try:
            end()
        except psycopg2.Error as error:
            log.info("fault %s not ended yet: %s", name, type(error).__name__)
            heapq.heappush(self._ends, (time.monotonic() + 0.5, next(self._numbers), name, end))
            time.sleep(0.1)


def run(folder: Path, seconds: float, seed: int, *, patience: float = 1.0) -> Report:
    """Chaos for so long, then the judgement. The seed decides which faults strike when, not how processes race.

    `patience`: how many times longer than promised a host may take to catch up, on a machine that does much else.
    """
    report = Report(seed)
    with stage(folder, seed) as here:
        visitor, producer = Visitor(here), Producer(here, _PER_SECOND)
        wait_for(lambda: len(here.place.rows("SELECT 1 FROM mirror.cursors")) == len(HOSTS), "the hosts are taken", 90)
        for thread in (visitor, producer):
            thread.start()
        _storms(here, report, seconds)
        visitor.stop()
        producer.stop()
        report.statuses, report.n_lost_acks = visitor.statuses, here.proxy.n_lost
        _become_quiet(here, report)
        report.n_offered = here.counter.n_offered
        report.verdict = compare(here.place, here.simulator, here.counter)
        report.tracebacks = tracebacks(here)
        report.leaks = leaks(here)
    _judge(report, seconds, patience)
    return report


def _storms(here: Stage, report: Report, seconds: float) -> None:
    storm, began_at = Storm(here, report), time.monotonic()
    lasting = tuple(fault for fault in FAULTS if not fault.kills)
    start: dict[str, float] = {}
    while (passed := time.monotonic() - began_at) < seconds:
        # In the second half no process is killed: their memory is that of the start and of the end.
        in_second_half = seconds >= _MEMORY_JUDGED_FROM_SECONDS and passed > seconds / 2
        storm.blow(min(_STORM_SECONDS, seconds - passed), lasting if in_second_half else FAULTS)
        storm.calm()
        report.catch_ups += catch_ups(here, _CALM_SECONDS)
        log.info("calm: %s", ", ".join(f"{c.seconds:.1f} s of {c.allowed_seconds:.1f}" for c in report.catch_ups[-4:]))
        if in_second_half and not start:
            _warm_up(here)
            start = _memory(here)
    if start:
        end = _memory(here)
        report.memory = {name: (start[name], end.get(name, 0.0)) for name in start}


def _warm_up(here: Stage) -> None:
    """What is largest, once for each host and grabber: what comes later should find its room in what is there then."""
    for number in range(len(here.grabbers)):
        with here.all_hosts_of(number):
            _warm_up_the_holder(here)
    catch_ups(here, _CALM_SECONDS)


def _warm_up_the_holder(here: Stage) -> None:
    for fault in ("gzipbomb:300", "stream-forever"):
        here.simulator.faults.set(fault)
        time.sleep(_WARM_UP_SECONDS)
        here.simulator.faults.clear()
    for change in ("many-points", "long-line", "many-lines"):
        for host in HOSTS:
            here.produce(host, change=change)
        time.sleep(_WARM_UP_SECONDS)


def _memory(here: Stage) -> dict[str, float]:
    processes = {f"grabber {number}": process for number, process in enumerate(here.grabbers)}
    processes |= {"server": here.server} if here.server else {}
    return {f"{name} ({process.pid})": resident_megabytes(process.pid) for name, process in processes.items()}


def _become_quiet(here: Stage, report: Report) -> None:
    """Nothing is produced any more; what was is waited for; both grabbers end, and one compares everything."""
    here.simulator.kill()
    for host in HOSTS:  # one that was just reset has nothing, and nothing to compare
        here.produce(host)
    wait_for(lambda: _is_level(here), "the heads are upstream's newest revisions", _QUIET_SECONDS)
    for process in here.grabbers:
        process.send_signal(signal.SIGTERM)
    statuses = [process.wait(12) for process in here.grabbers]
    report.problems += [f"a grabber that was told to stop ended with {status}" for status in statuses if status]
    asked_at = here.sql("SELECT now()")[0][0]
    here.start_grabber("--full-check")
    done = "SELECT count(*) FROM mirror.cursors WHERE compared_at > %s AND NOT relist AND tail_rev = 0"
    wait_for(lambda: here.sql(done, asked_at) == [(len(HOSTS),)], "the full check is done", _QUIET_SECONDS)
    wait_for(lambda: _is_level(here), "the heads are there again", _QUIET_SECONDS)


def _is_level(here: Stage) -> bool:
    heads = here.sql("SELECT head_rev FROM mirror.cursors WHERE n_behind = 0 AND state = 'live'")
    newest = sorted(here.simulator.stores[host].newest_rev for host in HOSTS)
    return sorted(rev or 0 for (rev,) in heads) == newest


def _judge(report: Report, seconds: float, patience: float) -> None:
    problems = report.problems
    problems += [f"unhandled: {line}" for line in report.tracebacks]
    problems += [f"leak: {line}" for line in report.leaks]
    problems += [f"late: {each}" for each in report.catch_ups if each.is_late(patience)]
    problems += [f"a page answered {status}" for status in report.statuses if status not in {200, 503}]
    problems += [
        f"{name} grew from {start:.0f} to {end:.0f} MB"
        for name, (start, end) in report.memory.items()
        if end > start * _MEMORY_GROWTH
    ]
    problems += report.verdict.differences
    if seconds >= _MEMORY_JUDGED_FROM_SECONDS and not report.memory:
        problems.append("memory was not measured")
