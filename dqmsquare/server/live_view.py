"""The live page as data: what the queries answered, judged, sorted and counted. Drawing is the templates'."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from dqmsquare.server import elsewhere, views
from dqmsquare.server.cluster_view import HostLine, host_line
from dqmsquare.server.judging import JudgedJob
from dqmsquare.states import SEVERITY, State
from dqmsquare.storage.rows import HostRow, PlaybackRow, RunRow, StreamSummary

BAD_STATES = (State.CRASHED, State.FAILED)
WARN_STATES = (State.STUCK, State.QUIET, State.LOST, State.MISSING)
Q_MAX_LENGTH = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the URL says of the live page. `run` None follows the newest run; `q` is what clients are filtered by."""

    cluster: str
    run: int | None = None
    sort: str = "state"
    state: State | None = None
    q: str = ""
    palette: str = ""
    kiosk: bool = False

    def query(self, **changes: object) -> dict[str, str]:
        """The parameters of a link that keeps everything but `changes`; what is usual is left out."""
        values = {
            "run": self.run,
            "db": self.cluster,
            "sort": None if self.sort == "state" else self.sort,
            "state": self.state,
            "q": self.q,
            "palette": self.palette,
            "kiosk": 1 if self.kiosk else None,
            **changes,
        }
        return {name: str(value) for name, value in values.items() if value not in {None, ""}}


@dataclass(frozen=True, slots=True)
class Tile:
    """A state, how many jobs are in it, and whether only these are shown."""

    state: State
    n: int
    is_chosen: bool


@dataclass(frozen=True, kw_only=True)
class LiveView:
    """All the live page shows."""

    choice: Choice
    run: RunRow | None
    newest_run: int | None
    previous_run: int | None
    next_run: int | None
    recent: Sequence[RunRow]
    release: views.ReleaseLine | None
    playback: PlaybackRow | None
    tiles: Sequence[Tile]
    lines: Sequence[views.JobLine]
    hosts: Sequence[HostLine]
    now: datetime
    counts: Counter[State] = field(default_factory=Counter)

    @property
    def is_newest(self) -> bool:
        """Whether the run shown is the newest of its cluster."""
        return self.run is not None and self.run.run == self.newest_run

    @property
    def links(self) -> list[tuple[str, str]]:
        """Name and address of the run elsewhere; OMS and the Run Registry know a playback by the run it repeats."""
        if self.run is None:
            return []
        known_as = self.playback.source_run if self.playback else self.run.run
        links = [("OMS", elsewhere.oms_url(known_as))] if known_as else []
        links.append(("DQM GUI", elsewhere.gui_url(self.run.run, self.choice.cluster)))
        return links + ([("Run Registry", elsewhere.registry_url(known_as))] if known_as else [])

    @property
    def started_at(self) -> datetime | None:
        """When the run started: as the BU tells it, else when its first job reported."""
        if self.run is None or self.run.global_start is None:
            return self.run.first_reported_at if self.run else None
        return datetime.fromtimestamp(self.run.global_start, UTC)

    @property
    def start_doubt(self) -> str:
        """Why the start is only an estimate; "" where it is none."""
        if self.run is None or self.run.global_start is None:
            return "No BU told: this is when its first job reported"
        if self.run.global_start_estimated:
            return "Estimated from the first lumisection: the BU could not tell"
        return ""

    @property
    def last_delay_seconds(self) -> float | None:
        """How long the newest lumisection's slowest file took."""
        return last_delay(self.run.streams) if self.run else None

    @property
    def mood(self) -> str:
        """bad, warn or ok: the favicon."""
        return mood(self.counts)

    @property
    def title(self) -> str:
        """The title of the page; static/js/title.js writes the same from an event's counts."""
        return title(f"Run {self.run.run}" if self.run else "No run yet", self.counts)

    @property
    def shown(self) -> int:
        """How many rows the filters let through."""
        return sum(1 for line in self.lines if self.shows(line))

    def shows(self, line: views.JobLine) -> bool:
        """Whether the filters let a row through."""
        choice = self.choice
        return (choice.state is None or line.state == choice.state) and choice.q.lower() in line.client.lower()


def last_delay(streams: Iterable[StreamSummary]) -> float | None:
    """Delay in s of the slowest stream among those that have the newest lumisection."""
    known = [stream for stream in streams if stream.last_delay_seconds is not None]
    newest = max((stream.last_lumi for stream in known), default=0)
    return max((s.last_delay_seconds or 0.0 for s in known if s.last_lumi == newest), default=None)


def title(name: str, counts: Counter[State]) -> str:
    """The worst state that wants somebody's attention, then the name.

    >>> title("Run 377827", Counter({State.CRASHED: 2, State.RUNNING: 28})), title("Run 377827", Counter())
    ('(2 crashed) Run 377827', 'Run 377827')
    """
    worst = next((state for state in SEVERITY if counts[state] and state in (*BAD_STATES, State.STUCK)), None)
    return f"({counts[worst]} {worst}) {name}" if worst else name


def mood(counts: Counter[State]) -> str:
    """What the favicon shows.

    >>> mood(Counter({State.CRASHED: 1})), mood(Counter({State.QUIET: 1})), mood(Counter({State.RUNNING: 9}))
    ('bad', 'warn', 'ok')
    """
    if any(counts[state] for state in BAD_STATES):
        return "bad"
    return "warn" if any(counts[state] for state in WARN_STATES) else "ok"


def tiles(counts: Counter[State], chosen: State | None) -> list[Tile]:
    """A tile for every state that occurs (or is chosen), worst first."""
    return [Tile(state, counts[state], state == chosen) for state in SEVERITY if counts[state] or state == chosen]


def live_view(
    choice: Choice,
    *,
    run: RunRow | None,
    judged: Iterable[JudgedJob],
    missing: Iterable[str],
    neighbours: tuple[int | None, int | None],
    newest_run: int | None,
    recent: Sequence[RunRow],
    playback: PlaybackRow | None,
    hosts: Iterable[HostRow],
    slope_warning: float,
    now: datetime,
) -> LiveView:
    """Puts the page together. `missing` are tags of clients, `slope_warning` is in MB per hour."""
    last_lumi = run.last_lumi if run else None
    lines = [views.job_line(one, last_lumi=last_lumi, slope_warning=slope_warning) for one in judged]
    lines += [views.missing_line(tag) for tag in missing]
    counts = Counter(line.state for line in lines)
    return LiveView(
        choice=choice,
        run=run,
        newest_run=newest_run,
        previous_run=neighbours[0],
        next_run=neighbours[1],
        recent=recent,
        release=views.release_line(run.release) if run else None,
        playback=playback,
        tiles=tiles(counts, choice.state),
        lines=views.sort_lines(lines, choice.sort),
        hosts=[host_line(host) for host in hosts],
        now=now,
        counts=counts,
    )
