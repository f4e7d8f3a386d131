"""How the push tells alarms: the event has all that a hidden tab needs."""

import pytest

from dqmsquare.server.events import Announcements
from dqmsquare.server.rendered import Rendered
from dqmsquare.storage.alarm_queries import AlarmRow
from dqmsquare.storage.rows import Change
from tests.unit.server.server_fakes import DATABASE_ID, NOW, Cluster, blank, standing
from tests.unit.server.test_live import taken


def an_alarm(key: str) -> AlarmRow:
    return blank(
        AlarmRow, alarm_key=key, rule="JobCrashed", words="beam crashed", job_id="job1", run=400, raised_at=NOW
    )


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster(standing=standing(newest=400, recent_from=381, running=3))
    monkeypatch.setattr(made.log, "alarms", lambda keys: [an_alarm(key) for key in keys])
    made.hub.read_ages()
    return made


def test_alarms_of_a_moment_are_told_together_with_their_words(cluster: Cluster):
    stream = cluster.hub.open(None)
    cluster.hub.on_changes([Change(11, "alarm", None, "k1"), Change(12, "alarm", None, "k2")])
    cluster.hub.announce()
    [(name, event_id, data)] = taken(stream)
    assert (name, event_id) == ("change", f"{DATABASE_ID}-12")
    assert (data["kind"], data["run"], data["newest"], data["after"]) == ("alarm", None, 400, f"{DATABASE_ID}-12")
    assert [alarm["key"] for alarm in data["alarms"]] == ["k1", "k2"]
    assert data["alarms"][0] == {
        "key": "k1",
        "rule": "JobCrashed",
        "title": "Job crashed",
        "words": "beam crashed",
        "path": "/jobs/job1?db=production",
        "raised_at": "2026-05-01T12:00:00+00:00",
        "resolved_at": None,
    }


def test_an_alarm_leaves_the_pages_of_runs_as_they_are(cluster: Cluster):

    def make(connection, event):
        return Rendered(event.encode(), "text/html")

    cluster.snapshots.get("live", make, run=400)
    cluster.snapshots.get("alarms", make, run=None)
    cluster.hub.on_changes([Change(11, "run", 400)])  # from now on the newest run is known
    cluster.fake.newest = 12
    assert cluster.snapshots.get("live", make, run=400).change_id == 12
    cluster.fake.newest = 13
    cluster.hub.on_changes([Change(13, "alarm", None, "k1")])
    assert cluster.snapshots.get("live", make, run=400).change_id == 12
    assert cluster.snapshots.get("alarms", make, run=None).change_id == 13


def test_of_very_many_alarms_the_newest_are_named():
    announcements = Announcements()
    announcements.add([Change(n, "alarm", None, f"k{n}") for n in range(1, 51)], recent_from=None)
    [told] = announcements.take(0)
    assert told.alarms == tuple(f"k{n}" for n in range(31, 51))
    announcements.add([Change(51, "run", 400)], recent_from=None)
    assert [one.alarms for one in announcements.take(10)] == [()]
