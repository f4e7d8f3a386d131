"""What will happen in a run, decided by chance from (seed, run) before it begins: who runs where and how each ends.

Times are seconds of the run since its start; at speed 1 they are those of the clock. Nothing here has a state,
so a document of long ago can be made when somebody asks for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from random import Random

from dqmsquare.simulator.clients import CLIENTS, LUMI_SECONDS, RELEASES, Client, dice
from dqmsquare.simulator.delivery import USUAL_DELAY_SECONDS
from dqmsquare.simulator.jobs import run_unique_key

END_OF_RUN_SECONDS = 5.0  # from the last lumisection to its end-of-run file
_RUN_KEYS = {
    "production": ("cosmic_run", "pp_run", "pp_run", "hi_run"),
    "playback": ("cosmic_run", "pp_run", "hi_run"),
}
SOURCE_RUN = 256936  # what the playback plays again


class Fate(StrEnum):
    """How a job's life goes."""

    FINISHES = "finishes"
    CRASHES = "crashes"
    THROWS = "throws"  # ends with an exception of CMSSW
    FAILS_AT_START = "fails at start"
    STOPPED = "stopped"  # by hltd at the end of the run
    STUCK = "stuck"  # stops reporting, for ever
    SILENT = "silent"  # its monitor reports, the process does not
    HANGS = "hangs"  # at the end of the run, until it is killed


_WEIGHTS = {  # of a thousand jobs of a usual run
    Fate.FINISHES: 920,
    Fate.CRASHES: 12,
    Fate.THROWS: 10,
    Fate.FAILS_AT_START: 6,
    Fate.STOPPED: 30,
    Fate.STUCK: 6,
    Fate.SILENT: 8,
    Fate.HANGS: 8,
}
_EXIT_CODES: dict[Fate, tuple[int | None, ...]] = {
    Fate.FINISHES: (0,),
    Fate.CRASHES: (-11, -6, -11, 134, -9, 139, -8),
    Fate.THROWS: (65, 86, 84, 70, 66, 68),
    Fate.FAILS_AT_START: (90, 1, 83, 127),
    Fate.STOPPED: (-15, -15, -2),
    Fate.STUCK: (None,),
    Fate.SILENT: (0,),
    Fate.HANGS: (-9,),
}
_EVENTFUL = (Fate.CRASHES, Fate.THROWS, Fate.FAILS_AT_START, Fate.STUCK, Fate.SILENT, Fate.HANGS)
_DIES = (Fate.CRASHES, Fate.THROWS, Fate.FAILS_AT_START)


@dataclass(frozen=True, slots=True)
class JobPlan:
    """One process of a client. `turns` is when its fate strikes, `ends` when its last report is made."""

    client: Client
    fate: Fate
    starts: float
    turns: float
    ends: float
    exit_code: int | None
    latency: float
    host: str = ""
    pid: int = 0
    growth_mb_per_hour: float = 0.0
    first_lumi: int = 1
    skipped: tuple[tuple[int, str], ...] = ()

    def is_over(self, seconds: float) -> bool:
        """Whether its last report is due; an instant of the clock is not exact to the last digit."""
        return seconds >= self.ends - 0.01


@dataclass(frozen=True, slots=True)
class Outage:
    """A host that the gateway cannot reach for a while."""

    host: str
    starts: float
    ends: float


@dataclass(frozen=True, slots=True)
class RunPlan:
    """A run of a cluster. `started_at` is its global start (s since 1970), `bu` the host that delivers files."""

    cluster: str
    run: int
    run_key: str
    release: str
    unique_key: str
    n_lumis: int
    started_at: float
    speed: float
    bu: str
    jobs: tuple[JobPlan, ...]
    outage: Outage | None

    def seconds(self, at: float) -> float:
        """The run's own time at an instant of the clock."""
        return (at - self.started_at) * self.speed

    def at(self, seconds: float) -> float:
        """The instant of the clock at a time of the run."""
        return self.started_at + seconds / self.speed

    @property
    def ends(self) -> float:
        """When data taking ends."""
        return self.n_lumis * LUMI_SECONDS


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster's name and hosts (short names); builders are told by their names, as at P5."""

    name: str
    hosts: tuple[str, ...]

    @property
    def bu(self) -> str:
        """The host that delivers the files."""
        return next((host for host in self.hosts if _is_builder(host)), self.hosts[0])

    @property
    def workers(self) -> tuple[str, ...]:
        """The hosts that clients run on."""
        return tuple(host for host in self.hosts if not _is_builder(host)) or self.hosts


def _is_builder(host: str) -> bool:
    return host.startswith(("bu-", "dqmrubu-", "rubu-"))


def n_lumis_of(seed: int, cluster: str, run: int, *, eventful: bool) -> int:
    """How long a run is; eventful ones give everything that they have in store the time to happen."""
    chance = dice("length", seed, cluster, run)
    return chance.randint(110, 220) if eventful else min(900, 3 + int(chance.expovariate(1 / 70)))


def plan_run(seed: int, cluster: Cluster, run: int, started_at: float, speed: float, *, eventful: bool) -> RunPlan:
    """The plan of a run. An `eventful` one has one of each accident; in others they are rare."""
    chance = dice("plan", seed, cluster.name, run)
    keys = _RUN_KEYS.get(cluster.name, _RUN_KEYS["production"])
    n_lumis = n_lumis_of(seed, cluster.name, run, eventful=eventful)
    jobs = _plan_jobs(chance, cluster, run, n_lumis, eventful=eventful)
    return RunPlan(
        cluster=cluster.name,
        run=run,
        run_key=dice("run key", seed, cluster.name, run // 12).choice(keys),
        release=RELEASES[run // 60 % len(RELEASES)],
        unique_key=run_unique_key(run, seed),
        n_lumis=n_lumis,
        started_at=started_at,
        speed=speed,
        bu=cluster.bu,
        jobs=jobs,
        outage=_outage(chance, cluster, n_lumis) if eventful else None,
    )


def _plan_jobs(chance: Random, cluster: Cluster, run: int, n_lumis: int, *, eventful: bool) -> tuple[JobPlan, ...]:
    fates = (
        _eventful_fates(chance) if eventful else chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=len(CLIENTS))
    )
    missing = chance.randrange(len(CLIENTS)) if chance.random() < (0.5 if eventful else 0.2) else None
    leaking = chance.randrange(len(CLIENTS))
    jobs: list[JobPlan] = []
    for i, client in enumerate(CLIENTS):
        if i == missing:
            continue
        pid = 30_000 + run * 37 % 20_000 + i * 5
        host = cluster.workers[i % len(cluster.workers)]
        growth = chance.uniform(380, 900) if i == leaking else chance.uniform(0, 45)
        job = replace(_plan_job(chance, client, fates[i], n_lumis), host=host, pid=pid, growth_mb_per_hour=growth)
        jobs.append(job)
        if job.fate in _DIES and chance.random() < (1.0 if eventful else 0.5):
            jobs.append(_second_attempt(chance, job, cluster.workers, n_lumis))
    return tuple(jobs)


def _eventful_fates(chance: Random) -> list[Fate]:
    fates = [Fate.FINISHES] * len(CLIENTS)
    busy = [i for i, client in enumerate(CLIENTS) if not client.idle_in]
    for i, fate in zip(chance.sample(busy, len(_EVENTFUL)), _EVENTFUL, strict=True):
        fates[i] = fate
    return fates


def _plan_job(chance: Random, client: Client, fate: Fate, n_lumis: int) -> JobPlan:
    starts = chance.uniform(2.0, 20.0)
    latency = USUAL_DELAY_SECONDS + chance.uniform(2.0, 12.0)
    turns, ends, exit_code = _turn(chance, fate, starts, n_lumis * LUMI_SECONDS, latency)
    skipped = tuple(
        (chance.randint(2, max(2, n_lumis)), chance.choice(("skipped: timeout", "error: data file corrupted")))
        for _ in range(chance.choice((0, 0, 0, 0, 1, 2)))
    )
    return JobPlan(client, fate, starts, turns, ends, exit_code, latency, skipped=skipped)


def _turn(
    chance: Random, fate: Fate, starts: float, run_ends: float, latency: float
) -> tuple[float, float, int | None]:
    """When the fate strikes, when the last report is made, and the exit code in it."""
    usual = run_ends + END_OF_RUN_SECONDS + latency + chance.uniform(2.0, 25.0)
    somewhere = starts + latency + chance.uniform(0.04, 0.5) * run_ends
    early = starts + latency + chance.uniform(0.02, 0.09) * run_ends
    at_start = starts + chance.uniform(3.0, 9.0)
    moments = {
        Fate.CRASHES: (somewhere, somewhere),
        Fate.THROWS: (somewhere, somewhere),
        Fate.FAILS_AT_START: (at_start, at_start),
        Fate.STUCK: (early, early),
        Fate.SILENT: (somewhere, usual),
        Fate.HANGS: (usual, usual + 400.0),
    }
    turns, ends = moments.get(fate, (usual, usual))
    return turns, ends, chance.choice(_EXIT_CODES[fate])


def _second_attempt(chance: Random, first: JobPlan, workers: Sequence[str], n_lumis: int) -> JobPlan:
    """A client that died is started again by hltd; it takes the newest lumisection and leaves out what was before."""
    starts = first.ends + chance.uniform(8.0, 20.0)
    _, ends, _ = _turn(chance, Fate.FINISHES, starts, n_lumis * LUMI_SECONDS, first.latency)
    lumi = max(1, int((starts - first.latency) / LUMI_SECONDS) + 1)
    ends = max(ends, starts + 10.0)
    return replace(
        first, host=chance.choice(workers), pid=first.pid + 2, fate=Fate.FINISHES, starts=starts, turns=ends, ends=ends,
        exit_code=0, first_lumi=min(lumi, n_lumis),
    )  # fmt: skip


def _outage(chance: Random, cluster: Cluster, n_lumis: int) -> Outage | None:
    starts = chance.uniform(0.5, 0.7) * n_lumis * LUMI_SECONDS
    host = chance.choice(cluster.workers)
    if len(cluster.workers) == 1 or chance.random() < 0.5:  # every other eventful run
        return None
    return Outage(host, starts, starts + 150.0)
