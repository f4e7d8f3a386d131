"""The webhook's outbox: alarms that are to be sent, each at least once, and who sends them.

A row is claimed by moving its next try into the future, which is committed before the message leaves. So two senders
never have the same row, nothing is locked meanwhile, and a row whose sender died comes up again by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Float, cast, func, select, update

from dqmsquare.alarm_names import alarm_path
from dqmsquare.storage import locks
from dqmsquare.storage.engine import Database, translated_errors
from dqmsquare.storage.tables import alarms, leases, webhook_outbox
from dqmsquare.webhook import Notice

_TRIES_COUNTED_MAX = 20  # 2 to that power is more seconds than anybody waits


class Outbox:
    """One cluster's. A message that was claimed and not marked is tried again after `first_wait_seconds`, then ever
    more rarely, at last every `longest_wait_seconds`.
    """

    def __init__(self, database: Database, *, first_wait_seconds: float, longest_wait_seconds: float) -> None:
        self._database = database
        self._first_wait_seconds = first_wait_seconds
        self._longest_wait_seconds = max(longest_wait_seconds, first_wait_seconds)

    def claim(self) -> Notice | None:
        """The message that has been due for longest, which is nobody else's for a while; None if none is due."""
        with self._database.writing() as connection:
            key = connection.execute(self._claim_statement()).scalar()
            return None if key is None else self._notice(connection, key)

    def mark_sent(self, key: str) -> None:
        """It got through, and is not sent again."""
        statement = update(webhook_outbox).where(webhook_outbox.c.alarm_key == key)
        with self._database.writing() as connection:
            connection.execute(statement.values(sent_at=func.clock_timestamp()))

    def _claim_statement(self) -> Any:
        due = (
            select(webhook_outbox.c.alarm_key)
            .where(webhook_outbox.c.sent_at.is_(None), webhook_outbox.c.not_before <= func.clock_timestamp())
            .order_by(webhook_outbox.c.not_before, webhook_outbox.c.alarm_key)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        return (
            update(webhook_outbox)
            .where(webhook_outbox.c.alarm_key == due.scalar_subquery())
            .values(n_tries=webhook_outbox.c.n_tries + 1, not_before=func.clock_timestamp() + self._wait())
            .returning(webhook_outbox.c.alarm_key)
        )

    def _wait(self) -> ColumnElement[timedelta]:
        n_tries = func.least(webhook_outbox.c.n_tries, _TRIES_COUNTED_MAX)
        growing = cast(self._first_wait_seconds, Float) * func.power(2, n_tries)
        seconds = func.least(growing, self._longest_wait_seconds)
        wait: ColumnElement[timedelta] = func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        return wait

    def _notice(self, connection: Connection, key: str) -> Notice | None:
        alarm = connection.execute(select(alarms).where(alarms.c.alarm_key == key)).first()
        if alarm is None:
            return None
        cluster = self._database.cluster
        path = alarm_path(cluster=cluster, job_id=alarm.job_id, run=alarm.run, host_id=alarm.host_id)
        return Notice(key=key, rule=alarm.rule, cluster=cluster, words=alarm.words, path=path)


@contextmanager
def standing_in(database: Database, silent_seconds: float) -> Iterator[bool]:
    """Whether no grabber has stamped the cluster's lease for so long. Raises StoreUnavailable.

    While the block lasts the cluster's lock is kept where it is free. A grabber that hangs has it still, and what
    there is to tell must go out all the same; the claims see to it that nothing is sent by both.
    """
    with database.reading() as connection:
        silence = func.extract("epoch", func.clock_timestamp() - leases.c.stamped_at)
        seconds = connection.execute(select(silence).where(leases.c.name == "cluster")).scalar()
    if seconds is not None and seconds <= silent_seconds:
        yield False
        return
    with database.direct() as connection:
        with translated_errors():
            locks.try_lock_for_session(connection, locks.cluster_lock(database.cluster))
            connection.commit()  # the lock is the session's; an open transaction would be ended by its timeout
        yield True
