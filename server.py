"""Process 2: answers browsers and programs. `python server.py` runs it until SIGTERM."""

import argparse
import sys
from typing import TYPE_CHECKING

import dqmsquare_cfg
from dqmsquare.config import Config
from dqmsquare.monitoring import Heartbeats
from dqmsquare.server import serve
from dqmsquare.server.control_room.accounts import hash_password
from dqmsquare.storage.opening import Place

if TYPE_CHECKING:
    from dqmsquare.server.application import Application


def build_application(config: Config, place: Place, heartbeats: Heartbeats) -> "Application":
    """The WSGI application of one worker process, with its listeners running. Granian calls it after the fork."""
    # Not sooner: whatever counts must be imported after the folder of the metrics is known.
    from dqmsquare.server import wiring  # noqa: PLC0415

    return wiring.build_application(config, place, heartbeats)


def main() -> None:
    """Reads the settings, checks them and the database, serves."""
    parser = argparse.ArgumentParser(description="DQM² Mirror's server. Its settings: .env_sample_production.")
    parser.add_argument("--check", action="store_true", help="check settings and database, and end")
    parser.add_argument(
        "command", nargs="?", choices=["hash-password"], help="ask for a password and print what DQM_CR_USERNAMES takes"
    )
    arguments = parser.parse_args()
    if arguments.command:
        sys.exit(hash_password())
    config = dqmsquare_cfg.load("server")
    if arguments.check:
        serve.check_database(config)
    else:
        serve.run(config, build_application)


if __name__ == "__main__":
    main()
