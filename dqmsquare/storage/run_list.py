"""Lists of runs, newest first: what may be asked of them, page by page."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, literal_column, select

from dqmsquare.storage.rows import RunRow
from dqmsquare.storage.tables import runs

_COLUMNS = tuple(runs.c[name] for name in RunRow.__slots__ if name in runs.c)
_NOTHING: ColumnElement[int] = literal_column(
    "0"
)  # written out, so that the conditions are those of the partial indexes
_IS_BAD = runs.c.n_failed + runs.c.n_crashed > _NOTHING
_HAS_LUMIS = runs.c.last_lumi > _NOTHING
_KEYS_MAX = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFilter:
    """Which runs: from `first` to `last`, both included; of a run key; None means any.

    `bad_only`: a job of the run failed or crashed. `with_lumis`: a job of the run saw a lumisection.
    """

    first: int | None = None
    last: int | None = None
    run_key: str | None = None
    bad_only: bool = False
    with_lumis: bool = False


def list_runs(connection: Connection, chosen: RunFilter, limit: int, before: int | None = None) -> list[RunRow]:
    """The newest `limit` of the chosen runs, newest first, without their delivery; only those below `before`.

    By runs_of_key, runs_bad, runs_with_lumis or the primary key, backwards. A page begins below the last run of the
    page before, so that runs that come in between are neither skipped nor told twice.
    """
    rows = connection.execute(select_runs(chosen, limit, before)).mappings()
    return [RunRow(**row, global_start=None, global_start_estimated=False, streams=()) for row in rows]


def select_runs(chosen: RunFilter, limit: int, before: int | None = None) -> Select[Any]:
    """The statement of list_runs.

    A run key is asked for as a range, and ordered by: else PostgreSQL may look for it among all newer runs.
    """
    conditions = (
        runs.c.run < before if before is not None else None,
        runs.c.run >= chosen.first if chosen.first is not None else None,
        runs.c.run <= chosen.last if chosen.last is not None else None,
        runs.c.run_key.between(chosen.run_key, chosen.run_key) if chosen.run_key is not None else None,
        _IS_BAD if chosen.bad_only else None,
        _HAS_LUMIS if chosen.with_lumis else None,
    )
    asked = [condition for condition in conditions if condition is not None]
    order = (runs.c.run.desc(),) if chosen.run_key is None else (runs.c.run_key.desc(), runs.c.run.desc())
    return select(*_COLUMNS).where(*asked).order_by(*order).limit(limit)


def run_keys(connection: Connection) -> list[str]:
    """Every run key that a run has, in the order of the alphabet, at most 500. By runs_of_key, a step per key."""
    return list(connection.execute(_RUN_KEYS).scalars())


def _each_run_key() -> Select[Any]:
    # DISTINCT would read the whole index: PostgreSQL does not skip from key to key by itself.
    found = select(func.min(runs.c.run_key).label("run_key")).cte("found", recursive=True)
    following = select(func.min(runs.c.run_key)).where(runs.c.run_key > found.c.run_key).scalar_subquery()
    found = found.union_all(select(following).where(found.c.run_key.is_not(None)))
    return select(found.c.run_key).where(found.c.run_key.is_not(None)).limit(_KEYS_MAX)


_RUN_KEYS = _each_run_key()
