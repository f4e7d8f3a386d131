"""The server's application in this process on a real PostgreSQL, without its threads."""

from pathlib import Path
from typing import Any

from dqmsquare.config import Config, parse_config
from dqmsquare.monitoring import Heartbeats, prepare_folder
from dqmsquare.server.application import make_application
from dqmsquare.server.wiring import Worker, make_site
from tests.postgres import TestPlace


def server_config(place: TestPlace, **settings: str) -> Config:
    return parse_config({**place.environ, **settings}, role="server", as_root=False)


def application_on(place: TestPlace, folder: Path, **settings: str) -> Any:
    """What `tests.unit.server.server_fakes.ask` can ask."""
    config = server_config(place, **settings)
    worker = Worker(config, place.place, Heartbeats(prepare_folder(folder, "heartbeats")))
    return make_application(make_site(config, worker))
