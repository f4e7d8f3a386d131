"""Runs the measurements one after the other and prints what they gave."""

import tempfile
from pathlib import Path

from bench import page_latency, page_update
from tests.postgres import fresh_place


def main() -> None:
    """Measures in temporary folders; nothing of the machine's own mirror is touched."""
    print(page_update.report(page_update.measure()), flush=True)
    with tempfile.TemporaryDirectory(prefix="mirror-bench-") as name, fresh_place(Path(name)) as place:
        print(page_latency.report(page_latency.measure(place, Path(name))), flush=True)


if __name__ == "__main__":
    main()
