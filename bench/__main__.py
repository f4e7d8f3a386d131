"""`python -m bench [NAME …]`: runs measurements, prints a table each, keeps them, says what differs from the last.

Each measurement is a module with `measure(place, folder, **sizes)`, and gets databases of its own.
"""

import argparse
import importlib
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench import kept, query_growth
from bench.figures import Figure, table
from tests.postgres import fresh_place

# Name to the sizes of a run that takes minutes, and of a full one.
MEASUREMENTS: Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "replication": ({"n_documents": 1_000, "n_today": 200}, {}),
    "first_start": ({"n_headers": 20_000, "n_waited": 4_000}, {}),
    "bytes_per_run": ({"n_runs": 20}, {"n_runs": 60}),
    "page_latency": ({"n_samples": 40}, {"n_samples": 300}),
    "first_api": ({}, {"n_runs": 10_000, "seconds": 8.0, "rounds": 3}),
    "page_weight": ({}, {}),
    "page_update": ({}, {}),
    "open_pages": ({}, {"n_commits": 60}),
    "cluster_status": ({}, {}),
    "query_growth": ({}, {"sizes": query_growth.FULL_SIZES}),
    "timeline": ({}, {}),
    "first_mirror": ({"n_rows": 5_000}, {"n_rows": 100_000}),
}


def run(name: str, sizes: Mapping[str, Any]) -> list[Figure]:
    """One measurement, in a temporary folder: nothing of the machine's own mirror is touched."""
    module = importlib.import_module(f"bench.{name}")
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as folder, fresh_place(Path(folder)) as place:
        found = module.measure(place, Path(folder), **sizes)
        return list(found if isinstance(found, list) else found.figures())


def main(arguments: list[str]) -> int:
    """Exit status 1 where something that must show does not."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measures what the speed claims rest on.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"all, or some of: {', '.join(MEASUREMENTS)}")
    parser.add_argument("--full", action="store_true", help="larger, and longer: half an hour instead of minutes")
    options = parser.parse_args(arguments)
    unknown = set(options.names) - set(MEASUREMENTS)
    if unknown:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    before, figures = kept.last(), {}
    for name in options.names or MEASUREMENTS:
        begun = time.monotonic()
        figures[name] = run(name, MEASUREMENTS[name][options.full])
        print(f"\n{name}, {time.monotonic() - begun:.0f} s\n{table(figures[name])}", flush=True)
    return _conclude(figures, before)


def _conclude(figures: Mapping[str, list[Figure]], before: Mapping[str, Any]) -> int:
    every = [figure for of_name in figures.values() for figure in of_name]
    print("\nsince the last time:", *(kept.differences(every, before) or ["no difference worth saying"]), sep="\n  ")
    print("kept in", kept.keep(figures))
    missed = [figure.what for figure in every if figure.is_met is False]
    print("not met:", "; ".join(missed) or "nothing")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
