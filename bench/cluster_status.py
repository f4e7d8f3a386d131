"""Cluster status, asked every 30 s for a day, for 58 days, for ten years: what it takes to store and to show it."""

import functools
from collections.abc import Callable
from pathlib import Path

from bench import todays_way_server
from bench.figures import Figure
from bench.timing import best_in_turn, best_ms
from dqmsquare.storage import host_queries
from dqmsquare.storage.engine import Database
from dqmsquare.storage.statuses import SeenStatus, record_statuses
from tests.postgres import TestPlace

DAYS = (1, 58, 3_650)
_HOSTS = tuple(f"bench{number}" for number in range(6))
_TURNS_PER_DAY = 2  # each host goes down once a day, and comes up again
_ASKED_PER_DAY = 24 * 120
_TODAYS_ROWS_MAX = 1_000_000  # of ten years there would be 63 million
_NO_DIFFERENCE = 1.5  # times the first day


def measure(place: TestPlace, folder: Path, *, days: tuple[int, ...] = DAYS) -> list[Figure]:  # noqa: ARG001
    """A database that is a day old, and one that gets older; the same questions to both in turn."""
    young, *older = days
    todays_way_server.make_tables(place, {})
    _live_through(place, "playback", young)
    figures = []
    for age in older:
        _live_through(place, "production", age)
        todays_way_server.fill_statuses(place, min(age * _ASKED_PER_DAY * len(_HOSTS), _TODAYS_ROWS_MAX), len(_HOSTS))
        figures += _compared(place, young, age, is_first=age == older[0])
    return [*figures, _per_year(place, days[-1])]


def _live_through(place: TestPlace, cluster: str, days: int) -> None:
    """What is stored after so many days: a row whenever a host's status changes."""
    for host in _HOSTS:
        row = f"'{host}', 'fu..{host[-1]}', false"
        place.rows(f"INSERT INTO mirror.hosts VALUES ({row}) ON CONFLICT DO NOTHING", cluster)
        place.rows(
            "INSERT INTO mirror.host_statuses (host_id, since, seen_at, is_up, message) "
            f"SELECT '{host}', date_trunc('day', now()) - make_interval(hours => n * {24 // _TURNS_PER_DAY}), now(), "
            "n % 2 = 0, CASE WHEN n % 2 = 1 THEN 'connection timed out' END "
            f"FROM generate_series(0, {days * _TURNS_PER_DAY}) n ON CONFLICT DO NOTHING",
            cluster,
        )
    place.rows("VACUUM ANALYZE mirror.host_statuses", cluster)


def _compared(place: TestPlace, young: int, old: int, *, is_first: bool) -> list[Figure]:
    shown, stored = _in_both(place.reader, _shown), _in_both(place.owner, _stored)
    way = todays_way_server.TodaysWay(todays_way_server.url(place))
    todays = best_ms(way.get_cluster_status, 5)
    figures = []
    for what, (seen, later) in {"shown": shown, "stored": stored}.items():
        if is_first:
            figures.append(Figure(what=_words(what, young), unit="ms", seen=seen, is_cost=True))
        figures.append(
            Figure(
                what=_words(what, old), unit="ms", seen=later, is_cost=True, less_than=_NO_DIFFERENCE * seen,
                todays=todays if what == "shown" else None,
            )
        )  # fmt: skip
    return figures


def _words(what: str, days: int) -> str:
    return f"cluster status {what}, asked for {days:,} day{'s' if days > 1 else ''}"


def _in_both(database: Callable[[str], Database], work: Callable[[Database], object]) -> list[float]:
    young, old = database("playback"), database("production")
    return best_in_turn([functools.partial(work, young), functools.partial(work, old)])


def _shown(database: Database) -> None:
    with database.reading() as connection:
        host_queries.hosts_of_cluster(connection)


def _stored(database: Database) -> None:
    seen = [SeenStatus(host, f"fu..{host[-1]}", is_up=True, message=None) for host in _HOSTS]
    with database.writing() as connection:
        assert record_statuses(connection, database.cluster, seen) == 0


def _per_year(place: TestPlace, days: int) -> Figure:
    [(n_bytes,)] = place.rows("SELECT pg_total_relation_size('mirror.host_statuses')")
    per_year = n_bytes / 1e6 / days * 365
    todays = 1.4 * 365  # MB, as measured at the first mirror: a row of 80 bytes per host and question
    return Figure(what="cluster status, a year", unit="MB", seen=per_year, todays=todays, is_cost=True, less_than=1)
