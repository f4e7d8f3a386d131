"""Reads `.env` and the environment into one frozen Config; dqmsquare/config.py says what may stand there."""

import os
import sys
from pathlib import Path

from dotenv import dotenv_values

from dqmsquare.config import Config, parse_config
from dqmsquare.errors import ConfigError

EXIT_WRONG_SETTINGS = 2


def load(role: str, dotenv_path: Path = Path(".env")) -> Config:
    """The settings for `role`; a variable of the environment wins over the same one in `.env`.

    Ends the process with status 2 and a line for every problem if something is wrong or missing.
    """
    written = {name: value for name, value in dotenv_values(dotenv_path).items() if value is not None}
    try:
        return parse_config({**written, **os.environ}, role=role, as_root=os.geteuid() == 0)
    except ConfigError as error:
        for problem in error.problems:
            print(f"settings: {problem}", file=sys.stderr)
        print("Every setting is described in .env_sample_local and .env_sample_production.", file=sys.stderr)
        sys.exit(EXIT_WRONG_SETTINGS)
