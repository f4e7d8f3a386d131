"""The oracle: at quiet, what upstream has is what the mirror has, document by document, by the numbers in them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection

from dqmsquare.documents import KEPT_KINDS, read_header
from dqmsquare.errors import DocumentRefused
from dqmsquare.identity import PublicIds
from dqmsquare.simulator import PayloadCounter, Simulator
from dqmsquare.simulator.payload_counter import LOG_LINE, counter_of
from dqmsquare.storage.queries import log_of_job
from tests.postgres import KEY, TestPlace

_SHOWN = 5
_NUMBERS = {  # the column that holds a document's number, as an expression
    "jobs": "n_events",
    "deliveries": "global_start - 1262304000",
    "playbacks": "lumi_timeout_seconds",
    "host_memory": "free_bytes",
    "host_disks": "free_bytes",
    "releases": "extract(epoch FROM built_at) - 1262304000",
}
_WRONG_SUMMARIES = """
    (SELECT run, count(*), count(*) FILTER (WHERE outcome IS NULL), max(lumi), max(n_events)
       FROM mirror.jobs GROUP BY run
     EXCEPT SELECT run, n_jobs, n_open, last_lumi, max_events FROM mirror.runs)
    UNION ALL
    (SELECT run, n_jobs, n_open, last_lumi, max_events FROM mirror.runs
     EXCEPT SELECT run, count(*), count(*) FILTER (WHERE outcome IS NULL), max(lumi), max(n_events)
       FROM mirror.jobs GROUP BY run)
"""


@dataclass(frozen=True)
class Upstream:
    """A document as it stands on a host of DQM²."""

    document_id: str
    host_id: str
    rev: int
    number: int | None
    log_line: str | None
    is_readable: bool  # as a header: otherwise it can only be named in quarantine


@dataclass(frozen=True)
class Mirrored:
    """A row of the mirror."""

    host_id: str
    epoch: int
    rev: int
    number: int | None


@dataclass
class Verdict:
    """What came out. `n_former`: only the mirror has them, and they were offered once."""

    n_upstream: int = 0
    n_mirrored: int = 0
    n_former: int = 0
    n_excused: int = 0  # upstream's documents that cannot be stored, each with its line in quarantine
    quarantine: dict[str, int] = field(default_factory=dict)
    gaps: list[tuple[Any, ...]] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        quarantined = ", ".join(f"{n} {reason}" for reason, n in sorted(self.quarantine.items())) or "nothing"
        lines = [
            f"upstream {self.n_upstream} documents, the mirror {self.n_mirrored}, of them {self.n_former} of former times",
            f"in quarantine {quarantined}; upstream's among them: {self.n_excused}; gaps: {len(self.gaps)}",
            *(
                f"gap: host {host}, epoch {epoch}, {first} to {last}: {why}"
                for host, epoch, first, last, why in self.gaps
            ),
            f"{len(self.differences)} differences{':' if self.differences else ''}",
        ]
        return "\n".join([*lines, *self.differences[:_SHOWN]])


def compare(place: TestPlace, simulator: Simulator, counter: PayloadCounter, cluster: str = "production") -> Verdict:
    """Compares a cluster. To be called at quiet: faults off, nothing produced, one full check done."""
    ids = PublicIds(KEY, cluster)
    upstream = {document.document_id: document for document in _upstream(simulator, ids, cluster)}
    verdict = Verdict(n_upstream=len(upstream))
    mirrored = _mirrored(place, cluster, verdict)
    verdict.n_mirrored = len(mirrored)
    quarantined = _quarantined(place, cluster, verdict)
    epochs = dict(place.rows("SELECT host_id, epoch FROM mirror.cursors", cluster))
    with place.owner(cluster).reading() as connection:
        for document in upstream.values():
            found = [
                *_differences(document, mirrored.get(document.document_id), epochs),
                *_log_differences(connection, document),
            ]
            named = {(document.document_id, document.rev), ("", document.rev)}
            if found and named & quarantined.get(document.host_id, set()):
                verdict.n_excused += 1
            else:
                verdict.differences += found
    _judge_former(verdict, mirrored.keys() - upstream.keys(), mirrored, counter, ids)
    wrong = place.rows(_WRONG_SUMMARIES, cluster)
    verdict.differences += [f"the summary of run {row[0]} is not that of its jobs: {row}" for row in wrong]
    return verdict


def _upstream(simulator: Simulator, ids: PublicIds, cluster: str) -> Iterator[Upstream]:
    for name in simulator.clusters[cluster].hosts:
        store = simulator.stores[name]
        for header in store.headers_from(None):
            if header["type"] not in KEPT_KINDS:
                continue
            [document] = store.documents([header["_id"]])
            number = counter_of(document)
            yield Upstream(
                ids.document(header["_id"]), ids.host(name), header["_rev"], number, _log_line(document, number),
                _is_readable(header),
            )  # fmt: skip


def _is_readable(header: dict[str, Any]) -> bool:
    try:
        read_header(header)
    except DocumentRefused:
        return False
    return True


def _log_line(document: dict[str, Any], number: int | None) -> str | None:
    extra = document.get("extra")
    tail = extra.get("stdlog_end") if isinstance(extra, dict) else None
    line = LOG_LINE.format(number)
    return line if isinstance(tail, list) and line in tail else None


def _mirrored(place: TestPlace, cluster: str, verdict: Verdict) -> dict[str, Mirrored]:
    rows: dict[str, Mirrored] = {}
    for table, number in _NUMBERS.items():
        statement = f"SELECT document_id, host_id, epoch, rev, {number} FROM mirror.{table}"
        for document_id, host_id, epoch, rev, found in place.rows(statement, cluster):
            if document_id in rows:
                verdict.differences.append(f"{document_id} is there twice, once in {table}")
            rows[document_id] = Mirrored(host_id, epoch, rev, None if found is None else round(found))
    return rows


def _quarantined(place: TestPlace, cluster: str, verdict: Verdict) -> dict[str, set[tuple[str, int]]]:
    found: dict[str, set[tuple[str, int]]] = {}
    rows = place.rows("SELECT host_id, document_id, rev, reason FROM mirror.quarantine", cluster)
    for host_id, document_id, rev, reason in rows:
        if reason != "missing":  # that one is there by now, or it was dropped
            found.setdefault(host_id, set()).add((document_id, rev))
    verdict.quarantine = dict(Counter(reason for *_, reason in rows))
    verdict.gaps = place.rows("SELECT host_id, epoch, first_rev, last_rev, reason FROM mirror.gaps", cluster)
    return found


def _differences(document: Upstream, row: Mirrored | None, epochs: dict[str, int]) -> Iterator[str]:
    name = f"{document.document_id} (host {document.host_id}, revision {document.rev})"
    if row is None:
        words = "is not in the mirror" if document.is_readable else "has a bad header, and is not in quarantine"
        yield f"{name} {words}"
    elif (row.epoch, row.rev) != (epochs.get(document.host_id), document.rev):
        yield f"{name} stands in the mirror at {(row.epoch, row.rev)}, the host's epoch is {epochs.get(document.host_id)}"
    elif row.number != document.number:
        yield f"{name} has the number {document.number}, in the mirror {row.number}"
    elif row.host_id != document.host_id:
        yield f"{name} is in the mirror as of host {row.host_id}"


def _log_differences(connection: Connection, document: Upstream) -> Iterator[str]:
    if document.log_line is None:
        return
    log = log_of_job(connection, document.document_id)
    if log is None or document.log_line.strip() not in log.tail + log.head:
        yield f"{document.document_id} has not the log of its number {document.number}"


def _judge_former(
    verdict: Verdict, former: set[str], mirrored: dict[str, Mirrored], counter: PayloadCounter, ids: PublicIds
) -> None:
    offered = {ids.document(document_id): numbers for document_id, numbers in counter.offered.items()}
    verdict.n_former = len(former)
    verdict.differences += [
        f"{document_id} is in the mirror with the number {mirrored[document_id].number}, which was never offered"
        for document_id in sorted(former)
        if mirrored[document_id].number not in offered.get(document_id, set())
    ]
