"""Replication against the simulator's store and a real PostgreSQL: nothing lost, whatever upstream does meanwhile."""

import random
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from dqmsquare.errors import UpstreamError
from dqmsquare.grabber.history import History
from dqmsquare.grabber.reading import FIRST_GROUP, DocumentReader
from dqmsquare.grabber.replication import Replication
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber
from dqmsquare.simulator.store import HostStore
from dqmsquare.storage.host_record import HostRecord
from tests.fake_feed import FakeFeed
from tests.postgres import KEY, TestPlace

HOST = "fu-c2f11-11-01"
IDS = PublicIds(KEY, "production")


def disk_document(number: int, counter: int, **changed: Any) -> dict[str, Any]:
    """A small document whose `disk_used` is a counter of its own."""
    return {
        "_id": f"dqm-diskspace-{HOST}-app{number}",
        "type": "dqm-diskspace",
        "hostname": HOST,
        "tag": "fff_deleter",
        "run": None,
        "pid": 1,
        "disk_used": counter,
        "disk_free": 1,
        "disk_total": 2,
        "extra": {"file_count": 3, "thresholds": {"rename": 60, "delete": 80}},
        **changed,
    }


class Rig:
    """One host with its replication, which can be killed and started again."""

    def __init__(self, place: TestPlace, base_rev: int = 0) -> None:
        self.place = place
        self.store = HostStore(HOST, base_rev)
        self.feed = FakeFeed(self.store, IDS.host(HOST))
        self.config = place.config
        self.counter = 0
        self.start()

    def start(self) -> None:
        self.record = HostRecord(self.place.owner(), self.feed.host_id, takeover_seconds=10)
        reader = DocumentReader(self.feed, IDS, Scrubber([HOST]), lambda: datetime.now(UTC))
        self.history = History(self.record, reader, lambda: self.feed, IDS, self.config)
        self.replication = Replication(self.feed, self.record, reader, self.history, IDS)

    def kill(self) -> None:
        """What a SIGKILL leaves: nothing of the process, and a closed connection."""
        self.record.release()

    def upload(self, *numbers: int) -> None:
        for number in numbers:
            self.counter += 1
            self.store.upload(disk_document(number, self.counter))

    def cycle(self, n_fills: int = 1) -> None:
        assert self.replication.cycle()
        for _ in range(n_fills):
            self.replication.fill()

    def try_cycle(self) -> None:
        """What a worker does: passes over what failed, and over a lock that is not given back yet."""
        with suppress(UpstreamError):
            if self.replication.cycle():
                self.replication.fill()

    def settle(self, *, compare: bool = False) -> None:
        """Cycles until nothing is left to do."""
        if compare:
            self.history.ask_for_comparison()
        quiet = 0
        ends_at = time.monotonic() + 20
        while quiet < 3:
            assert time.monotonic() < ends_at, "replication does not settle"
            if not self.replication.cycle():  # the killed one's lock is given back in a moment
                continue
            more = self.replication.fill()
            is_starting = self.record.cursor.head_rev is None and len(self.store) > 0
            quiet = 0 if more or self.history.is_busy or is_starting else quiet + 1

    def mirrored(self) -> dict[str, int]:
        return dict(self.place.rows("SELECT document_id, used_bytes FROM mirror.host_disks"))

    def upstream(self) -> dict[str, int]:
        listed = [header["_id"] for header in self.store.headers_from(None)]
        return {IDS.document(d["_id"]): d["disk_used"] for d in self.store.documents(listed)}

    def assert_same(self) -> None:
        mirrored = self.mirrored()
        assert {key: mirrored.get(key) for key in self.upstream()} == self.upstream()


@pytest.fixture
def rig(place: TestPlace):
    rig = Rig(place)
    yield rig
    rig.kill()


def test_a_first_start_shows_the_newest_first_and_fills_in_the_rest(rig: Rig):
    rig.upload(*range(1000))
    rig.cycle(n_fills=0)
    newest = {IDS.document(f"dqm-diskspace-{HOST}-app{number}") for number in range(1000 - FIRST_GROUP, 1000)}
    assert set(rig.mirrored()) == newest
    assert rig.record.cursor.tail_rev == 1000 - FIRST_GROUP + 1
    rig.settle()
    rig.assert_same()
    assert (rig.record.cursor.tail_rev, rig.record.cursor.head_rev) == (0, 1000)
    assert rig.feed.n_listings == 1


def test_history_follows_its_listing_at_once_and_waits_for_no_poll(rig: Rig):
    rig.upload(*range(200))
    rig.cycle(n_fills=0)
    while rig.replication.fill():
        pass
    rig.assert_same()


def test_a_host_whose_news_are_all_stored_is_not_said_to_be_behind(rig: Rig):
    rig.upload(1)
    rig.settle()
    rig.upload(2, 3)
    rig.record._recorded_at = None  # a second has passed since it was last written down
    rig.cycle()
    assert rig.place.rows("SELECT n_behind FROM mirror.cursors") == [(0,)]


def test_history_goes_on_where_it_stopped(rig: Rig):
    rig.upload(*range(1000))
    rig.cycle(n_fills=0)
    while (rig.record.cursor.tail_rev or 0) > 500:
        rig.cycle()
    tail = rig.record.cursor.tail_rev or 0
    rig.kill()
    rig.start()
    rig.feed.asked.clear()
    rig.settle()
    rig.assert_same()
    asked = {document_id for ids in rig.feed.asked for document_id in ids}
    assert len(asked) == tail - 1


def test_what_is_updated_while_history_is_filled_in_is_not_lost(rig: Rig):
    rig.upload(*range(600))
    rig.cycle(n_fills=0)
    while rig.record.cursor.tail_rev != 0:
        rig.upload(random.randrange(600), 600 + rig.counter)
        rig.cycle()
    rig.settle()
    rig.assert_same()


def test_an_empty_host_is_no_new_epoch(rig: Rig):
    for _ in range(3):
        rig.cycle()
    assert (rig.record.cursor.epoch, rig.record.cursor.head_rev) == (1, None)
    rig.upload(1)
    rig.settle()
    rig.assert_same()
    assert rig.record.cursor.epoch == 1


def test_f16_a_database_that_was_made_anew_is_a_new_epoch_once_confirmed(rig: Rig):
    rig.upload(*range(50))
    rig.settle()
    rig.store.reset()
    rig.cycle()
    assert rig.record.cursor.epoch == 1, "one empty answer may be a mishap"
    rig.cycle()
    assert rig.record.cursor.epoch == 2
    rig.upload(1, 2, 3)
    rig.settle()
    rig.assert_same()
    assert len(rig.mirrored()) == 50, "what only the former epoch had stays"


def test_f17_a_reset_that_has_grown_past_the_cursor_is_a_new_epoch(rig: Rig):
    rig.upload(*range(20))
    rig.settle()
    rig.store.reset()
    rig.upload(*range(100, 140), *range(20))
    rig.settle()
    rig.assert_same()
    assert rig.record.cursor.epoch == 2


def test_f18_a_revision_that_was_given_out_again_is_noticed(rig: Rig):
    rig.upload(*range(20))
    rig.settle()
    rig.store.drop(rig.store.newest_ids(1))
    rig.upload(77)
    rig.settle()
    rig.assert_same()
    assert rig.record.cursor.epoch == 2


def test_f18_a_head_that_was_dropped_is_noticed_though_newer_ones_follow(rig: Rig):
    rig.upload(*range(20))
    rig.settle()
    gone = rig.store.newest_ids(1)
    rig.upload(50)
    rig.store.drop(gone)
    rig.settle()
    rig.assert_same()
    assert rig.record.cursor.epoch == 2


def test_f17_the_same_history_under_another_sequence_number_is_no_new_epoch(rig: Rig):
    rig.upload(*range(20))
    rig.settle()
    rig.upload(19)
    rig.settle()
    assert rig.record.cursor.epoch == 1
    rig.assert_same()


def test_f19_a_document_stored_below_the_cursor_is_found_by_the_full_comparison(rig: Rig):
    rig.upload(*range(1, 21))
    rig.settle()
    rig.counter += 1
    rig.store.upload(disk_document(99, rig.counter, _rev=5))
    rig.settle()
    assert IDS.document(f"dqm-diskspace-{HOST}-app99") not in rig.mirrored()
    rig.settle(compare=True)
    rig.assert_same()


def test_f19_the_comparison_notices_a_history_that_went_back(rig: Rig):
    rig.upload(*range(1, 21))
    rig.settle()
    # A backup put back: document 7 is older than the mirror's, while the head stands where it stood.
    rig.place.rows(
        f"UPDATE mirror.host_disks SET rev = 15 WHERE document_id = '{IDS.document(f'dqm-diskspace-{HOST}-app7')}'"
    )
    rig.settle(compare=True)
    assert rig.record.cursor.epoch == 2
    rig.assert_same()


def test_f14_a_document_that_is_not_given_goes_to_quarantine_and_is_fetched_by_a_comparison(rig: Rig):
    rig.upload(*range(5))
    rig.settle()
    rig.upload(5, 6)
    missing = f"dqm-diskspace-{HOST}-app5"
    rig.feed.left_out.add(missing)
    rig.cycle(n_fills=0)
    assert rig.place.rows("SELECT document_id, reason FROM mirror.quarantine") == [(IDS.document(missing), "missing")]
    assert rig.record.cursor.relist
    assert IDS.document(f"dqm-diskspace-{HOST}-app6") in rig.mirrored()
    rig.feed.left_out.clear()
    rig.settle(compare=True)
    rig.assert_same()
    assert not rig.record.cursor.relist


def test_f12_what_came_before_a_cut_is_used(rig: Rig):
    rig.upload(1)
    rig.settle()
    rig.upload(*range(2, 42))
    rig.feed.message_size, rig.feed.cut_after = 10, 2
    with pytest.raises(UpstreamError):
        rig.replication.cycle()
    assert len(rig.mirrored()) == 20
    rig.feed.cut_after = None
    rig.settle()
    rig.assert_same()


def test_where_upstream_cannot_list_everything_the_rest_is_a_gap(rig: Rig):
    rig.upload(*range(3000))
    rig.feed.no_full_listing = True
    rig.feed.lowest_listed = 1500
    ends_at = time.monotonic() + 20
    while not rig.place.rows("SELECT 1 FROM mirror.gaps") and time.monotonic() < ends_at:
        rig.cycle()
    [(first, last, reason)] = rig.place.rows("SELECT first_rev, last_rev, reason FROM mirror.gaps")
    tail = rig.record.cursor.tail_rev or 0
    assert (first, last, reason) == (0, tail - 1, "UpstreamMalformed")
    assert 1500 <= tail < 2900
    assert len(rig.mirrored()) == 3000 - tail + 1


def test_a_standby_leaves_the_host_alone(rig: Rig):
    rig.upload(1)
    rig.settle()
    other = Rig(rig.place)
    other.upload(1, 2, 3)
    assert not other.replication.cycle()
    assert len(rig.mirrored()) == 1
    other.kill()


@pytest.mark.parametrize("seed", range(12))
def test_no_history_loses_a_document(place: TestPlace, seed: int):
    dice = random.Random(seed)
    rig = Rig(place, base_rev=dice.choice([0, 8_000_000]))
    for _ in range(60):
        rig.upload(*(dice.randrange(40) for _ in range(dice.randrange(1, 12))))
        match dice.randrange(12):
            case 0:
                rig.store.reset()
            case 1:
                rig.store.drop(rig.store.newest_ids(dice.randrange(1, 4)))
            case 2:
                rig.kill()
                rig.start()
            case 3:
                rig.feed.message_size, rig.feed.cut_after = dice.randrange(1, 5), dice.randrange(1, 4)
            case 4:
                rig.feed.left_out = {f"dqm-diskspace-{HOST}-app{dice.randrange(40)}" for _ in range(3)}
            case 5:
                rig.counter += 1
                rev = dice.randrange(1, rig.store.newest_rev + 1)
                rig.store.upload(disk_document(dice.randrange(40), rig.counter, _rev=rev))
            case _:
                rig.feed.cut_after, rig.feed.left_out = None, set()
        if dice.random() < 0.7:
            rig.try_cycle()
    rig.feed.cut_after, rig.feed.left_out = None, set()
    rig.settle()
    rig.settle(compare=True)
    rig.assert_same()
    rig.kill()
