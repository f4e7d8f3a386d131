"""The whole application with its Control Room on a real PostgreSQL and a simulated DQM², asked without a network."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from dqmsquare.config import Config, parse_config
from dqmsquare.monitoring import Heartbeats
from dqmsquare.server.application import Application, make_application
from dqmsquare.server.control_room.room import ControlRoom, open_control_room
from dqmsquare.server.control_room.routes import add_control_room
from dqmsquare.server.wiring import Worker, make_site
from dqmsquare.simulator import GATEWAY, Simulator
from tests.control_room_client import SETTINGS, Answer, Client
from tests.postgres import TestPlace

PREFIX = "/dqm/dqm-square"
ORIGIN = "https://cmsweb.cern.ch"
PLAYBACK_FU, PRODUCTION_FU = "dqmfu-c2b01-45-01", "dqmfu-c2b03-45-01"
CLIENT = "beam_dqm_sourceclient-live_cfg.py"


class Clock:
    """The time, and what was added to it; or an instant at which it stands still."""

    def __init__(self) -> None:
        self.added = timedelta()
        self.instant: datetime | None = None

    def __call__(self) -> datetime:
        return (self.instant or datetime.now(UTC)) + self.added

    def stand_still(self) -> None:
        self.instant = datetime.now(UTC)

    def advance(self, **span: float) -> None:
        self.added += timedelta(**span)


@dataclass
class WsgiClient(Client):
    """A Client that calls the application itself, as Granian would."""

    application: Any = None
    address: str = "127.0.0.1"

    def request(self, method: str, path: str, body: bytes | None = None, **headers: Any) -> Answer:
        sent: dict[str, Any] = {"Accept": "text/html", **self.headers}
        if self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        if method == "POST":
            sent |= {"Origin": ORIGIN, "Content-Type": "application/x-www-form-urlencoded"}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        path, _, query = path.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote(PREFIX + path, "latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": self.address,
            "SERVER_NAME": "localhost",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body or b""),
            "wsgi.errors": io.StringIO(),
            "CONTENT_LENGTH": str(len(body or b"")),
            "CONTENT_TYPE": sent.pop("Content-Type", "") or "",
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in sent.items() if value is not None},
        }
        seen: dict[str, Any] = {}

        def start_response(status: str, answered: list[tuple[str, str]], exc_info: Any = None) -> None:
            seen.update(status=int(status[:3]), headers=answered)

        answer = Answer(0, [], b"".join(self.application(environ, start_response)))
        answer = Answer(seen["status"], seen["headers"], answer.body)
        self.keep_cookies(answer)
        return answer


@dataclass
class Stage:
    """`replica()` is another process's application on the same database."""

    place: TestPlace
    simulator: Simulator
    folder: Path
    settings: dict[str, str]
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.config = self._config()
        self.application, self.room = self.replica()

    def replica(self) -> tuple[Application, ControlRoom]:
        worker = Worker(self.config, self.place.place, Heartbeats(self.folder))
        site = make_site(self.config, worker)
        application = make_application(site)
        room = open_control_room(self.config, self.place.place, clock=self.clock)
        if self.config.control_room != "off":
            add_control_room(application, site, room)
        return application, room

    def client(self, application: Application | None = None, **more: Any) -> WsgiClient:
        return WsgiClient(base=PREFIX, application=application or self.application, **more)

    def logged_in(self, name: str = "expert", *, stepped_up: bool = True) -> WsgiClient:
        client = self.client()
        password = SETTINGS["DQM_CR_USERNAMES"].split(f"{name}:")[1].split(";")[0]
        assert client.log_in(name, password).status == 303
        if stepped_up:
            assert client.step_up(password).status == 200
        return client

    def audit(self, columns: str = "command, stage, result", where: str = "true") -> list[tuple]:
        statement = f"SELECT {columns} FROM mirror.audit WHERE {where} ORDER BY audit_id"
        return self.place.rows(statement)

    def commands_in_audit(self) -> list[tuple]:
        return self.audit(where="command NOT IN ('log in', 'password', 'log out', 'log out everywhere')")

    @property
    def n_asked(self) -> int:
        return self.simulator.requests.count("/cr/exe")

    def _config(self) -> Config:
        environ = {
            "CMSWEB_FRONTEND_PROXY_URL": self.simulator.url,
            "SERVER_FFF_MACHINE": GATEWAY,
            "FFF_PRODUCTION_MACHINES": ";".join(self.simulator.clusters["production"].hosts),
            "FFF_PLAYBACK_MACHINES": ";".join(self.simulator.clusters["playback"].hosts),
            "SERVER_URL_PREFIX": PREFIX,
            "SERVER_PUBLIC_URL": ORIGIN,
            **SETTINGS,
            **self.place.environ,
            **self.settings,
        }
        return parse_config(environ, role="server", as_root=False)


@contextmanager
def control_room_stage(place: TestPlace, folder: Path, **settings: str) -> Iterator[Stage]:
    """A stage for one test."""
    with Simulator() as simulator:
        yield Stage(place, simulator, folder, settings)


def json_of(answer: Answer) -> Any:
    assert answer.status == 200, (answer.status, answer.text)
    return orjson.loads(answer.body)


def is_denied(answer: Answer) -> bool:
    """Whether somebody who is not logged in was shown nothing."""
    return answer.status == 401 and PLAYBACK_FU not in answer.text and "data-token" not in answer.text
