"""The first API's answers as its readers know them: positions, words and the values that stand for nothing."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from html import escape
from typing import Any

from dqmsquare.documents import StreamFiles, client_name
from dqmsquare.storage.rows import DeliveryRow, HostRow, JobRow, LogRow

_ABSENT = -1  # what the first mirror stored for a number that a document lacks


@dataclass(frozen=True, slots=True)
class JobFilter:
    """`bad_only`: an exit code other than 0, running ones too; `with_lumis`: those that saw a lumisection."""

    bad_only: bool = False
    with_lumis: bool = False

    @property
    def takes_all(self) -> bool:
        """Whether nothing is left out."""
        return not (self.bad_only or self.with_lumis)

    def takes(self, exit_code: int, lumi: int) -> bool:
        """Whether a job is asked for; -1 stands for what is not known."""
        return not (self.bad_only and exit_code == 0) and not (self.with_lumis and lumi <= 0)


def run_answer(jobs: Sequence[JobRow], now: datetime) -> list[Any]:
    """`[run_data, jobs]` of get_run; `[[], []]` where there is no such run."""
    if not jobs:
        return [[], []]
    return [
        [_first(job.release for job in jobs), _first(job.run_key for job in jobs)],
        [_job(job, now) for job in jobs],
    ]


def _job(job: JobRow, now: datetime) -> list[Any]:
    reported_at = job.reported_at or job.heard_at
    return [
        reported_at.timestamp() * 1000,
        (now - reported_at).total_seconds(),
        job.host_label,
        _number(job.exit_code),
        client_name(job.tag),
        _number(job.lumi),
        "" if job.rss_bytes is None else f"{job.rss_bytes // 1024} kB",
        _number(job.n_events),
        job.job_id,
        _number(job.rate_hz),
    ]


def chosen_entry(entry: dict[str, Any], chosen: JobFilter) -> dict[str, Any] | None:
    """What get_runs says of one run, without the jobs that are not asked for; None where none of them is."""
    clients = {
        client: [job for job in jobs if chosen.takes(job[4], job[2])] for client, jobs in entry["clients"].items()
    }
    clients = {client: jobs for client, jobs in clients.items() if jobs}
    return {**entry, "clients": clients} if clients else None


def clients_answer(tags: Iterable[str]) -> list[str]:
    """The short names, each once, in the order of the tags."""
    return list(dict.fromkeys(client_name(tag) for tag in tags))


def graph_answer(delivery: DeliveryRow | None) -> list[Any]:
    """`[run, rev, id, timestamp, global_start, streams, host_label]`, or `[]`."""
    if delivery is None:
        return []
    streams = {key: _stream(files) for key, files in delivery.streams.items()}
    return [
        delivery.run,
        delivery.rev,
        delivery.document_id,
        delivery.stamp,
        delivery.global_start,
        streams,
        delivery.host_label,
    ]


def _stream(files: StreamFiles) -> dict[str, Sequence[float]]:
    return {
        "lumis": files.lumis,
        "mtimes": files.mtimes,
        "ctimes": files.ctimes,
        "evt_processed": files.n_processed,
        "evt_accepted": files.n_accepted,
        "fsize": files.sizes_bytes,
    }


def log_page(log: LogRow | None) -> bytes:
    """First lines, a line ` ... `, last lines; the text is escaped, as a job may have written anything."""
    head, tail = (escape(log.head), escape(log.tail)) if log else ("", "")
    return f"<pre>{head}\n ... \n\n{tail}</pre>".encode("utf-8", "backslashreplace")


def cluster_status_answer(hosts: Iterable[HostRow]) -> list[list[Any]]:
    """`[host_label, is_up, message, time_s]` of each host that cluster status has named."""
    return [
        [host.label, host.is_up, host.message, host.status_seen_at.timestamp() if host.status_seen_at else None]
        for host in hosts
        if host.is_up is not None
    ]


def _number(value: float | None) -> float:
    return _ABSENT if value is None else value


def _first(values: Iterable[str | None]) -> str:
    """The first that is there; "" where none is."""
    return next((value for value in values if value), "")
