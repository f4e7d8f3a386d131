"""Where replication stands with each host: one row, moved in the transaction that stores what it passed."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.postgresql import insert

from dqmsquare.errors import LeaseLost
from dqmsquare.storage.tables import cursors, gaps, hosts

FIRST_EPOCH = 1  # rows imported from the first mirror have 0


@dataclass(frozen=True, slots=True)
class Cursor:
    """A host's cursor; `head_rev` None: nothing passed yet; `tail_rev` 0: history is complete."""

    epoch: int
    head_rev: int | None
    head_id: str | None
    head_document: str | None
    tail_rev: int | None
    relist: bool
    compared_at: datetime | None
    term: int


@dataclass(frozen=True, slots=True)
class Gap:
    """Revisions that upstream could not list."""

    host_id: str
    epoch: int
    first_rev: int
    last_rev: int
    reason: str
    at: datetime


def register_hosts(connection: Connection, labels: dict[str, str]) -> None:
    """Makes `labels` (host id to label) the configured hosts; others stay known, but not as configured."""
    connection.execute(update(hosts).where(hosts.c.host_id.not_in(labels)).values(is_configured=False))
    if not labels:
        return
    rows = [{"host_id": host_id, "label": label, "is_configured": True} for host_id, label in labels.items()]
    statement = insert(hosts).values(rows)
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=["host_id"], set_={"label": statement.excluded.label, "is_configured": True}
        )
    )


def take_over(connection: Connection, host_id: str) -> Cursor:
    """The cursor of a host whose lease was just taken, with one more in its term; made if it is not there."""
    fresh = {"host_id": host_id, "epoch": FIRST_EPOCH, "relist": False, "term": 0, "n_behind": 0}
    connection.execute(insert(cursors).values(fresh).on_conflict_do_nothing())
    result = connection.execute(
        update(cursors)
        .where(cursors.c.host_id == host_id)
        .values(term=cursors.c.term + 1)
        .returning(*(cursors.c[name] for name in Cursor.__slots__))
    )
    return Cursor(**result.mappings().one())


def move(connection: Connection, host_id: str, term: int, values: dict[str, Any]) -> None:
    """Changes columns of the cursor. Raises LeaseLost if another grabber has taken the host over."""
    mine = (cursors.c.host_id == host_id) & (cursors.c.term == term)
    if connection.execute(update(cursors).where(mine).values(values)).rowcount != 1:
        raise LeaseLost(f"host {host_id}: term {term} is over")


def record_gap(connection: Connection, host_id: str, epoch: int, last_rev: int, reason: str) -> None:
    """Notes that nothing up to `last_rev` could be listed; forgotten with `forget_gap`."""
    row = {"host_id": host_id, "epoch": epoch, "first_rev": 0, "last_rev": last_rev, "reason": reason, "at": func.now()}
    statement = insert(gaps).values(row)
    changed = {name: statement.excluded[name] for name in ("last_rev", "reason", "at")}
    connection.execute(statement.on_conflict_do_update(index_elements=["host_id", "epoch"], set_=changed))


def forget_gap(connection: Connection, host_id: str, epoch: int) -> None:
    """To be called once a full listing was used to its end."""
    connection.execute(gaps.delete().where(gaps.c.host_id == host_id, gaps.c.epoch == epoch))


def known_gaps(connection: Connection) -> list[Gap]:
    """All gaps, by host."""
    rows = connection.execute(select(gaps).order_by(gaps.c.host_id, gaps.c.epoch).limit(1000))
    return [Gap(**row) for row in rows.mappings()]
