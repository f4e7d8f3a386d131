import threading
import time
from datetime import timedelta

import pytest

from dqmsquare.errors import StoreUnavailable
from dqmsquare.server.rendered import Rendered
from dqmsquare.server.snapshots import Snapshots
from tests.unit.server.server_fakes import DATABASE_ID, NOW, Cluster


class Maker:
    """Counts how often it is called, and remembers with which event id."""

    def __init__(self, holds_seconds: float | None = None, is_shown: bool = True, body: bytes = b"") -> None:
        self.events: list[str] = []
        self.holds_seconds = holds_seconds
        self.is_shown = is_shown
        self.body = body

    def __call__(self, connection, event):
        self.events.append(event)
        until = None if self.holds_seconds is None else NOW + timedelta(seconds=self.holds_seconds)
        return Rendered(self.body or b"%d" % len(self.events), "text/plain", until, self.is_shown)


@pytest.fixture
def cluster():
    return Cluster()


def test_an_answer_is_made_once_and_names_the_newest_change_before_its_rows(cluster):
    make = Maker()
    first = cluster.snapshots.get("page", make, run=1)
    assert cluster.snapshots.get("page", make, run=1) is first
    assert make.events == [f"{DATABASE_ID}-10"]
    assert (first.body, first.change_id, first.event_id) == (b"1", 10, f"{DATABASE_ID}-10")


@pytest.mark.parametrize(
    ("run", "changed", "n_made"),
    [(1, [1], 2), (1, [2], 1), (None, [2], 2), (1, [None], 2), (1, [2, 1], 2)],
    ids=["its run", "another run", "about no run", "a change of no run", "among others"],
)
def test_an_answer_is_dropped_when_what_it_shows_has_changed(cluster, run, changed, n_made):
    make = Maker()
    cluster.snapshots.get("page", make, run=run)
    cluster.fake.newest = 11
    cluster.snapshots.forget(changed, 11)
    cluster.snapshots.get("page", make, run=run)
    assert len(make.events) == n_made


def test_an_answer_that_already_has_the_change_is_kept(cluster):
    make = Maker()
    cluster.snapshots.get("page", make, run=1)
    cluster.snapshots.forget([1], 10)  # told late: the rows were read at change 10
    cluster.snapshots.get("page", make, run=1)
    assert len(make.events) == 1


def test_a_change_while_an_answer_is_made_makes_it_anew_the_next_time(cluster):
    def make(connection, event):
        cluster.snapshots.forget([1], 11)
        cluster.fake.newest = 11
        return Rendered(event.encode(), "text/plain")

    assert cluster.snapshots.get("page", make, run=1).body == b"5ba1c0de-10"
    assert cluster.snapshots.get("page", make, run=1).body == b"5ba1c0de-11"


@pytest.mark.parametrize("after", [11, f"{DATABASE_ID}-11"])
def test_a_reader_who_knows_of_a_newer_event_gets_an_answer_with_it(cluster, after):
    make = Maker()
    cluster.snapshots.get("page", make, run=1)
    cluster.fake.newest = 11
    assert cluster.snapshots.get("page", make, run=1, after=after).change_id == 11


@pytest.mark.parametrize("after", ["0ther-99", "nonsense", "", f"{DATABASE_ID}-", f"{DATABASE_ID}-9{'9' * 30}", None])
def test_an_event_id_of_elsewhere_is_passed_over(cluster, after):
    make = Maker()
    cluster.snapshots.get("page", make, run=1)
    cluster.snapshots.get("page", make, run=1, after=after)
    assert cluster.fake.n_asked == 1


def test_an_event_that_nobody_announced_costs_a_question_but_no_rendering(cluster):
    make = Maker()
    first = cluster.snapshots.get("page", make, run=1)
    assert cluster.snapshots.get("page", make, run=1, after=10**9) is first
    assert (len(make.events), cluster.fake.n_asked) == (1, 2)


def test_an_answer_is_made_anew_when_the_clock_changes_it(cluster):
    make = Maker(holds_seconds=60)
    cluster.snapshots.get("page", make, run=1)
    cluster.clock.advance(59.9)
    cluster.snapshots.get("page", make, run=1)
    assert len(make.events) == 1
    cluster.clock.advance(0.1)
    cluster.snapshots.get("page", make, run=1)
    assert len(make.events) == 2


def test_runs_that_the_clock_changed_are_told_once(cluster):
    cluster.snapshots.get("page", Maker(holds_seconds=60), run=1)
    cluster.snapshots.get("other", Maker(holds_seconds=90), run=None)
    cluster.snapshots.get("for programs", Maker(holds_seconds=60, is_shown=False), run=3)
    assert cluster.snapshots.expire() == set()
    cluster.clock.advance(60)
    assert [cluster.snapshots.expire(), cluster.snapshots.expire()] == [{1}, set()]
    cluster.clock.advance(30)
    assert cluster.snapshots.expire() == {None}


def test_an_answer_that_is_wrong_at_once_still_holds_for_a_second(cluster):
    make = Maker(holds_seconds=-5)  # the database's clock is behind ours
    cluster.snapshots.get("page", make, run=1)
    cluster.snapshots.get("page", make, run=1)
    assert (len(make.events), cluster.snapshots.expire()) == (1, set())
    cluster.clock.advance(1)
    assert cluster.snapshots.expire() == {1}


def test_f50_many_readers_of_one_page_have_it_made_once(cluster):
    begun, go_on = threading.Event(), threading.Event()

    def make(connection, event):
        begun.set()
        go_on.wait(5)
        return Rendered(b"page", "text/plain")

    bodies = []
    readers = [
        threading.Thread(target=lambda: bodies.append(cluster.snapshots.get("page", make, run=1).body))
        for _ in range(20)
    ]
    for reader in readers:
        reader.start()
    assert begun.wait(5)
    go_on.set()
    for reader in readers:
        reader.join(5)
    assert (bodies, cluster.fake.n_asked) == ([b"page"] * 20, 1)


def test_who_waits_for_an_answer_that_is_too_old_makes_a_newer_one(cluster):
    begun, go_on = threading.Event(), threading.Event()

    def slow(connection, event):
        begun.set()
        go_on.wait(5)
        return Rendered(b"old", "text/plain")

    reader = threading.Thread(target=cluster.snapshots.get, args=("page", slow), kwargs={"run": 1})
    reader.start()
    assert begun.wait(5)
    cluster.fake.newest = 11
    found = []
    follower = threading.Thread(
        target=lambda: found.append(cluster.snapshots.get("page", Maker(body=b"new"), run=1, after=11).body)
    )
    follower.start()
    time.sleep(0.02)  # lets it wait for the slow one
    go_on.set()
    reader.join(5)
    follower.join(5)
    assert found == [b"new"]


def test_a_page_that_cannot_be_made_is_not_kept_and_can_be_asked_for_again(cluster):
    def fails(connection, event):
        raise ValueError("a fault in a page")

    for _ in range(2):
        with pytest.raises(ValueError, match="a fault in a page"):
            cluster.snapshots.get("page", fails, run=1)
    assert cluster.snapshots.get("page", Maker(), run=1).body == b"1"


def test_what_is_not_there_takes_no_place_and_crowds_out_no_answer(cluster):
    make = Maker()
    cluster.snapshots.get("page", make, run=1)

    def fails(connection, event):
        raise KeyError("no such job")

    for number in range(1_100):
        with pytest.raises(KeyError):
            cluster.snapshots.get(f"made up {number}", fails, run=None)
    cluster.snapshots.get("another page", make, run=1)
    cluster.snapshots.get("page", make, run=1)
    assert len(make.events) == 2
    assert len(cluster.snapshots._entries) == 2


def test_without_a_database_the_last_answer_is_served_and_says_since_when(cluster):
    make = Maker()
    cluster.snapshots.get("page", make, run=1)
    cluster.snapshots.forget([1], 11)
    cluster.fake.is_gone = True
    cluster.clock.advance(5)
    gone_since = cluster.clock.now
    assert cluster.snapshots.get("page", make, run=1).stale_since == gone_since
    cluster.clock.advance(5)
    last = cluster.snapshots.get("page", make, run=1)
    assert (last.body, last.stale_since) == (b"1", gone_since)
    cluster.fake.is_gone = False
    cluster.clock.advance(5)
    assert cluster.snapshots.get("page", make, run=1).stale_since is None
    assert cluster.database.gone_since is None


def test_without_a_database_and_an_earlier_answer_it_says_so(cluster):
    cluster.fake.is_gone = True
    with pytest.raises(StoreUnavailable):
        cluster.snapshots.get("page", Maker(), run=1)


def test_an_answer_that_nothing_speaks_against_is_not_shown_as_of_now_without_a_database(cluster):
    make = Maker()
    cluster.snapshots.get("page", make, run=1)
    cluster.fake.is_gone = True
    with pytest.raises(StoreUnavailable):
        cluster.snapshots.get("another", make, run=1)
    assert cluster.snapshots.get("page", make, run=1).stale_since is None  # it may be a blip
    cluster.clock.advance(2)
    assert cluster.snapshots.get("page", make, run=1).stale_since == NOW
    cluster.fake.is_gone = False
    cluster.clock.advance(1)
    assert cluster.snapshots.get("page", make, run=1).stale_since is None
    assert len(make.events) == 1


def test_a_database_that_is_gone_is_asked_once_a_second(cluster):
    cluster.fake.is_gone = True
    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            cluster.snapshots.get("page", Maker(), run=1)
    assert cluster.fake.n_asked == 1
    cluster.clock.advance(1)
    with pytest.raises(StoreUnavailable):
        cluster.snapshots.get("page", Maker(), run=1)
    assert cluster.fake.n_asked == 2


def test_after_a_break_nothing_counts_as_good_but_is_still_there_for_the_next_break(cluster):
    make = Maker()
    cluster.snapshots.get("page", make, run=1)
    cluster.snapshots.clear()
    cluster.fake.newest = 3  # restored from an older copy
    assert cluster.snapshots.get("page", make, run=1).change_id == 3
    cluster.snapshots.clear()
    cluster.fake.is_gone = True
    assert cluster.snapshots.get("page", make, run=1).body == b"2"


def test_what_was_made_across_a_break_is_not_kept(cluster):
    def make(connection, event):
        cluster.snapshots.clear()
        return Rendered(b"from before", "text/plain")

    cluster.snapshots.get("page", make, run=1)
    assert cluster.snapshots.get("page", Maker(), run=1).body == b"1"


def test_kept_answers_have_a_bound_and_the_oldest_go_first(cluster):
    snapshots = Snapshots(cluster.database, cluster.clock, position=cluster.fake.position, max_bytes=50_000)
    makers = {name: Maker(body=b"x" * 9_000) for name in "abcdef"}
    for name in "ab":
        snapshots.get(name, makers[name], run=1)
    snapshots.get("a", makers["a"], run=1)
    snapshots.get("c", makers["c"], run=1)  # b is the one that was not used for longest
    for name in "ab":
        snapshots.get(name, makers[name], run=1)
    assert {name: len(makers[name].events) for name in "abc"} == {"a": 1, "b": 2, "c": 1}


def test_an_answer_larger_than_the_bound_is_served_all_the_same(cluster):
    snapshots = Snapshots(cluster.database, cluster.clock, position=cluster.fake.position, max_bytes=1_000)
    assert len(snapshots.get("all", Maker(body=b"x" * 9_000), run=None).body) == 9_000


def test_compressed_forms_are_those_of_the_body(cluster):
    import gzip

    import zstandard

    snapshot = cluster.snapshots.get("page", Maker(body=b"text " * 500), run=1)
    assert gzip.decompress(snapshot.gzip) == zstandard.decompress(snapshot.zstd) == snapshot.body
    assert len(snapshot.gzip) < 100 > len(snapshot.zstd)


def test_a_question_that_fails_does_not_count_as_a_database_that_is_gone(cluster):
    def too_slow(connection, event):
        raise StoreUnavailable("the statement took too long")

    with pytest.raises(StoreUnavailable):
        cluster.snapshots.get("page", too_slow, run=1)
    assert cluster.database.gone_since is None
    assert cluster.snapshots.get("another", Maker(), run=1).body == b"1"


def test_while_one_reader_tries_a_database_that_hangs_the_others_do_not_wait(cluster):
    cluster.fake.is_gone = True
    with pytest.raises(StoreUnavailable), cluster.database.reading():
        pass
    cluster.clock.advance(1)
    hangs, go_on = threading.Event(), threading.Event()

    def answer_late():
        hangs.set()
        go_on.wait(5)

    cluster.fake.before = answer_late

    def try_it():
        with pytest.raises(StoreUnavailable), cluster.database.reading():
            pass

    trying = threading.Thread(target=try_it)
    trying.start()
    assert hangs.wait(5)
    with pytest.raises(StoreUnavailable), cluster.database.reading():
        pass
    go_on.set()
    trying.join(5)
    assert cluster.fake.n_asked == 2
