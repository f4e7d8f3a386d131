"""What the server counts. Labels are routes, statuses and clusters: nothing that a reader sent, no host."""

import functools

from prometheus_client import Counter, Gauge, Histogram

REQUESTS = Counter("dqmsquare_http_requests_total", "Answers by route and status.", ["route", "status"])
SECONDS = Histogram(
    "dqmsquare_http_request_seconds",
    "Time until an answer begins, by route; those that were at hand are not timed.",
    ["route"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
STREAMS = Gauge("dqmsquare_streams", "Open pages with a live stream.", ["cluster"], multiprocess_mode="livesum")
EVENTS = Counter("dqmsquare_events_total", "Events announced to the open pages.", ["cluster"])
DATABASE = Gauge(
    "dqmsquare_database_up", "1 where the server reaches the database.", ["cluster"], multiprocess_mode="livemin"
)
BEHIND = Gauge(
    "dqmsquare_behind_seconds",
    "Age of the last successful poll of the host that is furthest behind.",
    ["cluster"],
    multiprocess_mode="livemax",
)
ALARMS = Gauge(
    "dqmsquare_alarms",
    "Alarms that stand, by rule.",
    ["cluster", "rule"],
    multiprocess_mode="livemax",
)


def count(route: str, status: str, seconds: float | None = None) -> None:
    """Notes an answer. `route` is a rule, `status` three digits, `seconds` how long it took to begin.

    An answer that was at hand takes microseconds, less than noting them: without `seconds` it is only counted.
    """
    _requests(route, status).inc()
    if seconds is not None:
        _seconds(route).observe(seconds)


# Looking a child up by its labels costs more than counting does.
@functools.lru_cache(maxsize=1_000)
def _requests(route: str, status: str) -> Counter:
    return REQUESTS.labels(route, status)


@functools.lru_cache(maxsize=1_000)
def _seconds(route: str) -> Histogram:
    return SECONDS.labels(route)
