"""How often a thread met an error that nobody expected: it waits longer each time, then the process gives up."""

import time
from collections import deque
from collections.abc import Callable

_MAX_CRASHES = 5
_WINDOW_SECONDS = 600.0
_FIRST_WAIT_SECONDS = 1.0


class Crashes:
    """Of one thread. `monotonic` is in seconds."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._at: deque[float] = deque(maxlen=_MAX_CRASHES)

    @property
    def too_many(self) -> bool:
        """Whether the last five lie within ten minutes."""
        return len(self._at) == _MAX_CRASHES and self._monotonic() - self._at[0] < _WINDOW_SECONDS

    def note(self) -> float:
        """Counts one; returns the seconds to wait before the thread goes on: 1, 2, 4, 8."""
        now = self._monotonic()
        self._at.append(now)
        n_lately = sum(now - at < _WINDOW_SECONDS for at in self._at)
        return _FIRST_WAIT_SECONDS * 2.0 ** (n_lately - 1)
