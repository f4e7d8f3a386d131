"""Named points before and after each statement of a batch's transaction, where a test lets the grabber fail.

`DQMSQUARE_FAILPOINT=before:insert-jobs:exit` ends the process there, `…:raise` raises, `…:sleep` waits for a moment. It
strikes once in a process, the first time that a batch passes the point, and is honoured in development only.
"""

import logging
import os
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, event

from dqmsquare.errors import StoreUnavailable

EXIT_STATUS = 137  # as of a process that was killed
_SLEEP_SECONDS = 0.7  # long enough for somebody to notice, short enough for a batch to end
_IN_BATCH = "in a batch"  # in a connection's info while its transaction stores a batch
_STATEMENT = re.compile(r"\s*(\w+)(?:.*?\bmirror\.(\w+))?", re.DOTALL)
_logger = logging.getLogger(__name__)


def _exit() -> None:
    os._exit(EXIT_STATUS)


def _raise() -> None:
    raise StoreUnavailable("a failpoint")


_ACTIONS: dict[str, Callable[[], None]] = {"exit": _exit, "raise": _raise, "sleep": lambda: time.sleep(_SLEEP_SECONDS)}


@dataclass(slots=True)
class Failpoint:
    """What is to happen at `point`, such as `after:update-cursors` or `before:commit`; `passed` lists all in order."""

    point: str
    action: Callable[[], None]
    passed: list[str] = field(default_factory=list)
    is_spent: bool = False

    def reach(self, point: str) -> None:
        """To be called at each point of a batch."""
        self.passed.append(point)
        if point == self.point and not self.is_spent:
            self.is_spent = True
            _logger.warning("failpoint %s", point)
            self.action()


@cache  # one for all of a process's engines, since it strikes once
def read_failpoint(text: str) -> Failpoint:
    """`WHEN:POINT:ACTION` as an object. Raises ValueError for an action that is not known."""
    point, _, action = text.rpartition(":")
    if action not in _ACTIONS:
        raise ValueError(f"a failpoint ends in one of {', '.join(_ACTIONS)}, not in {action!r}")
    return Failpoint(point, _ACTIONS[action])


def begin_batch(connection: Connection) -> None:
    """To be called where a batch's transaction begins: from here to its end there are points."""
    connection.info[_IN_BATCH] = True


def install(engine: Engine, failpoint: Failpoint) -> None:
    """Lets an engine's batches pass the failpoint."""

    def reach(when: str, connection: Connection, what: str) -> None:
        if connection.info.get(_IN_BATCH):
            failpoint.reach(f"{when}:{what}")

    def before(connection: Connection, _: Any, statement: str, *__: Any) -> None:
        reach("before", connection, _name(statement))

    def after(connection: Connection, _: Any, statement: str, *__: Any) -> None:
        reach("after", connection, _name(statement))

    def commit(connection: Connection) -> None:
        if connection.info.get(_IN_BATCH):
            failpoint.reach("before:commit")
            connection.connection.commit()  # SQLAlchemy's own, which follows, then has nothing left to commit
            failpoint.reach("after:commit")
            connection.info.pop(_IN_BATCH)

    event.listen(engine, "before_cursor_execute", before)
    event.listen(engine, "after_cursor_execute", after)
    event.listen(engine, "commit", commit)
    event.listen(engine, "rollback", lambda connection: connection.info.pop(_IN_BATCH, None))


def _name(statement: str) -> str:
    """`insert-jobs`, `select-pg_advisory_xact_lock`, `notify`: a statement's verb and the table that it is about."""
    found = _STATEMENT.match(statement)
    verb, table = (found[1].lower(), found[2]) if found else ("", None)
    return f"{verb}-{table}" if table else "lock" if "pg_advisory_xact_lock" in statement else verb
