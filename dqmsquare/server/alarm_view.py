"""Alarms as the pages and the events show them."""

from dataclasses import dataclass

from dqmsquare.alarm_names import TITLES, Rule, alarm_path
from dqmsquare.storage.alarm_queries import AlarmRow

_ICONS = {  # of the sprite; any other rule has the triangle
    Rule.JOB_CRASHED: "crashed",
    Rule.JOB_FAILED: "failed",
    Rule.CLIENT_MISSING: "missing",
    Rule.HOST_DOWN: "down",
}


@dataclass(frozen=True, slots=True)
class AlarmLine:
    """An alarm in the list. `path` is where its subject is shown, below the prefix."""

    alarm: AlarmRow
    title: str
    path: str

    @property
    def icon(self) -> str:
        """The shape that goes with the title."""
        return next((icon for rule, icon in _ICONS.items() if rule == self.alarm.rule), "stuck")

    @property
    def stands(self) -> bool:
        """Whether it is not over yet."""
        return self.alarm.resolved_at is None


def alarm_line(alarm: AlarmRow, cluster: str) -> AlarmLine:
    """The alarm with its title and its place; a rule that this program does not know shows by its name."""
    title = TITLES[Rule(alarm.rule)] if alarm.rule in set(Rule) else alarm.rule
    path = alarm_path(cluster=cluster, job_id=alarm.job_id, run=alarm.run, host_id=alarm.host_id)
    return AlarmLine(alarm, title, path)


def alarm_data(alarm: AlarmRow, cluster: str) -> dict[str, object]:
    """The same for an event's data."""
    line = alarm_line(alarm, cluster)
    return {
        "key": alarm.alarm_key,
        "rule": alarm.rule,
        "title": line.title,
        "words": alarm.words,
        "path": line.path,
        "raised_at": alarm.raised_at,
        "resolved_at": alarm.resolved_at,
    }
