"""Who asked what and how often, so that a test can say: less than one request per second."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass

_KEPT = 20_000  # visits that are remembered one by one


@dataclass(frozen=True, slots=True)
class Visit:
    """One request. `at` is a monotonic time in seconds, `host` the DQM² host that was asked for ("" for none)."""

    at: float
    path: str
    host: str
    event: str


class Visits:
    """Counts of requests since the start or the last `clear()`, and of connections that were opened."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._visits: deque[Visit] = deque(maxlen=_KEPT)
        self.n_connections = 0
        self.n_refused = 0  # connections that ended in the TLS handshake

    def note(self, path: str, host: str, event: str) -> None:
        """One more request."""
        with self._lock:
            self._counts[path, host, event] += 1
            self._visits.append(Visit(self._monotonic(), path, host, event))

    def note_connection(self) -> None:
        """One more connection."""
        with self._lock:
            self.n_connections += 1

    def note_refusal(self) -> None:
        """One more connection whose TLS handshake failed."""
        with self._lock:
            self.n_refused += 1

    def count(self, path: str | None = None, host: str | None = None, event: str | None = None) -> int:
        """Requests with this path, host and event; None: any."""
        with self._lock:
            return sum(n for key, n in self._counts.items() if _fits(key, (path, host, event)))

    def times(self, path: str | None = None, host: str | None = None, event: str | None = None) -> list[float]:
        """When the newest of them came, in monotonic seconds."""
        with self._lock:
            return [v.at for v in self._visits if _fits((v.path, v.host, v.event), (path, host, event))]

    def clear(self) -> None:
        """Starts counting anew."""
        with self._lock:
            self._counts.clear()
            self._visits.clear()
            self.n_connections = self.n_refused = 0

    def as_table(self) -> list[dict[str, object]]:
        """The counts as rows of path, host, event and n."""
        with self._lock:
            return [
                {"path": path, "host": host, "event": event, "n": n}
                for (path, host, event), n in sorted(self._counts.items())
            ]


def _fits(key: tuple[str, str, str], wanted: tuple[str | None, str | None, str | None]) -> bool:
    return all(want is None or have == want for have, want in zip(key, wanted, strict=True))
