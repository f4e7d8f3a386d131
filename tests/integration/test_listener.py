"""Waiting for changes: told at once, in order, never twice, and again after the database was away."""

import threading

import pytest

from dqmsquare.storage.change_queries import newest_change_id
from dqmsquare.storage.changes import publish
from dqmsquare.storage.listener import Listener
from dqmsquare.storage.rows import Change
from dqmsquare.storage.upkeep import clear_out
from tests.postgres import TestPlace
from tests.programs import wait_for


class Heard:
    def __init__(self) -> None:
        self.changes: list[Change] = []
        self.states: list[bool] = []


@pytest.fixture
def heard(any_place: TestPlace):
    heard = Heard()
    listener = Listener(any_place.reader(), heard.changes.extend, heard.states.append)
    listener.start()
    wait_for(lambda: heard.states == [True], "it listens")
    yield heard
    listener.stop()
    listener.join()


def _publish(place: TestPlace, *runs: int) -> None:
    with place.owner().writing() as connection:
        publish(connection, runs=runs)


def test_changes_are_told_within_a_moment(any_place: TestPlace, heard: Heard):
    _publish(any_place, 1, 2)
    wait_for(lambda: [change.run for change in heard.changes] == [1, 2], "both are told", 2)


def test_what_came_before_the_start_is_not_told(any_place: TestPlace, heard: Heard):
    assert heard.changes == []


def test_many_writers_at_once_leave_no_change_untold(any_place: TestPlace, heard: Heard):
    def write(first: int) -> None:
        for run in range(first, first + 20):
            _publish(any_place, run)

    writers = [threading.Thread(target=write, args=(1000 * number,)) for number in range(1, 6)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    wait_for(lambda: len(heard.changes) == 100, "all are told")
    ids = [change.change_id for change in heard.changes]
    assert ids == sorted(ids)
    assert len({change.run for change in heard.changes}) == 100


def test_a_lost_connection_is_told_and_what_was_missed_follows(any_place: TestPlace, heard: Heard):
    any_place.rows(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' OR state = 'idle'"
    )
    wait_for(lambda: False in heard.states, "the loss is told")
    _publish(any_place, 7)
    wait_for(lambda: heard.states[-1] is True, "it is back")
    wait_for(lambda: [change.run for change in heard.changes] == [7], "what was missed follows")


def test_old_changes_are_cleared_out_but_for_the_newest(any_place: TestPlace):
    _publish(any_place, 1, 2, 3)
    any_place.rows("UPDATE mirror.changes SET at = at - interval '11 minutes'")
    with any_place.owner().writing() as connection:
        newest = newest_change_id(connection)
        clear_out(connection, log_retention_days=0, quarantine_retention_days=90)
        assert newest_change_id(connection) == newest
    assert any_place.rows("SELECT run FROM mirror.changes") == [(3,)]
