"""What may stand on the client's command line."""

import argparse
import os
from pathlib import Path

from dqmsquare.config import CLUSTERS

URL_VARIABLE = "DQM_MIRROR_URL"
_DEFAULT_URL = "http://127.0.0.1:8887"  # where `make demo` serves


def make_parser() -> argparse.ArgumentParser:
    """The parser; options that hold for all commands may stand after the command, too."""
    every = argparse.ArgumentParser(add_help=False)
    url = os.environ.get(URL_VARIABLE, _DEFAULT_URL)
    every.add_argument("--url", default=url, help=f"address of the mirror, its prefix included ({URL_VARIABLE}; {url})")
    every.add_argument("--cluster", choices=CLUSTERS, default=CLUSTERS[0])
    every.add_argument("--json", action="store_true", help="JSON for pipes; a list as one object a line")
    every.add_argument("--cert", type=Path, help="client certificate (PEM), where the front-end asks for one")
    every.add_argument("--key", type=Path, help="its key (default: in the same file)")
    every.add_argument("--ca", type=Path, help="authorities to trust (PEM)")
    parser = argparse.ArgumentParser(prog="python -m dqmsquare.client", description="DQM² Mirror in a terminal.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")
    runs = commands.add_parser("runs", help="runs, newest first", parents=[every])
    _add_range(runs)
    runs.add_argument("--bad", action="store_true", help="only those in which a job failed or crashed")
    runs.add_argument("--with-lumis", action="store_true", help="only those that saw a lumisection")
    run = commands.add_parser("run", help="one run with its jobs", parents=[every])
    run.add_argument("run", type=_run_or_latest, nargs="?", default="latest", help="its number (default: the newest)")
    job = commands.add_parser("job", help="one job, or its log", parents=[every])
    job.add_argument("job_id", help="as in a run's list of jobs")
    job.add_argument("--log", action="store_true", help="its log")
    job.add_argument("--follow", action="store_true", help="its log, and what comes, until it ends")
    logs = commands.add_parser("logs", help="all logs of a run, a file each", parents=[every])
    logs.add_argument("run", type=_run_or_latest, help="its number, or latest")
    logs.add_argument("--out", type=Path, default=Path(), help="folder for them (default: this one)")
    commands.add_parser("hosts", help="the hosts as they are now", parents=[every])
    alarms = commands.add_parser("alarms", help="alarms, the newest first", parents=[every])
    alarms.add_argument("--standing", action="store_true", help="only those that still stand")
    alarms.add_argument("--last", type=_count, default=20, metavar="N", help="so many of them (20)")
    statistics = commands.add_parser("statistics", help="tables of statistics", parents=[every])
    statistics.add_argument("table", nargs="?", help="its name (default: list them)")
    _add_range(statistics, last=100)
    commands.add_parser("events", help="changes as they come", parents=[every])
    return parser


def _add_range(parser: argparse.ArgumentParser, last: int = 20) -> None:
    parser.add_argument("--from", dest="first", type=_run, metavar="RUN", help="lowest run")
    parser.add_argument("--to", type=_run, metavar="RUN", help="highest run")
    parser.add_argument("--last", type=_count, default=last, metavar="N", help=f"so many of them, the newest ({last})")
    parser.add_argument("--run-key", help="only runs of this run key, such as pp_run")


def _run_or_latest(text: str) -> str:
    return text if text == "latest" else _run(text)


def _run(text: str) -> str:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 10**7):
        raise argparse.ArgumentTypeError(f"{text!r} is no run number")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 10**6):
        raise argparse.ArgumentTypeError(f"{text!r} is no number from 1 to 999999")
    return int(text)
