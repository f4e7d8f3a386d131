from datetime import UTC, datetime, timedelta

from dqmsquare.server.alarm_view import alarm_data, alarm_line
from dqmsquare.server.alarm_watch import hosts_behind
from dqmsquare.storage.alarm_queries import AlarmRow
from dqmsquare.storage.rows import HostRow
from tests.unit.server.server_fakes import blank

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


def host(name: str, age_seconds: float | None, **changed) -> HostRow:
    polled_at = None if age_seconds is None else NOW - timedelta(seconds=age_seconds)
    return blank(HostRow, host_id=name, label=f"label of {name}", is_configured=True, polled_at=polled_at, **changed)


def behind(*hosts: HostRow) -> list[str]:
    return [alarm.key("production") for alarm in hosts_behind(hosts, NOW, 60)]


def test_a_host_that_was_not_polled_for_a_minute_is_behind():
    [alarm] = hosts_behind([host("a", 61), host("b", 60), host("c", 1)], NOW, 60)
    assert alarm.key("production") == "production/MirrorBehind/a/1777636739000"
    assert alarm.words == "label of a has not been polled since 11:58:59 UTC"
    assert alarm.host_id == "a"


def test_where_no_host_is_polled_there_is_one_alarm_that_keeps_its_key():
    expected = ["production/MirrorBehind/all/1777636739000"]
    assert behind(host("a", 61), host("b", 65)) == expected
    [alarm] = hosts_behind([host("a", 61), host("b", 65)], NOW + timedelta(minutes=3), 60)
    assert alarm.key("production") == expected[0]
    assert alarm.words.startswith("No host has been polled since 11:58:59 UTC")
    assert behind(host("only", 61)) == expected


def test_while_all_hosts_are_falling_silent_it_waits_for_the_last():
    assert behind(host("a", 61), host("b", 59)) == []
    assert behind(host("a", 61), host("b", 16)) == []
    assert behind(host("a", 61), host("b", 15)) == ["production/MirrorBehind/a/1777636739000"]


def test_hosts_that_are_down_never_polled_or_not_ours_do_not_count():
    others = [
        host("down", 600, is_up=False),
        host("new", None),
        blank(HostRow, host_id="theirs", is_configured=False, polled_at=NOW - timedelta(days=1)),
    ]
    assert behind(host("a", 1), *others) == []
    assert behind(host("a", 61), *others) == ["production/MirrorBehind/all/1777636739000"]
    assert behind(*others) == []
    assert behind() == []


def test_an_alarm_as_an_event_tells_it():
    alarm = AlarmRow(
        alarm_key="production/HostDown/abc/1",
        rule="HostDown",
        subject="abc",
        words="fu..02 is down",
        run=None,
        job_id=None,
        host_id="abc",
        raised_at=NOW,
        resolved_at=None,
    )
    assert alarm_data(alarm, "production") == {
        "key": "production/HostDown/abc/1",
        "rule": "HostDown",
        "title": "Host down",
        "words": "fu..02 is down",
        "path": "/?db=production#host-abc",
        "raised_at": NOW,
        "resolved_at": None,
    }


def test_a_rule_of_a_newer_program_shows_by_its_name():
    alarm = blank(AlarmRow, alarm_key="k", rule="SomethingNew", run=398220, words="w")
    line = alarm_line(alarm, "playback")
    assert (line.title, line.icon, line.path, line.stands) == (
        "SomethingNew",
        "stuck",
        "/?run=398220&db=playback",
        True,
    )
