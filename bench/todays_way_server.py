"""Today's way of answering, for comparison: a question to the database per view, nothing kept, nothing compressed.

Its tables are those of the first mirror. It gets a better web server than the first mirror has (Granian instead of
gunicorn) and an index on runs: what is compared is the way, not the luck.
"""

import ast
import json
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import bottle
from granian.constants import HTTPModes, Interfaces
from granian.server import Server
from sqlalchemy import create_engine

from tests.postgres import TestPlace

N_PROCESSES = 4
_TABLES = """
CREATE TABLE public.runs (id TEXT PRIMARY KEY, client TEXT, run INT, rev INT, hostname TEXT, exit_code INT,
    events_total INT, events_rate REAL, cmssw_run INT, cmssw_lumi INT, client_path TEXT, runkey TEXT, fi_state TEXT,
    timestamp TIMESTAMPTZ, vmrss TEXT, stdlog_start TEXT, stdlog_end TEXT);
CREATE TABLE public.graphs (run INT PRIMARY KEY, rev INT, id TEXT, timestamp TIMESTAMPTZ, global_start TIMESTAMPTZ,
    stream_data TEXT, hostname TEXT);
CREATE TABLE public.hostnames (id SERIAL PRIMARY KEY, name TEXT);
CREATE TABLE public.hoststatuses (id SERIAL PRIMARY KEY, created_at TIMESTAMPTZ, host_id INT, is_up BOOL,
    message TEXT);
INSERT INTO public.runs SELECT document_id, tag, run, rev, 'dqmfu-c2b03-45-01', coalesce(exit_code, -1), n_events,
    rate_hz, cmssw_run, lumi, '/dqm/CMSSW_' || release || '/src/' || config_name, 'runkey=' || run_key, fi_state::text,
    reported_at, rss_bytes / 1024 || ' kB', '[]', '[]' FROM mirror.jobs;
CREATE INDEX ON public.runs (run);
VACUUM ANALYZE public.runs
"""
_COLUMNS = (
    "id, client, run, rev, hostname, exit_code, events_total, events_rate, cmssw_run, cmssw_lumi, client_path, "
    "runkey, fi_state, timestamp, vmrss"
)


def url(place: TestPlace) -> str:
    """Of the production database, for SQLAlchemy."""
    return f"postgresql+psycopg2://postgres@/{place.config.database_name('production')}?host={place.server.host}"


def make_tables(place: TestPlace, streams: dict[int, dict[str, Any]], n_status_rows: int = 0) -> None:
    """The first mirror's tables with what the mirror's hold; `streams` by run, as documents have them."""
    for statement in _TABLES.split(";\n"):
        place.rows(statement)
    for run, of_run in streams.items():
        place.rows(
            f"INSERT INTO public.graphs VALUES ({run}, 1, 'x', now(), now(), $t${of_run!r}$t$, 'dqmrubu-c2a06-01-01')"
        )
    fill_statuses(place, n_status_rows)


def fill_statuses(place: TestPlace, n_rows: int, n_hosts: int = 6) -> None:
    """Cluster status as it grows today: a row per host at each question."""
    place.rows("TRUNCATE public.hoststatuses, public.hostnames RESTART IDENTITY")
    place.rows(f"INSERT INTO public.hostnames (name) SELECT 'fu-c2f11-11-0' || n FROM generate_series(1, {n_hosts}) n")
    place.rows(
        "INSERT INTO public.hoststatuses (created_at, host_id, is_up, message) "
        f"SELECT now() - make_interval(secs => n * 5), 1 + n % {n_hosts}, true, '' FROM generate_series(1, {n_rows}) n"
    )
    place.rows("VACUUM ANALYZE public.hoststatuses")


def _label(host: str) -> str:
    parts = host.split("-")
    return f"{parts[0]}..{parts[-1]}"


def _client(tag: str) -> str:
    return tag.removesuffix("_dqm_sourceclient-live")


def _release(client_path: str) -> str:
    return next((part.removeprefix("CMSSW_") for part in client_path.split("/") if "CMSSW" in part), "")


class TodaysWay:
    """Its answers, each through SQLAlchemy's pool of connections, as there."""

    def __init__(self, dsn: str) -> None:
        self._engine = create_engine(dsn, pool_size=20, max_overflow=0)

    def _rows(self, statement: str, *values: object) -> list[Any]:
        with self._engine.connect() as connection:
            return list(connection.exec_driver_sql(statement, values).all())

    def get_run(self, run: int) -> Any:
        before = self._rows("SELECT max(run) FROM public.runs WHERE run < %s", run)[0][0]
        after = self._rows("SELECT min(run) FROM public.runs WHERE run > %s", run)[0][0]
        jobs = self._rows(f"SELECT {_COLUMNS} FROM public.runs WHERE run = %s ORDER BY client, id", run)
        now = datetime.now(UTC)
        entries = [
            [job[13].timestamp() * 1000, (now - job[13]).total_seconds(), _label(job[4]), job[5], _client(job[1]),
             job[9], job[14], job[6], job[0], job[7]]
            for job in jobs
        ]  # fmt: skip
        run_data = [_release(jobs[0][10]), jobs[0][11].removeprefix("runkey=")] if jobs else []
        return [[before, after], [run_data, entries]]

    def get_runs(self, first: int, last: int) -> Any:
        runs: dict[int, Any] = {}
        jobs = self._rows(f"SELECT {_COLUMNS} FROM public.runs WHERE run BETWEEN %s AND %s", first, last)
        for job in jobs:
            run_data = [job[8], job[11].removeprefix("runkey="), _release(job[10])]
            entry = runs.setdefault(job[2], {"run_data": run_data, "clients": {}})
            line = [_label(job[4]), job[6], job[9], job[12], job[5], job[13].isoformat()]
            entry["clients"].setdefault(_client(job[1]), []).append(line)
        return runs

    def get_graph(self, run: int) -> Any:
        rows = self._rows("SELECT * FROM public.graphs WHERE run = %s", run)
        if not rows:
            return []
        number, rev, document_id, stamp, start, streams, host = rows[0]
        # The first mirror evaluates the text, which is faster, and lets whoever wrote it run anything.
        return [number, rev, document_id, str(stamp), str(start), ast.literal_eval(streams), _label(host)]

    def get_cluster_status(self) -> Any:
        rows = self._rows(
            "SELECT h.name, s.is_up, s.message, max(s.created_at) FROM public.hoststatuses s "
            "JOIN public.hostnames h ON h.id = s.host_id GROUP BY h.name, s.is_up, s.message"
        )
        return [[_label(name), is_up, message, at.timestamp()] for name, is_up, message, at in rows]


def _application(dsn: str) -> bottle.Bottle:
    way, application = TodaysWay(dsn), bottle.Bottle()

    def api() -> str:
        query = bottle.request.query
        answers: dict[str, Callable[[], Any]] = {
            "get_run": lambda: way.get_run(int(query["run"])),
            "get_runs": lambda: way.get_runs(int(query["from"]), int(query["to"])),
            "get_graph": lambda: way.get_graph(int(query["run"])),
            "get_cluster_status": way.get_cluster_status,
        }
        bottle.response.content_type = "application/json"
        return json.dumps(answers[query["what"]]())

    application.get("/api", callback=api)
    return application


def main(port: int, dsn: str) -> None:
    """Serves until SIGTERM, one request at a time in each of four processes, as gunicorn does there."""
    server = Server(
        target="bench",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=N_PROCESSES,
        blocking_threads=1,
    )
    server.serve(target_loader=lambda *_: _application(dsn), wrap_loader=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), os.environ["BENCH_DATABASE"])
