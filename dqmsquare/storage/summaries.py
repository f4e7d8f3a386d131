"""The rows per run, and per run and client, that lists are read from; made anew from the jobs of what changed.

The caller holds the PUBLISH lock, so that of two hosts' batches the later one counts the earlier one's jobs.
"""

from collections.abc import Collection

from sqlalchemy import ColumnElement, Connection, Integer, Select, Table, Text, and_, bindparam, delete, func, select
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert

from dqmsquare.storage.listings import forget_listings, make_listings
from dqmsquare.storage.tables import jobs, run_clients, runs

RunAndTag = tuple[int, str]

_PAIRS = (
    func.unnest(bindparam("runs", type_=ARRAY(Integer)), bindparam("tags", type_=ARRAY(Text)))
    .table_valued("run", "tag")
    .render_derived(name="pair")
)


def _count(outcome: str) -> ColumnElement[int]:
    return func.count().filter(jobs.c.outcome == outcome).label(f"n_{outcome}")


_ENDED_BADLY = jobs.c.outcome.in_(("failed", "crashed"))
_COUNTS = (
    func.count().label("n_jobs"),
    func.count().filter(jobs.c.outcome.is_(None)).label("n_open"),
    *(_count(outcome) for outcome in ("finished", "stopped", "failed", "crashed")),
    func.count().filter(jobs.c.input_gone, _ENDED_BADLY).label("n_input_gone"),
    func.count().filter(jobs.c.input_gone, jobs.c.outcome == "crashed").label("n_crashed_input_gone"),
)


def _upsert(table: Table, source: Select[tuple[object, ...]]) -> Insert:
    names = [column.name for column in source.selected_columns]
    statement = insert(table).from_select(names, source)
    keys = [column.name for column in table.primary_key]
    return statement.on_conflict_do_update(
        index_elements=keys, set_={name: statement.excluded[name] for name in names if name not in keys}
    )


_SUMMARISE_CLIENTS = _upsert(
    run_clients,
    select(
        jobs.c.run,
        jobs.c.tag,
        *_COUNTS,
        func.max(jobs.c.lumi).label("max_lumi"),
        func.max(jobs.c.n_events).label("max_events"),
        func.max(jobs.c.heard_at).label("last_heard_at"),
    )
    .join(_PAIRS, and_(_PAIRS.c.run == jobs.c.run, _PAIRS.c.tag == jobs.c.tag))
    .group_by(jobs.c.run, jobs.c.tag),
)

_SUMMARISE_RUNS = _upsert(
    runs,
    select(
        jobs.c.run,
        func.max(jobs.c.run_key).label("run_key"),
        func.max(jobs.c.release).label("release"),
        func.max(jobs.c.cmssw_run).label("cmssw_run"),
        *_COUNTS,
        func.max(jobs.c.lumi).label("last_lumi"),
        func.max(jobs.c.n_events).label("max_events"),
        func.max(jobs.c.rate_hz).label("max_rate_hz"),
        func.min(jobs.c.first_reported_at).label("first_reported_at"),
        func.max(jobs.c.reported_at).label("last_reported_at"),
    )
    .where(jobs.c.run == func.any(bindparam("runs", type_=ARRAY(Integer))))
    .group_by(jobs.c.run),
)

_FORGET_CLIENTS = delete(run_clients).where(
    run_clients.c.run == _PAIRS.c.run,
    run_clients.c.tag == _PAIRS.c.tag,
    ~select(jobs.c.run).where(jobs.c.run == run_clients.c.run, jobs.c.tag == run_clients.c.tag).exists(),
)

_FORGET_RUNS = delete(runs).where(
    runs.c.run == func.any(bindparam("runs", type_=ARRAY(Integer))),
    ~select(jobs.c.run).where(jobs.c.run == runs.c.run).exists(),
)


def summarise(connection: Connection, changed: Collection[RunAndTag], left: Collection[RunAndTag]) -> None:
    """Makes the summaries of `changed` anew; `left` are pairs that a job was moved away from, which is rare."""
    pairs = sorted({*changed, *left})
    if not pairs:
        return
    arrays = {"runs": [run for run, _ in pairs], "tags": [tag for _, tag in pairs]}
    distinct_runs = {"runs": sorted({run for run, _ in pairs})}
    connection.execute(_SUMMARISE_CLIENTS, arrays)
    connection.execute(_SUMMARISE_RUNS, distinct_runs)
    make_listings(connection, distinct_runs["runs"])
    if left:
        connection.execute(_FORGET_CLIENTS, arrays)
        connection.execute(_FORGET_RUNS, distinct_runs)
        forget_listings(connection, distinct_runs["runs"])
