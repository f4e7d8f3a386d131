"""What tells the servers that something is new: rows of `changes`, numbered in the order they become visible."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, text

from dqmsquare.storage import locks
from dqmsquare.storage.tables import changes

CHANNEL = "mirror_changes"
_KEPT_MINUTES = 10


def publish(
    connection: Connection, *, runs: Iterable[int] = (), kinds: Iterable[str] = (), alarms: Iterable[str] = ()
) -> None:
    """Announces changed runs, kinds without a run (host, reload) and alarms by their keys.

    To be the last statements of a transaction.

    Ids come from a sequence, and without the lock a reader by `id > last` could pass one that commits later.
    """
    rows = [_row("run", run=run) for run in sorted(set(runs))]
    rows += [_row(kind) for kind in sorted(set(kinds))]
    rows += [_row("alarm", alarm_key=key) for key in sorted(set(alarms))]
    if not rows:
        return
    locks.lock_for_transaction(connection, locks.PUBLISH)
    connection.execute(insert(changes).values(rows))
    connection.execute(text(f"NOTIFY {CHANNEL}"))


def _row(kind: str, *, run: int | None = None, alarm_key: str | None = None) -> dict[str, Any]:
    return {"kind": kind, "run": run, "alarm_key": alarm_key, "at": func.clock_timestamp()}


def forget_old_changes(connection: Connection) -> None:
    """Rows are kept ten minutes, the newest for ever: its id is where a new page begins."""
    newest = select(func.max(changes.c.change_id)).scalar_subquery()
    old = changes.c.at < func.now() - text(f"interval '{_KEPT_MINUTES} minutes'")
    connection.execute(delete(changes).where(old, changes.c.change_id < newest))
