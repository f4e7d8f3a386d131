"""What was done and tried: the list with its filter, an action by itself, and the list as CSV."""

import csv
import io
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

import bottle

from dqmsquare.config import CLUSTERS
from dqmsquare.errors import CommandRefused
from dqmsquare.server.control_room import views
from dqmsquare.server.control_room.commands import COMMANDS, Who
from dqmsquare.server.control_room.door import DOOR_WORDS
from dqmsquare.server.control_room.guarded import Guarded
from dqmsquare.server.control_room.replies import CSV, HTML, respond
from dqmsquare.server.control_room.room import ControlRoom
from dqmsquare.server.control_room.visitor import Visitor
from dqmsquare.server.formats import GENEVA, iso
from dqmsquare.server.frames import render
from dqmsquare.server.site import Site
from dqmsquare.storage.control_room_audit import ACTIONS_MAX, ActionFilter, find_actions

RESULTS = ("sent", "done", "unknown", "failed", "rejected")
_SHOWN = 100
_ACTION = re.compile(r"[0-9a-f]{16}", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,18}", re.ASCII)
_WORD_MAX = 64
_FILTERS = ("account", "command", "result", "cluster", "machine", "from", "to", "all")
_COLUMNS = (
    "at", "action", "account", "login", "address", "command", "with", "machine", "cluster", "result", "detail",
    "seconds",
)  # fmt: skip


class ActivityPages:
    """Routes of the activity."""

    def __init__(self, site: Site, room: ControlRoom) -> None:
        self._site = site
        self._room = room

    def add(self, guarded: Guarded) -> None:
        """Adds the routes."""
        guarded.page("/cr/activity/", self._list)
        guarded.get("/cr/activity.csv", self._csv)
        guarded.page("/cr/activity/<action_id>", self._one)

    def _list(self, visitor: Visitor) -> bottle.HTTPResponse:
        given, wanted = self._wanted()
        rows, last = self._read(wanted, _SHOWN + 1)
        older = last[_SHOWN - 1] if len(rows) > _SHOWN else None
        return self._rendered(
            "activity.html",
            "/cr/activity/",
            visitor,
            actions=rows[:_SHOWN],
            given={**dict.fromkeys(_FILTERS, ""), **given},
            older=self._site.url("/cr/activity/", **given, before=older) if older else None,
            csv=self._site.url("/cr/activity.csv", **given),
            results=RESULTS,
            clusters=CLUSTERS,
            commands=[command for command in COMMANDS.values() if command.who is Who.OPERATOR],
            door_words=DOOR_WORDS,
            machines=sorted(self._room.known.clusters),
        )

    def _one(self, visitor: Visitor, action_id: str) -> bottle.HTTPResponse:
        rows = self._read(ActionFilter(action_id=action_id), 1)[0] if _ACTION.fullmatch(action_id) else []
        if not rows:
            raise CommandRefused("There is no such action.", status=404)
        return self._rendered("action.html", f"/cr/activity/{action_id}", visitor, action=rows[0])

    def _csv(self, _: Visitor) -> bottle.HTTPResponse:
        rows = self._read(self._wanted()[1], ACTIONS_MAX)[0]
        return respond(as_csv(rows), CSV, Content_Disposition='attachment; filename="control-room-activity.csv"')

    def _rendered(self, template: str, path: str, visitor: Visitor, **values: object) -> bottle.HTTPResponse:
        body = render(
            self._site,
            f"control_room/{template}",
            now=self._room.clock(),
            frame=views.page_frame(self._site, path),
            visitor=visitor,
            ends_at=self._room.sessions.ends_at(visitor.session),
            **values,
        )
        return respond(body, HTML)

    def _read(self, wanted: ActionFilter, limit: int) -> tuple[list[views.ActionLine], list[int]]:
        unknown_after = self._room.unknown_after_seconds
        with self._room.databases["production"].reading() as connection:
            rows = find_actions(connection, wanted, limit, unknown_after_seconds=unknown_after)
        return [views.action_line(row, self._room.names) for row in rows], [row.audit_id for row in rows]

    def _wanted(self) -> tuple[dict[str, str], ActionFilter]:
        """What the address asks for, as it stands there and as a filter; what is unknown counts as not said."""
        query = bottle.request.query
        given = {name: query.get(name, "")[:_WORD_MAX] for name in (*_FILTERS, "before") if query.get(name)}
        machine = given.get("machine", "")
        wanted = ActionFilter(
            account=given.get("account", ""),
            command=given.get("command", ""),
            result=given.get("result", ""),
            cluster=given.get("cluster", ""),
            host_id=self._room.host_id(machine) if machine in self._room.known.clusters else "",
            since=_midnight(given.get("from", "")),
            until=_midnight(given.get("to", ""), days=1),
            before=int(given["before"]) if _NUMBER.fullmatch(given.get("before", "")) else None,
            without=() if given.get("all") or given.get("command") else DOOR_WORDS,
        )
        given.pop("before", None)
        return given, wanted


def as_csv(rows: Sequence[views.ActionLine]) -> str:
    """The actions with a line of names. A spreadsheet must take none of it for a formula."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(_COLUMNS)
    for row in rows:
        values = (
            iso(row.at), row.action_id, row.account, row.who, row.address, row.command, row.with_what, row.machine,
            row.cluster, row.result, row.detail, "" if row.seconds is None else f"{row.seconds:.1f}",
        )  # fmt: skip
        writer.writerow([f"'{value}" if value[:1] in {"=", "+", "-", "@", "\t", "\r"} else value for value in values])
    return written.getvalue()


def _midnight(text: str, days: int = 0) -> datetime | None:
    """The beginning of a day in Geneva, where the shifts are."""
    try:
        day = date.fromisoformat(text) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return datetime.combine(day, time(), GENEVA).astimezone(UTC)
