"""Acknowledging alarms for everybody: the list with its buttons."""

import re

import bottle

from dqmsquare.config import CLUSTERS
from dqmsquare.errors import CommandRefused, StoreUnavailable
from dqmsquare.server.control_room import views
from dqmsquare.server.control_room.fields import Fields
from dqmsquare.server.control_room.guarded import COMMAND, Guarded
from dqmsquare.server.control_room.origin import make_token
from dqmsquare.server.control_room.relay import Result
from dqmsquare.server.control_room.replies import HTML, redirect, respond
from dqmsquare.server.control_room.room import ControlRoom
from dqmsquare.server.control_room.visitor import Visitor
from dqmsquare.server.frames import render
from dqmsquare.server.site import Site
from dqmsquare.storage.alarm_queries import recent_alarms
from dqmsquare.storage.control_room_acknowledgements import acknowledge, acknowledged

_SHOWN = 100
_KEY = re.compile(r"[\x21-\x7e]{1,300}", re.ASCII)
_ACKNOWLEDGE = "acknowledge alarm"


class AlarmPages:
    """Routes of `/cr/alarms/`."""

    def __init__(self, site: Site, room: ControlRoom) -> None:
        self._site = site
        self._room = room

    def add(self, guarded: Guarded) -> None:
        """Adds the routes."""
        guarded.page("/cr/alarms/", self._page)
        guarded.post("/cr/alarms/acknowledge", self._acknowledge, COMMAND)

    def _page(self, visitor: Visitor) -> bottle.HTTPResponse:
        body = render(
            self._site,
            "control_room/alarms.html",
            now=self._room.clock(),
            frame=views.page_frame(self._site, "/cr/alarms/"),
            visitor=visitor,
            ends_at=self._room.sessions.ends_at(visitor.session),
            token=make_token(visitor.secret, COMMAND),
            may_change=visitor.may_change,
            clusters={name: self._alarms(name) for name in CLUSTERS},
        )
        return respond(body, HTML)

    def _alarms(self, cluster: str) -> list[dict[str, object]] | None:
        """A cluster's alarms with who acknowledged them; None without its database."""
        try:
            with self._room.databases[cluster].reading() as connection:
                rows = recent_alarms(connection, _SHOWN)
                known = acknowledged(connection, [row.alarm_key for row in rows])
        except StoreUnavailable:
            return None
        return [{"row": row, "acknowledged": known.get(row.alarm_key)} for row in rows]

    def _acknowledge(self, visitor: Visitor, form: Fields) -> bottle.HTTPResponse:
        given = form.checked()
        cluster, key = given.get("db", ""), given.get("key", "")
        if not visitor.may_change:
            raise CommandRefused("You may only read here.", status=403)
        if cluster not in CLUSTERS or not _KEY.fullmatch(key):
            raise CommandRefused("An alarm is named by its cluster (db) and its key.")
        with self._room.databases[cluster].writing() as connection:
            is_there = acknowledge(connection, key, visitor.account.name)
        if not is_there:
            raise CommandRefused("There is no such alarm.", status=404)
        entry = self._room.audit.entry(visitor.actor, _ACKNOWLEDGE, {"alarm": key, "db": cluster})
        self._room.audit.note(entry, Result.DONE)
        return redirect(self._site.url("/cr/alarms/"))
