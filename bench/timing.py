"""How long a question takes."""

import time
from collections.abc import Callable, Sequence

_N_SAMPLES = 41


def best_in_turn(works: Sequence[Callable[[], object]], n: int = _N_SAMPLES) -> list[float]:
    """Milliseconds of the fastest of `n`, for each: what else the machine does only ever makes it slower.

    They take turns, so that it hits them alike.
    """
    took: list[list[float]] = [[] for _ in works]
    for _ in range(n):
        for work, times in zip(works, took, strict=True):
            begun = time.perf_counter()
            work()
            times.append(1_000 * (time.perf_counter() - begun))
    return [min(times) for times in took]


def best_ms(work: Callable[[], object], n: int = _N_SAMPLES) -> float:
    """The same for one."""
    return best_in_turn([work], n)[0]
