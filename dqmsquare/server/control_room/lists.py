"""What DQM² listed last: a value of a changing command must be on such a list, and the list must be new."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

from dqmsquare.errors import CommandRefused
from dqmsquare.identity import PublicIds
from dqmsquare.server.control_room.commands import Listed
from dqmsquare.server.formats import GENEVA
from dqmsquare.storage.control_room_lists import ListRow, find_list, put_list
from dqmsquare.storage.engine import Database

FRESH_FOR = timedelta(seconds=60)
_ASKED_BY = {Listed.CLIENTS: "get_dqm_clients", Listed.RUNS: "get_simulator_runs"}


class Lists:
    """Lists of clients per machine, and of runs; kept in the database, since the next request may ask a replica."""

    def __init__(self, database: Database, ids: PublicIds, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._ids = ids
        self._clock = clock

    def put(self, kind: Listed, machine: str, names: Iterable[str]) -> None:
        """DQM² has just listed these. Raises StoreUnavailable."""
        row = ListRow(items=list(names), listed_at=self._clock())
        with self._database.writing() as connection:
            put_list(connection, kind, self._ids.host(machine), row)

    def check(self, kind: Listed, machine: str, name: str) -> None:
        """Raises CommandRefused unless DQM² listed `name` within the last minute; DQM² itself is not asked."""
        with self._database.reading() as connection:
            row = find_list(connection, kind, self._ids.host(machine))
        if row is None or self._clock() - row.listed_at > FRESH_FOR:
            raise CommandRefused(f"the list of {kind} is older than a minute: ask for it first ({_ASKED_BY[kind]})")
        if name not in row.items:
            raise CommandRefused(f"{name} is not among the {kind} of {row.listed_at.astimezone(GENEVA):%H:%M:%S}")
