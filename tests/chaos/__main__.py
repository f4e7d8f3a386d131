"""`python -m tests.chaos`: CHAOS_SECONDS (600) and CHAOS_SEED (drawn, and printed); status 1 if anything did not hold."""

import logging
import os
import random
import sys
import tempfile
from pathlib import Path

from tests.chaos.run import run


def main() -> int:
    seconds = float(os.environ.get("CHAOS_SECONDS") or 600)
    seed = int(os.environ.get("CHAOS_SEED") or random.SystemRandom().randrange(1_000_000))
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    folder = Path(tempfile.mkdtemp(prefix="mirror-chaos-"))
    print(f"chaos for {seconds:g} s, CHAOS_SEED={seed}, what the processes say is in {folder}", flush=True)
    report = run(folder, seconds, seed)
    print(report)
    return 1 if report.problems else 0


if __name__ == "__main__":
    sys.exit(main())
