"""`python -m dqmsquare.client`: reads the arguments, asks, prints. Exit status 1: refused, 69: not reachable."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Iterable, Sequence
from itertools import chain, islice
from pathlib import Path
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import Progress

from dqmsquare.client import tables
from dqmsquare.client.api import MirrorApi, printable
from dqmsquare.client.follow import follow_log
from dqmsquare.client.parser import make_parser
from dqmsquare.errors import MirrorRefused, MirrorUnreachable

EXIT_REFUSED = 1
EXIT_UNREACHABLE = 69  # EX_UNAVAILABLE
_PAGE = 100


class Terminal:
    """Where answers go: tables for people, JSON for pipes (a list as one object a line)."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console = Console()

    def progress(self) -> Progress:
        """On standard error, and only where somebody looks."""
        console = Console(stderr=True)
        return Progress(console=console, transient=True, disable=not console.is_terminal)

    def show(self, value: Any, *drawn: RenderableType) -> None:
        """One answer."""
        if self.as_json:
            print(json.dumps(value, ensure_ascii=False))
            return
        for one in drawn:
            self._console.print(one)

    def show_list(self, rows: Sequence[Any], drawn: RenderableType) -> None:
        """A list."""
        if self.as_json:
            for row in rows:
                print(json.dumps(row, ensure_ascii=False))
        elif rows:
            self._console.print(drawn)
        else:
            self._console.print("none")

    def write(self, text: str) -> None:
        """Text as it is, without what could steer the terminal."""
        sys.stdout.write(printable(text))
        sys.stdout.flush()


def runs(api: MirrorApi, asked: argparse.Namespace, terminal: Terminal) -> None:
    """The newest runs that are asked for, however many pages that takes."""
    query = {"first": asked.first, "last": asked.to, "run_key": asked.run_key, "bad": asked.bad or None}
    pages = api.pages("/runs", "runs", **query, with_lumis=asked.with_lumis or None, limit=min(asked.last, _PAGE))
    found: list[Any] = []
    with terminal.progress() as progress:
        task = progress.add_task("runs", total=asked.last)
        for page in pages:
            found += page
            progress.update(task, completed=len(found))
            if len(found) >= asked.last:
                break
    found = found[: asked.last]
    terminal.show_list(found, tables.runs_table(found))


def run(api: MirrorApi, asked: argparse.Namespace, terminal: Terminal) -> None:
    """One run and its jobs."""
    answer = api.get(f"/runs/{asked.run}")
    missing = f"missing: {', '.join(answer['missing'])}" if answer["missing"] else ""
    terminal.show(answer, tables.runs_table([answer]), tables.jobs_table(answer["jobs"]), printable(missing))


def job(api: MirrorApi, asked: argparse.Namespace, terminal: Terminal) -> None:
    """A job's facts, or its log."""
    path = f"/jobs/{asked.job_id}"
    if asked.follow:
        for piece in follow_log(api, asked.job_id):
            terminal.write(piece)
    elif asked.log and terminal.as_json:
        terminal.show(api.get(f"{path}/log"))
    elif asked.log:
        terminal.write(api.text(f"{path}/log.txt"))
    else:
        answer = api.get(path)
        terminal.show(answer, tables.jobs_table([answer]), tables.facts_table(answer))


def logs(api: MirrorApi, asked: argparse.Namespace, terminal: Terminal) -> None:
    """All logs of a run, a file each."""
    with_log = [one for one in api.get(f"/runs/{asked.run}")["jobs"] if one["has_log"]]
    folder: Path = asked.out
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    with terminal.progress() as progress:
        for one in progress.track(with_log, description="logs"):
            # Only words of the API's own alphabets: a file's name must not leave the folder.
            safe = "".join(character for character in one["client"] if character.isalnum() or character in "_-")
            file = folder / f"{one['run']}-{safe}-{one['job_id']}.log"
            file.write_text(api.text(f"/jobs/{one['job_id']}/log.txt"), encoding="utf-8")
            written.append({"job_id": one["job_id"], "client": one["client"], "file": str(file)})
    terminal.show_list(written, tables.any_table(written))


def hosts(api: MirrorApi, _: argparse.Namespace, terminal: Terminal) -> None:
    """The hosts as they are now."""
    found = api.get("/hosts")["hosts"]
    terminal.show_list(found, tables.hosts_table(found))


def alarms(api: MirrorApi, asked: argparse.Namespace, terminal: Terminal) -> None:
    """The alarms that were raised last."""
    limit = min(asked.last, _PAGE)
    pages: Iterable[list[Any]] = api.pages("/alarms", "alarms", standing=asked.standing or None, limit=limit)
    found = list(islice(chain.from_iterable(pages), asked.last))
    terminal.show_list(found, tables.alarms_table(found))


def statistics(api: MirrorApi, asked: argparse.Namespace, terminal: Terminal) -> None:
    """A table, or which ones there are."""
    if not asked.table:
        found = api.get("/statistics")["tables"]
    else:
        query = {"first": asked.first, "last": asked.to, "run_key": asked.run_key, "limit": asked.last}
        found = api.get(f"/statistics/{asked.table}", **query)["rows"]
    terminal.show_list(found, tables.any_table(found))


def events(api: MirrorApi, _: argparse.Namespace, terminal: Terminal) -> None:
    """Changes as they come, a line each, until it is interrupted."""
    for name, data in api.events():
        if name != "beat":
            terminal.write(f"{data}\n" if terminal.as_json else f"{name} {data}\n")


_COMMANDS = {
    "runs": runs,
    "run": run,
    "job": job,
    "logs": logs,
    "hosts": hosts,
    "alarms": alarms,
    "statistics": statistics,
    "events": events,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Does what the arguments say. Returns the exit status."""
    asked = make_parser().parse_args(arguments)
    cert = (asked.cert, asked.key or asked.cert) if asked.cert else None
    api = MirrorApi(asked.url, asked.cluster, cert=cert, ca=asked.ca)
    try:
        _COMMANDS[asked.command](api, asked, Terminal(as_json=asked.json))
    except MirrorRefused as error:
        print(error, file=sys.stderr)
        return EXIT_REFUSED
    except MirrorUnreachable as error:
        print(error, file=sys.stderr)
        return EXIT_UNREACHABLE
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    except BrokenPipeError:  # `… | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
