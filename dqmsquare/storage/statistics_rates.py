"""Event rates of clients over a range of runs, cosmics and collisions apart; computed in SQL.

A client's rate in a run is its events over the time of the lumisections it got to, 23.31 s each. That holds for runs
of any age: of old ones the mirror has the last report only, and knows no time they took.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ARRAY, CTE, ColumnElement, Connection, Float, Integer, cast, func, select

from dqmsquare.documents.delivery import LUMI_SECONDS
from dqmsquare.storage.statistics_selection import Selection, kind_of_run, selected
from dqmsquare.storage.tables import run_clients, runs

GROUPS_OF_RUNS = 24  # as many points as a small plot shows apart
LUMI_EDGES = (1, 10, 20, 50, 100, 200, 500, 1000, 2000)  # groups of runs by their length
_ROWS_MAX = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRate:
    """A client's event rate over runs of one kind; mean, sigma (of the runs' rates), lowest and highest in Hz."""

    kind: str
    tag: str
    n_runs: int
    mean_hz: float
    sigma_hz: float
    lowest_hz: float
    highest_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RateOfRuns:
    """The same for a group of neighbouring runs."""

    kind: str
    tag: str
    first_run: int
    last_run: int
    n_runs: int
    mean_hz: float
    sigma_hz: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RateOfLumis:
    """The same for runs in which the client got to `first_lumi` to `last_lumi` (None: or more)."""

    kind: str
    tag: str
    first_lumi: int
    last_lumi: int | None
    n_runs: int
    mean_hz: float
    sigma_hz: float


def client_rates(connection: Connection, selection: Selection) -> list[ClientRate]:
    """Per kind of run and client. By the primary keys of run_clients and runs."""
    rates = _rates(selection)
    extremes = (func.min(rates.c.hz).label("lowest_hz"), func.max(rates.c.hz).label("highest_hz"))
    statement = (
        select(rates.c.kind, rates.c.tag, *_mean_and_sigma(rates), *extremes)
        .group_by(rates.c.kind, rates.c.tag)
        .order_by(rates.c.kind, rates.c.tag)
        .limit(_ROWS_MAX)
    )
    return [ClientRate(**row) for row in connection.execute(statement).mappings()]


def rates_by_run(connection: Connection, selection: Selection) -> list[RateOfRuns]:
    """Per kind, client and group of runs; a kind's runs are parted into up to GROUPS_OF_RUNS groups of equal size.

    By the primary keys of run_clients and runs.
    """
    kind = kind_of_run()
    part = func.ntile(GROUPS_OF_RUNS).over(partition_by=kind, order_by=runs.c.run).label("part")
    parts = select(runs.c.run, part).where(selected(selection)).cte("parts")
    rates = _rates(selection)
    statement = (
        select(
            rates.c.kind,
            rates.c.tag,
            func.min(rates.c.run).label("first_run"),
            func.max(rates.c.run).label("last_run"),
            *_mean_and_sigma(rates),
        )
        .join(parts, parts.c.run == rates.c.run)
        .group_by(rates.c.kind, rates.c.tag, parts.c.part)
        .order_by(rates.c.kind, rates.c.tag, parts.c.part)
        .limit(_ROWS_MAX)
    )
    return [RateOfRuns(**row) for row in connection.execute(statement).mappings()]


def rates_by_lumis(connection: Connection, selection: Selection) -> list[RateOfLumis]:
    """Per kind, client and number of lumisections it got to, in groups (LUMI_EDGES).

    By the primary keys of run_clients and runs.
    """
    rates = _rates(selection)
    group = func.width_bucket(rates.c.max_lumi, cast(list(LUMI_EDGES), ARRAY(Integer))).label("part")
    statement = (
        select(rates.c.kind, rates.c.tag, group, *_mean_and_sigma(rates))
        .group_by(rates.c.kind, rates.c.tag, group)
        .order_by(rates.c.kind, rates.c.tag, group)
        .limit(_ROWS_MAX)
    )
    return [_rate_of_lumis(**row) for row in connection.execute(statement).mappings()]


def _rate_of_lumis(*, part: int, **values: Any) -> RateOfLumis:
    last = LUMI_EDGES[part] - 1 if part < len(LUMI_EDGES) else None
    return RateOfLumis(first_lumi=LUMI_EDGES[part - 1], last_lumi=last, **values)


def _rates(selection: Selection) -> CTE:
    seconds = run_clients.c.max_lumi * LUMI_SECONDS
    return (
        select(
            run_clients.c.run,
            run_clients.c.tag,
            run_clients.c.max_lumi,
            kind_of_run().label("kind"),
            cast(run_clients.c.max_events / seconds, Float).label("hz"),
        )
        .select_from(run_clients.join(runs, runs.c.run == run_clients.c.run))
        .where(
            selected(selection, run_clients.c.run), run_clients.c.max_lumi > 0, run_clients.c.max_events.is_not(None)
        )
        .cte("rates")
    )


def _mean_and_sigma(rates: CTE) -> tuple[ColumnElement[Any], ...]:
    return (
        func.count().label("n_runs"),
        func.avg(rates.c.hz).label("mean_hz"),
        func.stddev_pop(rates.c.hz).label("sigma_hz"),
    )
