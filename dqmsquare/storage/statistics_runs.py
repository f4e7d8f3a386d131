"""Facts of each run in a range: start, stop, delivery, jobs; computed in SQL."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, Connection, cast, func, select, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.selectable import LateralFromClause

from dqmsquare.storage.statistics import crashes, failures
from dqmsquare.storage.statistics_selection import Selection, selected, stuck_jobs
from dqmsquare.storage.tables import deliveries, jobs, runs

_MAIN_BUILDER = "analyze_files"  # the BU's own list of a run, as in queries.py


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFacts:
    """A run. Delays in s over all its streams, each counting the same; None where no BU told."""

    run: int
    run_key: str | None
    release: str | None
    started_at: datetime | None
    start_estimated: bool  # the BU could not tell, or there is no BU's word and it is when a job first reported
    stopped_at: datetime | None  # the last report of any of its jobs
    mean_delay_seconds: float | None
    sigma_delay_seconds: float | None
    last_lumi: int | None
    n_events: int | None
    n_bytes: int | None
    n_jobs: int
    n_crashed: int
    n_failed: int
    n_stuck: int
    n_input_gone: int


def run_facts(connection: Connection, selection: Selection) -> list[RunFacts]:
    """The runs, newest first. By runs' primary key, deliveries_run and jobs_open."""
    stuck = stuck_jobs(selection, jobs.c.run)
    delivery = _main_delivery()
    streams = _streams(delivery)
    from_bu = func.to_timestamp(delivery.c.global_start)
    statement = (
        select(
            *(runs.c[name] for name in ("run", "run_key", "release", "n_jobs", "n_input_gone")),
            func.coalesce(from_bu, runs.c.first_reported_at).label("started_at"),
            (delivery.c.global_start.is_(None) | delivery.c.global_start_estimated).label("start_estimated"),
            runs.c.last_reported_at.label("stopped_at"),
            streams.c.mean_delay_seconds,
            streams.c.sigma_delay_seconds,
            func.greatest(runs.c.last_lumi, streams.c.last_lumi).label("last_lumi"),
            streams.c.n_events,
            streams.c.n_bytes,
            crashes(runs).label("n_crashed"),
            failures(runs).label("n_failed"),
            func.coalesce(stuck.c.n_stuck, 0).label("n_stuck"),
        )
        .select_from(
            runs.outerjoin(delivery, true()).outerjoin(streams, true()).outerjoin(stuck, stuck.c.run == runs.c.run)
        )
        .where(selected(selection))
        .order_by(runs.c.run.desc())
        .limit(selection.n_runs)
    )
    return [RunFacts(**row) for row in connection.execute(statement).mappings()]


def _main_delivery() -> LateralFromClause:
    columns = (deliveries.c.global_start, deliveries.c.global_start_estimated, deliveries.c.summary)
    order = ((deliveries.c.tag == _MAIN_BUILDER).desc(), deliveries.c.reported_at.desc(), deliveries.c.document_id)
    of_run = select(*columns).where(deliveries.c.run == runs.c.run).order_by(*order).limit(1)
    return of_run.lateral("delivery")


def _streams(delivery: LateralFromClause) -> LateralFromClause:
    """Of StreamSummary's values: label, mean, sigma, last delay, last lumisection, events, bytes."""
    stream = func.jsonb_array_elements(delivery.c.summary, type_=JSONB).column_valued("stream")
    mean, sigma = stream[1].as_float(), stream[2].as_float()
    mean_of_squares = func.avg(mean * mean + sigma * sigma)
    variance = mean_of_squares - func.avg(mean) * func.avg(mean)
    return select(
        func.avg(mean).label("mean_delay_seconds"),
        func.sqrt(func.abs(variance)).label("sigma_delay_seconds"),  # abs: a rounding error may lie below 0
        func.max(stream[4].as_integer()).label("last_lumi"),
        cast(func.sum(stream[5].as_string().cast(BigInteger)), BigInteger).label("n_events"),
        cast(func.sum(stream[6].as_string().cast(BigInteger)), BigInteger).label("n_bytes"),
    ).lateral("streams")
