"""What a grabber's numbers say of a host, whoever holds it, and of the certificate."""

from datetime import UTC, datetime

from dqmsquare.errors import ConfigError, StoreUnavailable, UpstreamMalformed, UpstreamRefused, UpstreamTimeout
from dqmsquare.grabber.metrics import GrabberMetrics, HostStanding

LABELS = 'cluster="production",host="h1"'


def lines(metrics: GrabberMetrics) -> dict[str, float]:
    """The scraped lines of the grabber's own numbers."""
    rows = (line.rpartition(" ") for line in metrics.text().decode().splitlines() if line.startswith("dqm_grabber"))
    return {name: float(value) for name, _, value in rows if not name.startswith("dqm_grabber_batch")}


def test_a_host_that_is_held_shows_how_it_stands() -> None:
    metrics = GrabberMetrics()
    standing = HostStanding(lambda: True, lambda: 4.0, is_up=True, n_behind=3, last_success_at=9.0, last_rev=7, epoch=2)
    metrics.add_host("production", "h1", standing)

    shown = lines(metrics)

    expected = {"lease_held": 1, "up": 1, "lag_headers": 3, "last_success_seconds": 9, "last_new_rev": 7, "epoch": 2}
    assert {name: shown[f"dqm_grabber_{name}{{{LABELS}}}"] for name in expected} == expected
    assert shown[f"dqm_grabber_backoff_seconds{{{LABELS}}}"] == 4


def test_a_host_that_another_grabber_holds_shows_only_that() -> None:
    metrics = GrabberMetrics()
    metrics.add_host("production", "h1", HostStanding(lambda: False, lambda: 0.0, is_up=False))

    gauges = {name for name in lines(metrics) if "_total" not in name and "_created" not in name}

    assert gauges == {f"dqm_grabber_lease_held{{{LABELS}}}"}


def test_errors_are_counted_by_kind_and_those_of_the_database_are_not_the_hosts() -> None:
    metrics = GrabberMetrics()
    errors = (UpstreamMalformed("x", kind="nesting"), UpstreamRefused("x"), UpstreamTimeout("x"), StoreUnavailable("x"))

    for error in errors:
        metrics.count_error("production", "h1", error)

    counted = {name: n for name, n in lines(metrics).items() if name.startswith("dqm_grabber_protocol_errors_total")}
    assert counted == {
        f'dqm_grabber_protocol_errors_total{{{LABELS},kind="{kind}"}}': 1 for kind in ("nesting", "refused", "timeout")
    }


def test_a_certificate_that_cannot_be_read_counts_as_expired() -> None:
    def unreadable() -> datetime:
        raise ConfigError(["it is gone"])

    assert (
        lines(GrabberMetrics(lambda: datetime(2030, 1, 1, tzinfo=UTC)))["dqm_grabber_cert_expiry_seconds"] == 1893456000
    )
    assert lines(GrabberMetrics(unreadable))["dqm_grabber_cert_expiry_seconds"] == 0
    assert "dqm_grabber_cert_expiry_seconds" not in lines(GrabberMetrics())
