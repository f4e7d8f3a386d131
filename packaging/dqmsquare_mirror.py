"""The single file's entry: `dqmsquare_mirror server`, `… grabber production`, `… db upgrade`, `… report --from …`."""

import multiprocessing
import runpy
import sys
from pathlib import Path

PROGRAMS = {"server": "server", "grabber": "grabber", "db": "db", "report": "dqmsquare.report"}


def main() -> None:
    """Runs the program that the first argument names, with the others as its own."""
    multiprocessing.freeze_support()  # a process of the import's starts this file again
    if len(sys.argv) < 2 or sys.argv[1] not in PROGRAMS:
        sys.exit(f"{Path(sys.argv[0]).name} takes one of {', '.join(PROGRAMS)}, and then what that program takes")
    program = sys.argv.pop(1)
    sys.argv[0] = f"{sys.argv[0]} {program}"
    runpy.run_module(PROGRAMS[program], run_name="__main__")


if __name__ == "__main__":
    main()
