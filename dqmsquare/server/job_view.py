"""A job's page as data: its facts, its other attempts, its history, lumisections and graphs."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from dqmsquare.documents import LumiRange
from dqmsquare.server import charts, formats, views
from dqmsquare.server.judging import JudgedJob
from dqmsquare.states import State
from dqmsquare.storage.client_queries import ClientRun
from dqmsquare.storage.rows import JobRow, JobSeries, RunRow

_INPUT_WORDS = {0: "open", 1: "end of run seen, files left", 2: "end of run, all read"}  # dqm2.md section 7
_NAMED_MAX = 6  # lumisections written out per reason in the headline
_WORST_FIRST = ("bad", "warn", "other", "info")
_STRIP_WIDTH = 0.25  # percent: 3 px of a wide page


@dataclass(frozen=True, slots=True)
class PastRun:
    """The worst state of the client in an earlier run."""

    run: int
    state: State


@dataclass(frozen=True, slots=True)
class OddLumis:
    """Lumisections that were not simply read, with DQM²'s reason."""

    span: str
    grade: str
    text: str


@dataclass(frozen=True, slots=True)
class Graph:
    """A chart and its words; `chart` is None where there are too few points."""

    key: str
    title: str
    note: str
    chart: charts.LineChart | None
    rows: tuple[tuple[str, str], ...]
    columns: tuple[str, str]


@dataclass(frozen=True, kw_only=True)
class JobView:
    """All a job's page shows but its log."""

    line: views.JobLine
    job: JobRow
    run: RunRow | None
    attempts: Sequence[views.JobLine]
    history: Sequence[PastRun]
    release: views.ReleaseLine | None
    strip: Sequence[charts.StripPart]
    last_lumi: int
    lumi_words: str
    odd_lumis: Sequence[OddLumis]
    graphs: Sequence[Graph]
    now: datetime

    @property
    def is_alive(self) -> bool:
        """Whether more may come."""
        return self.job.exit_code is None and self.line.state != State.LOST

    @property
    def attempt_number(self) -> int:
        """Which of the client's jobs in this run it is, by first report, from 1."""
        return next(i for i, line in enumerate(self.attempts, 1) if line.key == self.job.job_id)

    @property
    def n_behind(self) -> int | None:
        """Lumisections behind the run's newest."""
        newest = self.run.last_lumi if self.run else None
        return newest - self.job.lumi if newest and self.job.lumi else None

    @property
    def ran_seconds(self) -> float | None:
        """From the first report to the last one, in s."""
        first, last = self.job.first_reported_at, self.job.reported_at
        return (last - first).total_seconds() if first and last else None

    @property
    def input_words(self) -> str:
        """What DQM² says of the job's input."""
        return _INPUT_WORDS.get(self.job.fi_state, "not told") if self.job.fi_state is not None else "not told"

    @property
    def reads_another_run(self) -> bool:
        """Whether the data say another run than the one the job was started for."""
        return bool(self.job.cmssw_run) and self.job.cmssw_run != self.job.run


def job_view(
    job: JobRow,
    *,
    run: RunRow | None,
    judged: Iterable[JudgedJob],
    series: JobSeries | None,
    history: Iterable[ClientRun],
    slope_warning: float,
    now: datetime,
) -> JobView:
    """Puts the page together; `judged` are all jobs of the run, `slope_warning` is in MB per hour."""
    last_lumi = run.last_lumi if run else None
    lines = [
        views.job_line(one, last_lumi=last_lumi, slope_warning=slope_warning)
        for one in judged
        if one.job.tag == job.tag
    ]
    attempts = sorted(lines, key=lambda line: _began(line.job))
    ranges = series.lumi_ranges if series else job.odd_lumis
    seen = max([last_lumi or 0, *(one.last for one in ranges)])
    return JobView(
        line=next(line for line in lines if line.key == job.job_id),
        job=job,
        run=run,
        attempts=attempts,
        history=past_runs(history, job.run),
        release=views.release_line(job.release),
        strip=charts.strip(ranges, seen, least_width=_STRIP_WIDTH),
        last_lumi=seen,
        lumi_words=lumi_words(ranges),
        odd_lumis=odd_lumis(ranges),
        graphs=graphs(series) if series else (),
        now=now,
    )


def _began(job: JobRow | None) -> float:
    began = job and (job.first_reported_at or job.reported_at or job.received_at)
    return began.timestamp() if began else 0.0


def past_runs(history: Iterable[ClientRun], run: int) -> list[PastRun]:
    """The runs before `run`, oldest first, each with the worst that happened to the client in it."""
    return [PastRun(one.run, _worst(one)) for one in reversed(list(history)) if one.run < run]


def _worst(one: ClientRun) -> State:
    if one.n_crashed:
        return State.CRASHED
    if one.n_failed:
        return State.FAILED
    if one.n_open:  # a newer run exists, so nobody heard how it ended
        return State.LOST
    return State.STOPPED if one.n_stopped else State.FINISHED


def lumi_words(ranges: Iterable[LumiRange]) -> str:
    """What happened to the lumisections, in a line.

    >>> lumi_words([LumiRange(1, 96, "ok", ""), LumiRange(97, 98, "warn", "skipped: timeout")])
    '96 read · 2 skipped: timeout (97–98)'
    """
    n_read, n_odd = 0, Counter[tuple[str, str]]()
    spans: dict[tuple[str, str], list[str]] = {}
    for one in ranges:
        if one.grade == "ok":
            n_read += one.last - one.first + 1
        else:
            n_odd[one.grade, one.text] += one.last - one.first + 1
            spans.setdefault((one.grade, one.text), []).append(charts.lumi_span(one.first, one.last))
    words = [f"{n_read} read"] if n_read else []
    for reason in sorted(n_odd, key=lambda reason: _WORST_FIRST.index(reason[0])):
        named = ", ".join(spans[reason][:_NAMED_MAX]) + (", …" if len(spans[reason]) > _NAMED_MAX else "")
        words.append(f"{n_odd[reason]} {reason[1]} ({named})")
    return " · ".join(words)


def odd_lumis(ranges: Iterable[LumiRange]) -> list[OddLumis]:
    """Every stretch that was not simply read, in the order of lumisections."""
    return [OddLumis(charts.lumi_span(one.first, one.last), one.grade, one.text) for one in ranges if one.grade != "ok"]


def graphs(series: JobSeries) -> tuple[Graph, ...]:
    """Memory, rate, events and seconds per lumisection."""
    by_lumi = _sums_by_lumi(series)
    lumis = sorted(by_lumi)
    rates = [(n, by_lumi[n][0] / by_lumi[n][1]) for n in lumis if by_lumi[n][1] > 0]
    events = [(n, float(by_lumi[n][0])) for n in lumis]
    seconds = [(n, by_lumi[n][1]) for n in lumis]
    reference = (charts.LUMI_SECONDS, "23.3 s")
    return (
        _memory_graph(series),
        _lumi_graph("rate", ("Rate", "Hz", "Hz per lumisection"), rates),
        _lumi_graph("events", ("Events", "", "per lumisection"), events),
        _lumi_graph("seconds", ("Time", "s", "s per lumisection, against its 23.3 s"), seconds, reference),
    )


def _sums_by_lumi(series: JobSeries) -> dict[int, tuple[int, float]]:
    # A lumisection may come in several updates (dqm2.md section 3, lumi_stats).
    sums: dict[int, tuple[int, float]] = {}
    for lumi, n_events, seconds in series.lumis:
        before = sums.get(lumi, (0, 0.0))
        sums[lumi] = (before[0] + n_events, before[1] + seconds)
    return sums


def _lumi_graph(
    key: str,
    words: tuple[str, str, str],
    points: Sequence[tuple[float, float]],
    reference: tuple[float, str] | None = None,
) -> Graph:
    title, unit, note = words
    ticks = charts.nice_ticks(points[-1][0], 5) if points else ()
    chart = charts.line_chart(points, x_labels=[(x, f"{x:g}") for x in ticks if x], reference=reference)
    rows = tuple((f"{x:g}", f"{y:,.4g}") for x, y in points)
    return Graph(key, title, note, chart, rows, ("lumisection", f"{title.lower()}, {unit}" if unit else title.lower()))


def _memory_graph(series: JobSeries) -> Graph:
    began = series.memory[0][0] if series.memory else 0
    points = [(float(at - began), rss / 2**20) for at, rss, _ in series.memory]
    chart = charts.line_chart(points, x_labels=time_ticks(points[-1][0]) if points else ())
    rows = tuple((formats.duration(x), f"{y:,.0f}") for x, y in points)
    return Graph("memory", "Memory", "resident, MB", chart, rows, ("after", "memory, MB"))


_STEPS_SECONDS = (60, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400)
_TICKS_MAX = 6


def time_ticks(span_seconds: float) -> list[tuple[float, str]]:
    """Round times since the start.

    >>> time_ticks(10_000)
    [(1800, '30 min'), (3600, '1 h'), (5400, '1 h 30'), (7200, '2 h'), (9000, '2 h 30')]
    """
    step = next((s for s in _STEPS_SECONDS if span_seconds / s <= _TICKS_MAX), _STEPS_SECONDS[-1])
    return [(at, _tick_words(at)) for at in range(step, int(span_seconds) + 1, step)]


def _tick_words(seconds: int) -> str:
    hours, minutes = divmod(seconds // 60, 60)
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes:02}" if minutes else f"{hours} h"
