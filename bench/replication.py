"""2,000 documents of one host into PostgreSQL, with and without 20 ms of round trip to upstream and database.

`python -m bench.replication [documents] [documents of today's way]`. Upstream's answers are made beforehand.
"""

import io
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2

from bench import todays_way_grabber
from bench.figures import Figure, table
from bench.grabbing import grabbing
from bench.latency import slow_way_to
from bench.ready_upstream import documents_of_one_host, ready_upstream
from tests.postgres import TestPlace, fresh_place

N_DOCUMENTS = 2_000
N_TODAY = 400  # half of them before the mirror's turn and half after it
ROUND_TRIP_SECONDS = 0.02
_LIMIT_SECONDS = 600.0
_COPIED = ("jobs", "job_series", "job_logs")


@dataclass(frozen=True, slots=True)
class Replication:
    """Documents per second: the mirror's, today's way's; the last two the same with the round trip."""

    n_documents: int
    mirror: float
    todays: float
    copy_of_todays_rows: float
    copy_of_mirror_rows: float
    slow_mirror: float
    slow_todays: float

    def figures(self) -> list[Figure]:
        """Lines for the table."""
        what, unit = f"{self.n_documents:,} documents of one host", "documents/s"
        return [
            Figure(
                what=f"{what}; limit: COPY of the rows",
                unit=unit,
                seen=self.mirror,
                todays=self.todays,
                limit=self.copy_of_todays_rows,
                times_todays=8,
                of_limit=0.3,
            ),
            Figure(
                what=f"{what}; limit: COPY of the mirror's, packed rows",
                unit=unit,
                seen=self.mirror,
                limit=self.copy_of_mirror_rows,
            ),
            Figure(
                what=f"{what}, {1000 * ROUND_TRIP_SECONDS:.0f} ms of round trip",
                unit=unit,
                seen=self.slow_mirror,
                todays=self.slow_todays,
                times_todays=40,
            ),
        ]


def measure(place: TestPlace, folder: Path, n_documents: int = N_DOCUMENTS, n_today: int = N_TODAY) -> Replication:
    """All of it, one after the other, on one database that is emptied in between."""
    documents = documents_of_one_host(n_documents)
    with ready_upstream(folder, documents) as url:
        mirror, todays = _beside(place, folder, url, n_documents, n_today)
        copies = _copy_of_todays_rows(place, documents), _copy_of_mirror_rows(place, n_documents)
        with _far_away(place, url) as (far_url, settings):
            slow_mirror, slow_todays = _beside(place, folder, far_url, n_documents, n_today // 4, settings)
    return Replication(n_documents, mirror, todays, *copies, slow_mirror, slow_todays)


def _beside(
    place: TestPlace, folder: Path, url: str, n_documents: int, n_today: int, settings: dict[str, str] | None = None
) -> tuple[float, float]:
    """Documents per second of the mirror, and of today's way before and after."""
    settings = settings or {}
    connect = todays_way_grabber.connect_arguments(place)
    if settings:
        connect |= {"host": settings["POSTGRES_HOST"], "port": settings["POSTGRES_PORT"]}
    before = _seconds_of_todays_way(url, connect, n_today // 2)
    mirror = _mirror(place, folder, url, n_documents, settings)
    after = _seconds_of_todays_way(url, connect, n_today // 2)
    return mirror, n_today // 2 * 2 / (before + after)


def _seconds_of_todays_way(url: str, connect: dict[str, Any], n_documents: int) -> float:
    began = time.monotonic()
    assert todays_way_grabber.grab(url, connect, n_documents) == n_documents
    return time.monotonic() - began


def _mirror(place: TestPlace, folder: Path, url: str, n_documents: int, settings: dict[str, str]) -> float:
    """From its first documents in the database to its last: the listing counts, Python's own start does not."""
    _empty(place)
    with grabbing(place, folder, url, **settings) as grabber:
        first_at = grabber.wait_for_jobs(1, _LIMIT_SECONDS)
        n_first = grabber.n_jobs()
        last_at = grabber.wait_for_jobs(n_documents, _LIMIT_SECONDS)
    return (n_documents - n_first) / (last_at - first_at)


def _empty(place: TestPlace) -> None:
    tables = ", ".join(f"mirror.{name}" for name in (*_COPIED, "cursors", "runs", "run_clients", "changes"))
    place.rows(f"TRUNCATE {tables}")


@contextmanager
def _far_away(place: TestPlace, url: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Upstream's address and the settings for PostgreSQL, both behind the round trip."""
    socket = f"{place.server.host}/.s.PGSQL.5432"
    with (
        slow_way_to(url.removeprefix("http://"), ROUND_TRIP_SECONDS) as upstream_port,
        slow_way_to(socket, ROUND_TRIP_SECONDS) as postgres_port,
    ):
        yield (
            f"http://127.0.0.1:{upstream_port}",
            {"POSTGRES_HOST": "127.0.0.1", "POSTGRES_PORT": str(postgres_port)},
        )


def _copy_of_todays_rows(place: TestPlace, documents: list[dict[str, Any]]) -> float:
    rows = [todays_way_grabber.row_of(document | {"_rev": 1}) for document in documents]
    text = "".join("\t".join(map(_for_copy, row)) + "\n" for row in rows)
    return len(rows) / _copy_seconds(place, {"public.todays_runs": text})


def _copy_of_mirror_rows(place: TestPlace, n_documents: int) -> float:
    """Of what the mirror has just stored."""
    texts = {}
    with psycopg2.connect(**todays_way_grabber.connect_arguments(place)) as connection, connection.cursor() as cursor:
        for name in _COPIED:
            buffer = io.StringIO()
            cursor.copy_expert(f"COPY mirror.{name} TO STDOUT", buffer)
            texts[f"mirror.{name}"] = buffer.getvalue()
    return n_documents / _copy_seconds(place, texts)


def _copy_seconds(place: TestPlace, texts: dict[str, str]) -> float:
    """The best of three."""
    seconds = []
    with psycopg2.connect(**todays_way_grabber.connect_arguments(place)) as connection, connection.cursor() as cursor:
        for _ in range(3):
            cursor.execute(f"TRUNCATE {', '.join(texts)}")
            connection.commit()
            began = time.monotonic()
            for name, text in texts.items():
                cursor.copy_expert(f"COPY {name} FROM STDIN", io.StringIO(text))
            connection.commit()
            seconds.append(time.monotonic() - began)
    return min(seconds)


def _for_copy(value: object) -> str:
    text = str(value)
    for character, escaped in (("\\", "\\\\"), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        text = text.replace(character, escaped)
    return text


def main(arguments: list[str]) -> None:
    """Measures on a database of its own and prints."""
    sizes = [int(argument) for argument in arguments]
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name, fresh_place(Path(name)) as place:
        print(table(measure(place, Path(name), *sizes).figures()))


if __name__ == "__main__":
    main(sys.argv[1:])
