"""The server with its real application, pages and push, over rows that are made here instead of a database."""

import functools
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

import bottle
import jinja2

from dqmsquare.config import CLUSTERS, parse_config
from dqmsquare.errors import StoreUnavailable
from dqmsquare.server import change_log, events_route, live
from dqmsquare.server.api_v1 import routes as api_routes
from dqmsquare.server.application import Application
from dqmsquare.server.assets import Assets
from dqmsquare.server.change_log import ChangeLog
from dqmsquare.server.judging import make_standing
from dqmsquare.server.live import Hub
from dqmsquare.server.pages import add_pages
from dqmsquare.server.site import ClusterSite, Site
from dqmsquare.server.snapshots import Snapshots
from dqmsquare.server.streams import StreamPlaces
from dqmsquare.server.watched import WatchedDatabase
from dqmsquare.states import State, final_state
from dqmsquare.statistics import numbers, pictures
from dqmsquare.storage import (
    alarm_queries,
    client_queries,
    first_mirror,
    host_queries,
    queries,
    run_cells,
    run_list,
    statistics_selection,
    status_queries,
)
from dqmsquare.storage.alarm_queries import AlarmRow
from dqmsquare.storage.client_queries import ClientRun
from dqmsquare.storage.rows import (
    Change,
    DeliveryRow,
    HostRow,
    JobRow,
    JobSeries,
    LogRow,
    PlaybackRow,
    RunRow,
)
from dqmsquare.storage.run_cells import ClientCell
from dqmsquare.storage.run_list import RunFilter
from dqmsquare.storage.status_queries import ClusterCheck, GapRow, QuarantineRow, ReplicationRow
from tests.browser.statistics_cast import a_picture, a_selection, the_numbers

PROJECT = Path(__file__).parents[2]
PREFIX = "/dqm/dqm-square"


@dataclass
class Cluster:
    """What a cluster's database would say; it stands for the connection, too."""

    name: str
    runs: dict[int, RunRow] = field(default_factory=dict)
    jobs: dict[int, list[JobRow]] = field(default_factory=dict)
    hosts: list[HostRow] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    history: list[ClientRun] = field(default_factory=list)
    deliveries: dict[int, DeliveryRow] = field(default_factory=dict)
    playback: PlaybackRow | None = None
    logs: dict[str, LogRow] = field(default_factory=dict)
    series: dict[str, JobSeries] = field(default_factory=dict)
    poll_ages: dict[str, float | None] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=lambda: [Change(1, "run", None)])
    alarms: list[AlarmRow] = field(default_factory=list)
    replication: list[ReplicationRow] = field(default_factory=list)
    quarantined: list[QuarantineRow] = field(default_factory=list)
    gaps: list[GapRow] = field(default_factory=list)
    is_gone: bool = False

    @contextmanager
    def reading(self) -> Iterator["Cluster"]:
        if self.is_gone:
            raise StoreUnavailable("gone")
        yield self

    def all_jobs(self) -> Iterator[JobRow]:
        for jobs in self.jobs.values():
            yield from jobs

    @property
    def newest(self) -> int | None:
        return max(self.runs, default=None)

    def neighbours(self, run: int) -> tuple[int | None, int | None]:
        before = [one for one in self.runs if one < run]
        after = [one for one in self.runs if one > run]
        return max(before, default=None), min(after, default=None)

    def chosen_runs(self, chosen: RunFilter, limit: int, before: int | None = None) -> list[RunRow]:
        highest = min(chosen.last or 10**9, (before or 10**9) - 1)
        within = [self.runs[run] for run in sorted(self.runs, reverse=True) if (chosen.first or 0) <= run <= highest]
        return [
            row
            for row in within
            if chosen.run_key in {None, row.run_key}
            and (row.n_failed or row.n_crashed or not chosen.bad_only)
            and (row.last_lumi or not chosen.with_lumis)
        ][:limit]

    def cells(self, run: int) -> Iterator[ClientCell]:
        jobs = self.jobs.get(run, [])
        for tag in sorted({job.tag for job in jobs}):
            mine = [job for job in jobs if job.tag == tag]
            ends = {final_state(job.exit_code) for job in mine if job.exit_code is not None}
            worst_end = next((state for state in _WORST_END if state in ends), State.LOST)
            n_events = max((job.n_events or 0 for job in mine), default=None)
            heard = max(job.heard_at for job in mine) if any(job.exit_code is None for job in mine) else None
            yield ClientCell(run, tag, len(mine), worst_end, n_events, max(job.lumi or 0 for job in mine), heard)

    def put_job(self, job: JobRow) -> None:
        others = [one for one in self.jobs[job.run] if one.job_id != job.job_id]
        self.jobs[job.run] = sorted([*others, job], key=lambda one: (one.tag, one.host_label))


_WORST_END = (State.CRASHED, State.FAILED, State.STOPPED, State.FINISHED)
_QUERIES: dict[object, dict[str, Callable]] = {
    queries: {
        "newest_run": lambda c: c.newest,
        "run_summary": lambda c, run: c.runs.get(run),
        "jobs_of_run": lambda c, run: list(c.jobs.get(run, [])),
        "expected_tags": lambda c, run: c.expected if run == c.newest else [],
        "neighbours": lambda c, run: c.neighbours(run),
        "recent_runs": lambda c, limit=20: [c.runs[run] for run in sorted(c.runs, reverse=True)[:limit]],
        "playback_of_run": lambda c, run: c.playback if c.playback and c.playback.run == run else None,
        "delivery_of_run": lambda c, run: c.deliveries.get(run),
        "job": lambda c, job_id: next((job for job in c.all_jobs() if job.job_id == job_id), None),
        "series_of_job": lambda c, job_id: c.series.get(job_id),
        "log_of_job": lambda c, job_id: c.logs.get(job_id),
    },
    host_queries: {"hosts_of_cluster": lambda c: c.hosts},
    alarm_queries: {
        "recent_alarms": lambda c, limit: sorted(c.alarms, key=lambda one: one.resolved_at is not None)[:limit]
    },
    run_list: {
        "list_runs": Cluster.chosen_runs,
        "run_keys": lambda c: sorted({row.run_key for row in c.runs.values() if row.run_key}),
    },
    run_cells: {
        "cells_of_runs": lambda c, numbers: {run: list(c.cells(run)) for run in numbers},
        "expected_clients": lambda c, numbers: {run: frozenset(c.expected) for run in numbers if run == c.newest},
    },
    statistics_selection: {
        "select_runs": lambda c, *, run_key, stuck_after_seconds, **_: a_selection(
            newest_run=c.newest, run_key=run_key, stuck_after_seconds=stuck_after_seconds
        )
    },
    numbers: {
        "read_numbers": lambda c, tables, selection: the_numbers(
            tables, selection, sorted({j.tag for j in c.all_jobs()})
        )
    },
    pictures.Painter: {"draw": lambda *_: a_picture()},
    first_mirror: {"first_mirror_remains": lambda c: c.name == "production"},
    status_queries: {
        "replication_of_hosts": lambda c: c.replication,
        "quarantined": lambda c, limit: c.quarantined[:limit],
        "quarantine_reasons": lambda c: dict(Counter(row.reason for row in c.quarantined)),
        "gaps_with_hosts": lambda c: c.gaps,
        "cluster_check": lambda c: ClusterCheck(checked_at=c.hosts[0].status_seen_at if c.hosts else None, error=None),
        "database_bytes": lambda c: 123 * 2**20,
    },
    client_queries: {"client_history": lambda c, tag, run, limit=10: c.history[:limit]},
    change_log: {
        "database_id": lambda c: f"db{c.name}",
        "newest_change_id": lambda c: c.changes[-1].change_id,
        "oldest_change_id": lambda c: c.changes[0].change_id,
        "changes_after": lambda c, seen: [change for change in c.changes if change.change_id > seen],
        "poll_ages": lambda c: dict(c.poll_ages),
        "alarms_of": lambda c, keys: [one for one in c.alarms if one.alarm_key in keys],
    },
}


@functools.cache
def _templates() -> jinja2.Environment:
    """Compiled once for all tests."""
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(PROJECT / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@functools.cache
def _assets() -> Assets:
    return Assets(PROJECT / "static")


class Rehearsal:
    """Both clusters, and the application that shows them. `monkeypatch` puts the queries in their places."""

    def __init__(self, monkeypatch, clock: Callable[[], datetime]) -> None:
        monkeypatch.setattr(live, "_BEAT_SECONDS", 0.5)  # nobody wants to wait for the first one
        for module, functions in _QUERIES.items():
            for name, function in functions.items():
                monkeypatch.setattr(module, name, function)
        self.clock = clock
        self.url = ""
        self.clusters = {name: Cluster(name) for name in CLUSTERS}
        self.config = parse_config({"SERVER_URL_PREFIX": PREFIX}, role="server", as_root=False)
        self.places = StreamPlaces(100)
        self.site = self._site()
        self.application = self._application()

    @property
    def production(self) -> Cluster:
        return self.clusters["production"]

    @property
    def playback(self) -> Cluster:
        return self.clusters["playback"]

    def change(self, run: int | None, *, cluster: str = "production", kind: str = "run") -> str:
        """Announces that a run changed; the event's id."""
        changes = self.clusters[cluster].changes
        changes.append(Change(changes[-1].change_id + 1, kind, run))
        self.site.clusters[cluster].hub.on_changes([changes[-1]])
        return f"db{cluster}-{changes[-1].change_id}"

    def alarm(self, alarm: AlarmRow) -> str:
        """An alarm was raised, or is over; the event's id."""
        self.production.alarms = [
            alarm,
            *(one for one in self.production.alarms if one.alarm_key != alarm.alarm_key),
        ]
        changes = self.production.changes
        changes.append(Change(changes[-1].change_id + 1, "alarm", None, alarm.alarm_key))
        self.site.clusters["production"].hub.on_changes([changes[-1]])
        return f"dbproduction-{changes[-1].change_id}"

    def update(self, job: JobRow, **fields: Any) -> JobRow:
        """A job has reported again."""
        newer = replace(job, **fields)
        self.production.put_job(newer)
        self.change(job.run)
        return newer

    def _application(self) -> Application:
        application = Application(self.site)
        application.get("/static/<name:path>", callback=lambda name: self.site.assets.respond(name, bottle.request))
        api_routes.add_routes(application, self.site, self.clock)
        events_route.add_routes(application, self.site)
        add_pages(application, self.site, self.clock)
        return application

    def _site(self) -> Site:
        templates = _templates()
        clusters = {name: self._cluster(cluster) for name, cluster in self.clusters.items()}
        site = Site(self.config, clusters, _assets(), templates)
        templates.globals.update(url=site.url, asset=site.asset)
        return site

    def _cluster(self, cluster: Cluster) -> ClusterSite:
        watched = WatchedDatabase(cluster)
        snapshots = Snapshots(watched, self.clock, position=lambda c: (f"db{c.name}", c.changes[-1].change_id))
        standing = make_standing(self.config.stuck_after_seconds, self.clock)
        return ClusterSite(
            cluster.name, watched, snapshots, Hub(cluster.name, ChangeLog(watched), snapshots, standing, self.places)
        )


class _Handler(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        pass

    def handle(self) -> None:
        with suppress(ConnectionError, TimeoutError):  # a browser leaves when it likes
            super().handle()


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, request, client_address) -> None:
        pass


@contextmanager
def serving(rehearsal: Rehearsal) -> Iterator[None]:
    """Sets `rehearsal.url`: where a browser finds it, with the prefix."""
    for cluster in rehearsal.site.clusters.values():
        cluster.hub.start()
    server = make_server("127.0.0.1", 0, rehearsal.application, _Server, _Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        rehearsal.url = f"http://127.0.0.1:{server.server_port}{PREFIX}"
        yield
    finally:
        for cluster in rehearsal.site.clusters.values():
            cluster.hub.stop()
        server.shutdown()
        server.server_close()


def now() -> datetime:
    """The time, for a rehearsal in front of a browser."""
    return datetime.now(UTC)
