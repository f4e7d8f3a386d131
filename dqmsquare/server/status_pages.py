"""What the mirror says about itself: how far it is with each host, what it set aside, what is missing."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import bottle

from dqmsquare import __version__
from dqmsquare.server.frames import HTML, frame, looks, render
from dqmsquare.server.responses import respond
from dqmsquare.server.site import Site
from dqmsquare.server.snapshots import EventId, Rendered
from dqmsquare.server.watched import Connection, utc_now
from dqmsquare.storage import first_mirror, status_queries
from dqmsquare.storage.status_queries import ClusterCheck, GapRow, QuarantineRow, ReplicationRow

_QUARANTINE_SHOWN = 100
_HOLDS = timedelta(seconds=2)  # replication moves without announcing it
_LATE_AFTER = timedelta(seconds=60)
_STATE_WORDS = {
    None: "never asked",
    "live": "live",
    "filling": "filling in history",
    "backoff": "backing off",
    "auth": "refused: certificate or cookie",
    "standby": "standby",
}


@dataclass(frozen=True, slots=True)
class HostStanding:
    """A host's line. `level` is ok, warn or bad, for the colour; `words` say the same."""

    row: ReplicationRow
    level: str
    words: str
    history: str


@dataclass(frozen=True, slots=True)
class StatusView:
    """Everything the page shows."""

    standings: tuple[HostStanding, ...]
    reasons: dict[str, int]
    quarantined: tuple[QuarantineRow, ...]
    gaps: tuple[GapRow, ...]
    check: ClusterCheck
    database_bytes: int
    first_mirror_remains: bool  # its tables still hold hosts' names
    version: str = __version__


def add_status_pages(app: bottle.Bottle, site: Site, clock: Callable[[], datetime] = utc_now) -> None:
    """`/status` and `/status/partial`."""
    app.get("/status", callback=lambda: _status(site, clock, "status.html"))
    app.get("/status/partial", callback=lambda: _status(site, clock, "status_partial.html"))


def _status(site: Site, clock: Callable[[], datetime], template: str) -> bottle.HTTPResponse:
    cluster, look = site.cluster(bottle.request.query.get("db")), looks(bottle.request)

    def make(connection: Connection, event: EventId) -> Rendered:
        now = clock()
        framed = frame(site, cluster.name, "/status", look, section="Status")
        body = render(site, template, now=now, view=read_status(connection, now), frame=framed, after=event)
        return Rendered(body, HTML, now + _HOLDS, is_shown=False)

    return respond(cluster.snapshots.get((template, *look.values()), make, run=None), bottle.request)


def read_status(connection: Connection, now: datetime) -> StatusView:
    """The page's content as of `now`."""
    return StatusView(
        standings=tuple(standing(row, now) for row in status_queries.replication_of_hosts(connection)),
        reasons=status_queries.quarantine_reasons(connection),
        quarantined=tuple(status_queries.quarantined(connection, _QUARANTINE_SHOWN)),
        gaps=tuple(status_queries.gaps_with_hosts(connection)),
        check=status_queries.cluster_check(connection),
        database_bytes=status_queries.database_bytes(connection),
        first_mirror_remains=first_mirror.first_mirror_remains(connection),
    )


def standing(row: ReplicationRow, now: datetime) -> HostStanding:
    """A host as of `now`: a state that was written down counts only while somebody polls."""
    is_late = row.polled_at is None or now - row.polled_at > _LATE_AFTER
    words = _STATE_WORDS.get(row.state, str(row.state))
    if not row.is_configured:
        return HostStanding(row, "off", "not grabbed any more", _history(row))
    if row.stamped_at is None or now - row.stamped_at > _LATE_AFTER:
        return HostStanding(row, "bad", "no grabber", _history(row))
    if row.state == "auth" or is_late:
        return HostStanding(row, "bad", words if row.state != "live" else "silent", _history(row))
    return HostStanding(row, "ok" if row.state == "live" and not row.n_behind else "warn", words, _history(row))


def _history(row: ReplicationRow) -> str:
    if row.head_rev is None or row.tail_rev is None:
        return "nothing listed yet"
    if row.tail_rev > 0:
        return f"complete from revision {row.tail_rev} on"
    return "complete, comparison asked for" if row.relist else "complete"
