"""When a host is asked next: at its interval while all is well, ever more rarely while it fails."""

import logging
import random
import threading
from collections.abc import Callable

from dqmsquare.config import Config
from dqmsquare.errors import MirrorError, UpstreamRefused, UpstreamUnavailable, UpstreamUnreachable

_logger = logging.getLogger(__name__)
_FIRST_WAIT_SECONDS = 1.0
_JITTER = 0.2
_PATIENCE_POLLS = 1.5  # by then the other hosts were polled too
_REPEAT_SECONDS = 600.0  # a failure that lasts is logged again this often

Clock = Callable[[], float]
Words = Callable[[MirrorError], str]  # what may be logged of an error: a page's title is upstream's own text


class Outage:
    """All of DQM² away: shared by a process's hosts, so that it is logged once and probed by one host at a time.

    `words` says what may be logged of an error.
    """

    def __init__(self, probe_seconds: float, clock: Clock, words: Words = str) -> None:
        self.words = words
        self._probe_seconds = probe_seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._since: float | None = None
        self._answered_at: float | None = None
        self._next_probe = 0.0

    def covers(self, error: MirrorError, failing_since: float, patience_seconds: float) -> bool:
        """Whether a host that cannot be reached fails like all others; False where others are answered meanwhile.

        For `patience_seconds`, in which the others would be polled, it is not known yet, and nothing is logged.
        """
        with self._lock:
            now, answered_at = self._clock(), self._answered_at
            if answered_at is not None and answered_at > failing_since + patience_seconds:
                return False
            if self._since is None and (answered_at is None or now - answered_at >= patience_seconds):
                self._since = now
                self._next_probe = now + self._probe_seconds
                _logger.warning("DQM² cannot be reached: %s", self.words(error))
            return True

    def end(self) -> None:
        """To be called when it answers."""
        with self._lock:
            self._answered_at = self._clock()
            if self._since is not None:
                _logger.info("DQM² can be reached again after %.1f s", self._clock() - self._since)
                self._since = None

    def may_probe(self) -> bool:
        """Whether a host that fails may be tried now; takes the turn."""
        with self._lock:
            if self._since is None:
                return True
            now = self._clock()
            if now < self._next_probe:
                return False
            self._next_probe = now + self._probe_seconds
            return True


class Pace:
    """The due times of one host, its state of failure, and what is logged of it: once, and once when it is over."""

    def __init__(
        self,
        name: str,
        interval_seconds: float,
        config: Config,
        outage: Outage,
        clock: Clock,
        on_failure: Callable[[MirrorError], None] = lambda _: None,
    ) -> None:
        self._name = name
        self._on_failure = on_failure
        self._interval_seconds = interval_seconds
        self._config = config
        self._outage = outage
        self._clock = clock
        self._due = clock()
        self._n_failures = 0
        self._failing_since: float | None = None
        self._logged_at: float | None = None

    def seconds_left(self) -> float:
        """Seconds until the host is due; 0 if it is."""
        return max(0.0, self._due - self._clock())

    def backoff_seconds(self) -> float:
        """Seconds until a host that fails is tried again; 0 for one that does not."""
        return 0.0 if self._failing_since is None else self.seconds_left()

    def may_start(self) -> bool:
        """Whether a host that is due may be asked: not while all of DQM² is away and another one probes it."""
        if self._failing_since is None or self._outage.may_probe():
            return True
        self._due = self._clock() + self._config.outage_probe_seconds / 4
        return False

    def succeeded(self) -> None:
        """The next due time is the previous one plus the interval; an overrun starts anew from now."""
        self._outage.end()
        if self._failing_since is not None:
            if self._logged_at is not None:
                _logger.info("%s is back after %.1f s", self._name, self._clock() - self._failing_since)
            self._failing_since = self._logged_at = None
            self._n_failures = 0
        self._due = max(self._due + self._interval_seconds, self._clock())

    def failed(self, error: MirrorError) -> None:
        """Waits longer each time, with jitter, so that hosts that fail together do not come back together."""
        self._on_failure(error)
        now = self._clock()
        if self._failing_since is None:
            self._failing_since = now
        is_covered = isinstance(error, UpstreamUnreachable) and self._is_covered(error, self._failing_since)
        if not is_covered and (self._logged_at is None or now - self._logged_at >= _REPEAT_SECONDS):
            self._logged_at = now
            _logger.warning("%s fails: %s", self._name, self._outage.words(error))
        self._due = now + self._wait_seconds(error)
        self._n_failures += 1

    def _is_covered(self, error: MirrorError, failing_since: float) -> bool:
        return self._outage.covers(error, failing_since, _PATIENCE_POLLS * self._interval_seconds)

    def _wait_seconds(self, error: MirrorError) -> float:
        if isinstance(error, UpstreamUnavailable) and error.retry_after_seconds is not None:
            return max(error.retry_after_seconds, self._interval_seconds)
        if isinstance(error, UpstreamRefused):
            return self._config.auth_retry_seconds
        growing = _FIRST_WAIT_SECONDS * float(2 ** min(self._n_failures, 16))
        jitter = random.uniform(1 - _JITTER, 1 + _JITTER)
        return min(growing, self._config.backoff_max_seconds) * jitter
