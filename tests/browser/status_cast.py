"""How replication stands with the rehearsed hosts, and what was set aside."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from dqmsquare.storage.rows import HostRow
from dqmsquare.storage.status_queries import GapRow, QuarantineRow, ReplicationRow


def the_replication(hosts: Sequence[HostRow], now: datetime) -> list[ReplicationRow]:
    """Every host as its HostRow has it; one that fails says why."""
    return [
        ReplicationRow(
            host_id=host.host_id,
            label=host.label,
            is_configured=host.is_configured,
            state=host.grabber_state,
            error="no answer within 30 s" if host.grabber_state == "backoff" else None,
            polled_at=now - timedelta(seconds=700 if host.grabber_state == "backoff" else 1),
            stamped_at=now,
            epoch=2,
            head_rev=1_184_711,
            tail_rev=402_118 if host.grabber_state == "filling" else 0,
            n_behind=host.n_behind,
            relist=False,
            compared_at=None if host.grabber_state == "filling" else now - timedelta(hours=7),
            n_quarantined=2 if host.grabber_state == "filling" else 0,
        )
        for host in hosts
    ]


def the_quarantine(host: HostRow, now: datetime) -> list[QuarantineRow]:
    """One that upstream kept to itself, and one that nobody could read."""
    rows = [
        ("missing", "listed at revision 1184002, not given twice", 1_184_002),
        ("header", "_rev is <img src=x onerror=alert(1)>", -1),
    ]
    return [
        QuarantineRow(
            host_id=host.host_id,
            label=host.label,
            document_id="",
            epoch=2,
            rev=rev,
            reason=reason,
            detail=detail,
            at=now,
        )
        for reason, detail, rev in rows
    ]


def the_gaps(host: HostRow, now: datetime) -> list[GapRow]:
    """What the host's proxy gave up on."""
    gap = GapRow(
        host_id=host.host_id,
        label=host.label,
        epoch=2,
        first_rev=0,
        last_rev=402_117,
        reason="the listing was cut after 5 s",
        at=now,
    )
    return [gap]
