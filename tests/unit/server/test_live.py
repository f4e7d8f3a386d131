import json

import pytest

from dqmsquare.errors import StoreUnavailable
from dqmsquare.server.change_log import Missed
from dqmsquare.server.events import Announcement, Announcements, beat_event, change_event, reload_event
from dqmsquare.server.rendered import Rendered
from dqmsquare.server.streams import Stream, StreamPlaces, StreamRefused
from dqmsquare.storage.rows import Change
from tests.unit.server.server_fakes import DATABASE_ID, Cluster, standing


def run_change(change_id, run):
    return Change(change_id, "run", run)


def taken(stream):
    """What the stream has to send now, parsed: (event, id, data) of each."""
    stream.put(b"event: mark\ndata: 0\n\n", None)
    blocks = next(stream).decode().split("\n\n")
    events = []
    for block in blocks:
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if fields.get("event") not in {None, "mark"}:
            events.append((fields["event"], fields.get("id"), json.loads(fields["data"])))
    return events


@pytest.fixture
def cluster():
    made = Cluster(standing=standing(newest=400, recent_from=381, running=3, crashed=1))
    made.hub.read_ages()
    return made


def test_a_stream_begins_with_how_soon_to_come_back():
    assert next(Stream(lambda stream: None)) == b"retry: 2000\n\n"


def test_an_event_on_the_wire():
    event = change_event(Announcement("run", 400, 12, 11), DATABASE_ID, newest=400, counts={"crashed": 2})
    assert event == (
        b"id: 5ba1c0de-11\nevent: change\n"
        b'data: {"run":400,"kind":"run","counts":{"crashed":2},"newest":400,"after":"5ba1c0de-12"}\n\n'
    )
    assert reload_event() == b"event: reload\ndata: {}\n\n"
    assert beat_event({"a": 0.26, "b": None, "c": -0.1}, None, 1234.5678) == (
        b'event: beat\ndata: {"hosts":{"a":0.3,"b":null,"c":0.0},"behind":0.3,"unavailable_since":null,"now":1234.568}\n\n'
    )


def test_a_change_is_told_at_once_with_the_counts_of_the_newest_run(cluster):
    stream = cluster.hub.open(None)
    cluster.hub.on_changes([run_change(11, 399)])
    cluster.hub.announce()
    data = {
        "run": 399,
        "kind": "run",
        "counts": {"running": 3, "crashed": 1},
        "newest": 400,
        "after": f"{DATABASE_ID}-11",
    }
    assert taken(stream) == [("change", f"{DATABASE_ID}-11", data)]


def test_a_run_is_told_at_most_every_quarter_of_a_second(cluster):
    stream = cluster.hub.open(None)
    told = []
    for change_id in range(11, 111):  # a change every 10 ms
        cluster.hub.on_changes([run_change(change_id, 400)])
        cluster.hub.announce()
        told += [event_id for _, event_id, _ in taken(stream)]
        cluster.clock.advance(0.01)
    assert len(told) == 4
    cluster.clock.advance(0.25)
    cluster.hub.announce()
    assert taken(stream)[-1][1] == f"{DATABASE_ID}-110"


def test_the_changes_of_a_moment_are_told_in_the_order_of_their_ids(cluster):
    stream = cluster.hub.open(None)
    cluster.hub.on_changes([run_change(11, 400), Change(12, "host", None), run_change(13, 399), run_change(14, 400)])
    cluster.hub.announce()
    assert [(data["kind"], data["run"], event_id[-2:]) for _, event_id, data in taken(stream)] == [
        ("host", None, "12"),
        ("run", 399, "13"),
        ("run", 400, "14"),
    ]


def test_old_runs_are_told_together_at_most_once_a_second(cluster):
    stream = cluster.hub.open(None)
    told = []
    for change_id in range(11, 41):  # an import, ten runs a second
        cluster.hub.on_changes([run_change(change_id, change_id)])
        cluster.hub.announce()
        told += [data["runs"] for _, _, data in taken(stream)]
        cluster.clock.advance(0.1)
    assert told == [[11], list(range(12, 22)), list(range(22, 32))]


def test_more_old_runs_than_anybody_wants_to_read_are_not_named():
    announcements = Announcements()
    announcements.add([run_change(number, number) for number in range(1, 200)], recent_from=300)
    event = change_event(announcements.take(0)[0], DATABASE_ID, newest=None, counts={})
    assert b'"run":null' in event
    assert b'"runs":null' in event


def test_who_comes_back_while_an_old_run_waits_is_told_of_it_again():
    announcements = Announcements()
    announcements.add([run_change(11, 5)], recent_from=300)
    announcements.take(0)
    announcements.add([run_change(12, 5), run_change(13, 400)], recent_from=300)
    assert announcements.take(0.5) == [Announcement("run", 400, change_id=13, resume_id=11)]
    assert announcements.take(1.0) == [Announcement("run", None, change_id=12, resume_id=12, old_runs=(5,))]


def test_nothing_is_waited_for_longer_than_until_it_is_due():
    announcements = Announcements()
    assert announcements.wait_seconds(100, 5) == 5
    announcements.add([run_change(1, 400)], recent_from=300)
    assert announcements.wait_seconds(100, 5) == 0
    announcements.take(100)
    announcements.add([run_change(2, 400), run_change(3, 5)], recent_from=300)
    assert announcements.wait_seconds(100, 5) == 0
    announcements.take(100)
    assert announcements.wait_seconds(100, 5) == 0.25


def test_a_page_that_the_clock_made_wrong_is_told_without_an_id(cluster):
    def quiet_in_a_minute(connection, event):
        return Rendered(b"page", "text/html", cluster.clock.now.replace(minute=1))

    cluster.snapshots.get("live", quiet_in_a_minute, run=400)
    stream = cluster.hub.open(None)
    cluster.clock.advance(60)
    cluster.hub.announce()
    data = {"run": 400, "kind": "run", "counts": {"running": 3, "crashed": 1}, "newest": 400}
    assert taken(stream) == [("change", None, data)]


def test_a_new_run_drops_all_pages_and_tells_those_of_the_run_before(cluster):
    def make(connection, event):
        return Rendered(event.encode(), "text/html")

    cluster.snapshots.get("the run before", make, run=400)
    stream = cluster.hub.open(None)
    cluster.fake.newest = 11
    cluster.hub.on_changes([run_change(11, 401)])
    cluster.hub.announce()
    assert [(data["run"], event_id) for _, event_id, data in taken(stream)] == [(400, None), (401, f"{DATABASE_ID}-11")]
    assert cluster.snapshots.get("the run before", make, run=400).change_id == 11


def test_snapshots_are_dropped_before_anybody_is_told(cluster):
    def make(connection, event):
        return Rendered(event.encode(), "text/html")

    cluster.snapshots.get("live", make, run=400)
    cluster.fake.newest = 11
    cluster.hub.on_changes([run_change(11, 400)])
    assert cluster.snapshots.get("live", make, run=400).body == b"5ba1c0de-11"


def test_a_page_is_told_what_it_missed_before_what_is_new(cluster):
    cluster.log.missed = Missed(DATABASE_ID, 13, [run_change(11, 399), run_change(12, 400), run_change(13, 400)])
    stream = cluster.hub.open(f"{DATABASE_ID}-10")
    cluster.hub.on_changes([run_change(13, 400), run_change(14, 400)])
    cluster.hub.announce()
    assert [event_id for _, event_id, _ in taken(stream)] == [f"{DATABASE_ID}-{n}" for n in (11, 13, 14)]


def test_what_was_caught_up_with_is_not_told_again(cluster):
    cluster.log.missed = Missed(DATABASE_ID, 13, [run_change(13, 400)])
    stream = cluster.hub.open(f"{DATABASE_ID}-10")
    cluster.hub.on_changes([run_change(13, 400)])
    cluster.hub.announce()
    assert [event_id for _, event_id, _ in taken(stream)] == [f"{DATABASE_ID}-13"]


def test_a_page_that_has_seen_everything_is_told_nothing(cluster):
    assert taken(cluster.hub.open(f"{DATABASE_ID}-10")) == []


def test_a_page_of_another_time_or_database_loads_everything_anew(cluster):
    cluster.log.missed = Missed(DATABASE_ID, 10, None)
    assert taken(cluster.hub.open("0ther-10")) == [("reload", f"{DATABASE_ID}-10", {})]


def test_a_page_that_missed_very_much_loads_everything_anew(cluster):
    changes = [run_change(number, 381 + number) for number in range(11, 211)]
    cluster.log.missed = Missed(DATABASE_ID, 210, changes)
    assert taken(cluster.hub.open(f"{DATABASE_ID}-10")) == [("reload", f"{DATABASE_ID}-210", {})]


def test_an_import_has_the_pages_load_everything_anew(cluster):
    stream = cluster.hub.open(None)
    cluster.hub.on_changes([Change(11, "reload", None)])
    cluster.hub.announce()
    assert taken(stream) == [("reload", f"{DATABASE_ID}-11", {})]


def test_after_a_break_of_the_database_the_pages_load_everything_anew(cluster):
    stream = cluster.hub.open(None)
    cluster.hub.on_state(True)  # changes before it began to listen are not known
    assert taken(stream) == [("reload", None, {})]
    cluster.hub.on_state(True)
    assert taken(stream) == []
    cluster.hub.on_state(False)
    cluster.hub.on_state(True)
    assert taken(stream) == [("reload", None, {})]


def test_a_beat_tells_how_old_each_poll_is_and_goes_on_ageing_without_a_database(cluster):
    stream = cluster.hub.open(None)
    cluster.log.ages = {"host0000000000001": 0.4, "host0000000000002": 720.0, "host0000000000003": None}
    cluster.hub.read_ages()
    cluster.hub.beat()
    cluster.fake.is_gone = True
    cluster.clock.advance(5)
    with pytest.raises(StoreUnavailable), cluster.database.reading():
        pass
    cluster.hub.beat()
    hosts = ["host0000000000001", "host0000000000002", "host0000000000003"]
    now, later = [data for _, _, data in taken(stream)]
    assert now == {
        "hosts": dict(zip(hosts, [0.4, 720.0, None], strict=True)),
        "behind": 720.0,
        "unavailable_since": None,
        "now": now["now"],
    }
    assert later == {
        "hosts": dict(zip(hosts, [5.4, 725.0, None], strict=True)),
        "behind": 725.0,
        "unavailable_since": "2026-05-01T12:00:05+00:00",
        "now": later["now"],
    }


def test_a_new_stream_begins_with_a_beat_once_the_ages_are_known(cluster):
    assert taken(cluster.hub.open(None)) == []
    cluster.log.ages = {"host0000000000001": 0.4}
    cluster.hub.read_ages()
    [(event, _, data)] = taken(cluster.hub.open(None))
    assert (event, data["hosts"]) == ("beat", {"host0000000000001": 0.4})


def test_a_page_that_does_not_keep_up_is_ended(cluster):
    stream, other = cluster.hub.open(None), cluster.hub.open(None)
    next(other)
    for _ in range(101):
        cluster.hub.beat()
        next(other)
    with pytest.raises(StopIteration):
        next(stream)
    assert (cluster.hub.n_streams, cluster.places.n_open) == (1, 1)


def test_places_for_streams_are_counted_over_both_clusters_and_given_back():
    places = StreamPlaces(2)
    production, playback = Cluster(places=places), Cluster(places=places)
    first = production.hub.open(None)
    playback.hub.open(None)
    for cluster in (production, playback):
        with pytest.raises(StreamRefused):
            cluster.hub.open(None)
    first.close()
    first.close()  # by the server, and again by the iteration's end
    assert places.n_open == 1
    production.hub.open(None)


def test_a_stream_that_cannot_begin_gives_its_place_back(cluster, monkeypatch):
    def gone(event):
        raise StoreUnavailable("gone")

    monkeypatch.setattr(cluster.log, "missed_after", gone)
    with pytest.raises(StoreUnavailable):
        cluster.hub.open(f"{DATABASE_ID}-10")
    assert (cluster.hub.n_streams, cluster.places.n_open) == (0, 0)


def test_when_the_process_ends_all_streams_end_and_no_new_one_begins(cluster):
    streams = [cluster.hub.open(None) for _ in range(3)]
    cluster.hub.stop()
    for stream in streams:
        assert list(stream) == [b"retry: 2000\n\n"]
    assert cluster.places.n_open == 0
    with pytest.raises(StreamRefused):
        cluster.hub.open(None)
    assert cluster.places.n_open == 0


def test_without_streams_nothing_is_made_for_them(cluster):
    n_asked = cluster.fake.n_asked
    cluster.hub.on_changes([run_change(11, 400)])
    cluster.hub.announce()
    assert cluster.fake.n_asked == n_asked
