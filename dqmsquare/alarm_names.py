"""The alarms by name: the same words in the database, in the webhook's messages, on the pages and in Prometheus."""

import re
from enum import StrEnum

_NOT_IN_KEYS = re.compile(r"[^A-Za-z0-9_./-]")


class Rule(StrEnum):
    """What an alarm is about. Prometheus' alerts have these very names."""

    JOB_CRASHED = "JobCrashed"
    JOB_FAILED = "JobFailed"
    CLIENT_MISSING = "ClientMissing"
    RATES_ZERO = "RatesZero"
    DELIVERY_DELAYED = "DeliveryDelayed"
    HOST_DOWN = "HostDown"
    RAMDISK_FULL = "RamdiskFull"
    MIRROR_BEHIND = "MirrorBehind"


TITLES = {  # for people
    Rule.JOB_CRASHED: "Job crashed",
    Rule.JOB_FAILED: "Job failed",
    Rule.CLIENT_MISSING: "Client missing",
    Rule.RATES_ZERO: "All rates zero",
    Rule.DELIVERY_DELAYED: "Delivery delayed",
    Rule.HOST_DOWN: "Host down",
    Rule.RAMDISK_FULL: "Ramdisk full",
    Rule.MIRROR_BEHIND: "Mirror behind",
}

WHOLE_MIRROR = "all"  # the subject of MirrorBehind where no host at all is polled


def alarm_key(cluster: str, rule: Rule, subject: str, begin: str = "") -> str:
    """What an alarm is stored and sent by: the same fact has the same key, whoever finds it and however often.

    `begin` tells one occurrence from the next where a subject may have several, such as a host that goes down again.

    >>> alarm_key("production", Rule.HOST_DOWN, "abcdefgh23456723", "1790000000")
    'production/HostDown/abcdefgh23456723/1790000000'
    """
    return _NOT_IN_KEYS.sub("_", "/".join(filter(None, (cluster, rule, subject, begin))))


def alarm_path(*, cluster: str, job_id: str | None, run: int | None, host_id: str | None) -> str:
    """Where the mirror's pages show what an alarm is about, below the prefix.

    >>> alarm_path(cluster="production", job_id=None, run=398220, host_id=None)
    '/?run=398220&db=production'
    """
    if job_id:
        return f"/jobs/{job_id}?db={cluster}"
    if run:
        return f"/?run={run}&db={cluster}"
    return f"/?db={cluster}#host-{host_id}" if host_id else f"/?db={cluster}"
