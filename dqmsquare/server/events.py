"""What the open pages are told, and when: changes gathered into few events, and how these look on the wire."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from dqmsquare.server.rendered import EventId, event_id
from dqmsquare.storage.rows import Change

FIRST_LINE = b"retry: 2000\n\n"

_BATCH_SECONDS = 0.25  # between two events about the same run
_OLD_SECONDS = 1.0  # between two events about old runs
_OLD_RUNS_NAMED_MAX = 100
_ALARMS_NAMED_MAX = 20


@dataclass(frozen=True, slots=True)
class Announcement:
    """One event. `change_id`: the newest change in it, None where only the clock changed something.

    `resume_id`: a reader that has this event and all before it has missed nothing up to here. `old_runs`: where one
    event stands for several runs, `run` is None. `alarms`: keys of those that were raised or resolved.
    """

    kind: str
    run: int | None
    change_id: int | None = None
    resume_id: int | None = None
    old_runs: tuple[int, ...] = ()
    alarms: tuple[str, ...] = ()


class Announcements:
    """Gathers what is to be told. Not safe for threads, knows no clock: times are seconds of any steady one."""

    def __init__(self) -> None:
        self._recent: dict[tuple[str, int | None], int | None] = {}
        self._alarms: dict[str, None] = {}  # keys, the one that changed last at the end
        self._old: set[int] = set()
        self._old_first_id = self._old_last_id = 0
        self._batch_at = self._old_at = float("-inf")

    def add(self, changes: Iterable[Change], *, recent_from: int | None) -> None:
        """Changes in the order of their ids; runs below `recent_from` are old."""
        for change in changes:
            if change.alarm_key is not None:
                self._alarms.pop(change.alarm_key, None)
                self._alarms[change.alarm_key] = None
            if change.kind == "run" and change.run is not None and recent_from is not None and change.run < recent_from:
                self._old_first_id = self._old_first_id if self._old else change.change_id
                self._old_last_id = change.change_id
                self._old.add(change.run)
            else:
                self._recent[change.kind, change.run] = change.change_id

    def add_runs(self, runs: Iterable[int | None]) -> None:
        """Runs in which something changed by the clock, or by what happened to another run."""
        for run in runs:
            self._recent.setdefault(("run", run), None)

    def wait_seconds(self, now: float, longest: float) -> float:
        """How long nothing is due, at most `longest`."""
        due = [now + longest]
        due += [self._batch_at + _BATCH_SECONDS] if self._recent else []
        due += [self._old_at + _OLD_SECONDS] if self._old else []
        return max(0.0, min(due) - now)

    def take(self, now: float) -> list[Announcement]:
        """What is due, in the order of ids."""
        due = []
        if self._old and now >= self._old_at + _OLD_SECONDS:
            due.append(Announcement("run", None, self._old_last_id, self._old_last_id, tuple(sorted(self._old))))
            self._old.clear()
            self._old_at = now
        if self._recent and now >= self._batch_at + _BATCH_SECONDS:
            due += [self._announcement(kind, run, change_id) for (kind, run), change_id in self._recent.items()]
            self._recent.clear()
            self._alarms.clear()
            self._batch_at = now
        return sorted(due, key=lambda announcement: announcement.change_id or 0)

    def _announcement(self, kind: str, run: int | None, change_id: int | None) -> Announcement:
        # Old runs wait longer: who comes back after this event must still be told of them.
        resume_id = min(change_id, self._old_first_id - 1) if self._old and change_id is not None else change_id
        alarms = tuple(self._alarms)[-_ALARMS_NAMED_MAX:] if kind == "alarm" else ()
        return Announcement(kind, run, change_id, resume_id, alarms=alarms)


def change_event(
    announcement: Announcement,
    database_id: str,
    *,
    newest: int | None,
    counts: Mapping[str, int],
    alarms: Sequence[Mapping[str, object]] = (),
) -> bytes:
    """`id` is where to go on after a break; `after` in the data is what a page that fetches now must have seen.

    An event of the kind alarm has them in its data, so that a hidden tab can sound without fetching: a list `alarms`
    of objects with key, rule, title, words, path (below the prefix), raised_at and resolved_at (null: it stands).
    """
    data: dict[str, Any] = {"run": announcement.run, "kind": announcement.kind, "counts": counts, "newest": newest}
    if announcement.old_runs:
        named = len(announcement.old_runs) <= _OLD_RUNS_NAMED_MAX
        data["runs"] = announcement.old_runs if named else None
    if announcement.kind == "alarm":
        data["alarms"] = alarms
    if announcement.change_id is not None:
        data["after"] = event_id(database_id, announcement.change_id)
    resume = event_id(database_id, announcement.resume_id) if announcement.resume_id is not None else None
    return _event("change", data, resume)


def reload_event(resume: EventId | None = None) -> bytes:
    """Tells a page that it may have missed something: it fetches everything anew."""
    return _event("reload", {}, resume)


def beat_event(ages: Mapping[str, float | None], unavailable_since: str | None, now: float) -> bytes:
    """`ages`: host id to seconds since its last successful poll; `behind` is the worst that is known.

    `now`: s since 1970, for browsers whose own clock is wrong.
    """
    rounded = {host: None if age is None else round(max(age, 0.0), 1) for host, age in ages.items()}
    known = [age for age in rounded.values() if age is not None]
    behind = max(known) if known else None
    data = {"hosts": rounded, "behind": behind, "unavailable_since": unavailable_since, "now": round(now, 3)}
    return _event("beat", data, None)


def _event(name: str, data: Mapping[str, Any], resume: EventId | None) -> bytes:
    head = f"id: {resume}\n" if resume is not None else ""
    return f"{head}event: {name}\ndata: ".encode() + orjson.dumps(data) + b"\n\n"
