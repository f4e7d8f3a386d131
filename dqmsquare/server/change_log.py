"""What the push asks the database: which changes a page has missed, and how old the grabber's polls are."""

from collections.abc import Sequence
from dataclasses import dataclass

from dqmsquare.server.rendered import EventId, change_of
from dqmsquare.server.watched import WatchedDatabase
from dqmsquare.storage.alarm_queries import AlarmRow, alarms_of
from dqmsquare.storage.change_queries import changes_after, database_id, newest_change_id, oldest_change_id
from dqmsquare.storage.host_queries import poll_ages
from dqmsquare.storage.rows import Change

_MISSED_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Missed:
    """The changes after the one that a page has seen, up to `newest`; None where they are not known any more."""

    database_id: str
    newest: int
    changes: list[Change] | None


class ChangeLog:
    """Reads `changes`. Its methods raise StoreUnavailable."""

    def __init__(self, database: WatchedDatabase) -> None:
        self.database = database

    def missed_after(self, event: EventId) -> Missed:
        """Nothing is known of an id of another database, of one that is not there yet, and of one too long ago."""
        with self.database.reading() as connection:
            name, newest = database_id(connection), newest_change_id(connection)
            seen = change_of(event, name)
            if seen is None or seen > newest:
                return Missed(name, newest, None)
            if seen == newest:
                return Missed(name, newest, [])
            # The oldest is asked for last: rows cleared out between the two questions are noticed.
            changes = changes_after(connection, seen)
            oldest = oldest_change_id(connection)
        is_known = oldest <= seen and len(changes) <= _MISSED_MAX
        return Missed(name, newest, changes if is_known else None)

    def alarms(self, keys: Sequence[str]) -> list[AlarmRow]:
        """The alarms with these keys, oldest first."""
        with self.database.reading() as connection:
            return alarms_of(connection, keys)

    def poll_ages(self) -> dict[str, float | None]:
        """Host id to seconds since its last successful poll; None: never polled."""
        with self.database.reading() as connection:
            return poll_ages(connection)
