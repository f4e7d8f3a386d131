"""`python -m dqmsquare.report --from A --to B --out report/`: statistics of a range of runs as files to hand on.

Writes each table as CSV and PNG, and one page, index.html, that shows them without a script or a server.
"""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import jinja2
from dotenv import dotenv_values
from rich.console import Console
from rich.progress import track

from dqmsquare.config import CLUSTERS, Config, parse_config
from dqmsquare.documents.fields import MAX_RUN
from dqmsquare.errors import ConfigError, MirrorError
from dqmsquare.statistics import TABLES, Numbers, Painter, as_csv, meanings, read_numbers
from dqmsquare.statistics.shown import heading, text_of
from dqmsquare.storage.engine import server_database
from dqmsquare.storage.opening import open_place
from dqmsquare.storage.statistics_selection import Selection, select_runs

EXIT_NO_RUNS = 1
EXIT_WRONG_SETTINGS = 2  # also argparse's for wrong arguments
EXIT_CANNOT_WRITE = 73  # EX_CANTCREAT
EXIT_UNAVAILABLE = 69  # EX_UNAVAILABLE
_TEMPLATES = Path(__file__).resolve().parent.parent / "templates"
_ROWS_SHOWN = 1_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Reads arguments and settings, writes the report. Returns the exit status."""
    asked = _parser().parse_args(arguments)
    try:
        config = _settings(os.environ, Path(".env"))
        numbers = read(config, asked.cluster, asked.first, asked.last, asked.run_key)
        if not numbers:
            print(f"There are no such runs in the {asked.cluster} cluster.", file=sys.stderr)
            return EXIT_NO_RUNS
        write(numbers, asked.out, cluster=asked.cluster, painter=Painter(config.tmp_dir / "matplotlib"))
    except ConfigError as error:
        print(*(f"settings: {problem}" for problem in error.problems), sep="\n", file=sys.stderr)
        return EXIT_WRONG_SETTINGS
    except MirrorError as error:
        print(error, file=sys.stderr)
        return EXIT_UNAVAILABLE
    except OSError as error:
        print(f"The report cannot be written: {error}", file=sys.stderr)
        return EXIT_CANNOT_WRITE
    print(f"{numbers[0].selection.n_runs} runs: {asked.out / 'index.html'}")
    return 0


def read(config: Config, cluster: str, first: int, last: int, run_key: str | None) -> list[Numbers]:
    """Every table's numbers; none where there are no such runs. Raises MirrorError."""
    place = open_place(config, as_server=True)
    database = server_database(config, cluster, place.host, pool_size=1)
    try:
        with database.reading() as connection:
            selection = select_runs(
                connection,
                first=min(first, last),
                last=max(first, last),
                run_key=run_key,
                stuck_after_seconds=config.stuck_after_seconds,
            )
            return read_numbers(connection, list(TABLES.values()), selection) if selection else []
    finally:
        database.close()


def write(numbers: Sequence[Numbers], folder: Path, *, cluster: str, painter: Painter) -> None:
    """Writes the files of the report, over those of an earlier one. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    console = Console(stderr=True)
    for one in track(numbers, "Drawing", console=console, disable=not console.is_terminal, transient=True):
        (folder / f"{one.table.name}.csv").write_bytes(as_csv(one))
        (folder / f"{one.table.name}.png").write_bytes(painter.draw(one))
    (folder / "index.html").write_text(_page(numbers, cluster), encoding="utf-8")


def _page(numbers: Sequence[Numbers], cluster: str) -> str:
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    templates.filters.update(heading=heading, shown=text_of)
    selection: Selection = numbers[0].selection
    return templates.get_template("report.html").render(
        numbers=numbers,
        selection=selection,
        cluster=cluster,
        meanings=meanings(selection.stuck_after_seconds),
        made_at=datetime.now(UTC),
        rows_shown=_ROWS_SHOWN,
    )


def _settings(environ: Mapping[str, str], dotenv_path: Path) -> Config:
    # As in dqmsquare_cfg.py, which the package may not import.
    written = {name: value for name, value in dotenv_values(dotenv_path).items() if value is not None}
    return parse_config({**written, **environ}, role="database", as_root=os.geteuid() == 0)


def run_number(raw: str) -> int:
    """A run's number out of an argument; raises ValueError."""
    number = int(raw)
    if not 1 <= number <= MAX_RUN:
        raise ValueError(raw)
    return number


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="dqmsquare.report", description=__doc__)
    parser.add_argument("--from", dest="first", type=run_number, required=True, metavar="RUN", help="the first run")
    parser.add_argument("--to", dest="last", type=run_number, required=True, metavar="RUN", help="the last run")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the files are written")
    parser.add_argument("--cluster", choices=CLUSTERS, default=CLUSTERS[0], help="default: %(default)s")
    parser.add_argument("--run-key", help="only runs of this run key")
    return parser


if __name__ == "__main__":
    sys.exit(main())
