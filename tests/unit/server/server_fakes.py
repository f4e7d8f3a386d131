"""A database that is not there, a clock that is set by hand, and a way to ask an application without a network."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jinja2
import orjson

from dqmsquare.config import Config, parse_config
from dqmsquare.errors import StoreUnavailable
from dqmsquare.server.assets import Assets
from dqmsquare.server.change_log import ChangeLog, Missed
from dqmsquare.server.live import Hub
from dqmsquare.server.rendered import Rendered
from dqmsquare.server.site import ClusterSite, Site
from dqmsquare.server.snapshots import Snapshots
from dqmsquare.server.streams import StreamPlaces
from dqmsquare.server.watched import WatchedDatabase

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
DATABASE_ID = "5ba1c0de"


class Clock:
    """Stands still until it is moved; also as seconds for what takes time.monotonic."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def monotonic(self) -> float:
        return (self.now - NOW).total_seconds()

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class FakeDatabase:
    """`newest` is its newest change. What is read is an object without use."""

    newest: int = 10
    database_id: str = DATABASE_ID
    is_gone: bool = False
    n_asked: int = 0
    before: Callable[[], None] = lambda: None

    @contextmanager
    def reading(self) -> Iterator[Any]:
        self.n_asked += 1
        self.before()
        if self.is_gone:
            raise StoreUnavailable("gone")
        yield object()

    def position(self, connection: object) -> tuple[str, int]:
        return self.database_id, self.newest


class FakeLog(ChangeLog):
    """Answers with what it is set to."""

    def __init__(self, database: WatchedDatabase) -> None:
        super().__init__(database)
        self.missed = Missed(DATABASE_ID, 10, [])
        self.ages: dict[str, float | None] = {}

    def missed_after(self, event: str) -> Missed:
        return self.missed

    def poll_ages(self) -> dict[str, float | None]:
        return self.ages


def standing(newest: int | None = 400, recent_from: int | None = 381, **counts: int) -> Any:
    """A `make` of what the Hub wants to know."""
    body = orjson.dumps({"newest": newest, "recent_from": recent_from, "counts": counts})
    return lambda connection, event: Rendered(body, "application/json")


@dataclass
class Cluster:
    """A cluster's parts with the fakes they stand on."""

    clock: Clock = field(default_factory=Clock)
    fake: FakeDatabase = field(default_factory=FakeDatabase)
    standing: Any = field(default_factory=lambda: standing(running=3))
    places: StreamPlaces = field(default_factory=lambda: StreamPlaces(5))

    def __post_init__(self) -> None:
        self.database = WatchedDatabase(self.fake, self.clock)
        self.snapshots = Snapshots(self.database, self.clock, position=self.fake.position)
        self.log = FakeLog(self.database)
        self.hub = Hub(
            "production", self.log, self.snapshots, self.standing, self.places, monotonic=self.clock.monotonic
        )

    def site(self, name: str) -> ClusterSite:
        return ClusterSite(name, self.database, self.snapshots, self.hub)


def blank(kind: Any, **values: Any) -> Any:
    """A row in which everything else is None."""
    return kind(**dict.fromkeys(kind.__slots__) | values)


def settings(**environ: str) -> Config:
    return parse_config(environ, role="server", as_root=False)


def make_site(static: Path, config: Config | None = None, **clusters: Cluster) -> Site:
    """A site with both clusters on fakes, and without templates."""
    sites = {name: clusters.get(name, Cluster()).site(name) for name in ("production", "playback")}
    return Site(config or settings(), sites, Assets(static), jinja2.Environment(autoescape=True))


@dataclass(frozen=True)
class Answer:
    """What a reader gets; header names in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


def ask(application: Any, path: str, method: str = "GET", body: bytes = b"", **headers: Any) -> Answer:
    """Asks as Granian would; `headers` with _ for -."""
    path, _, query = path.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        **({"CONTENT_LENGTH": str(len(body))} if body else {}),
        **{"CONTENT_LENGTH" if name == "Content_Length" else f"HTTP_{name.upper()}": v for name, v in headers.items()},
    }
    seen: dict[str, Any] = {}

    def start_response(status: str, answered: list[tuple[str, str]], exc_info: Any = None) -> None:
        seen.update(status=int(status[:3]), headers={name.lower(): value for name, value in answered})

    pieces = application(environ, start_response)
    return Answer(seen["status"], seen["headers"], b"".join(pieces))
