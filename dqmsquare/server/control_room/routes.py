"""Adds the Control Room to the application. Every route but the login's goes through guarded.py."""

from typing import Any

import bottle

from dqmsquare.server.control_room.activity_pages import ActivityPages
from dqmsquare.server.control_room.alarm_pages import AlarmPages
from dqmsquare.server.control_room.exe_route import ExeRoute
from dqmsquare.server.control_room.guarded import Guarded
from dqmsquare.server.control_room.log_page import LogPage
from dqmsquare.server.control_room.login_routes import LoginRoutes
from dqmsquare.server.control_room.room import ControlRoom
from dqmsquare.server.control_room.room_page import RoomPage
from dqmsquare.server.control_room.views import SECTION
from dqmsquare.server.site import Site


def add_control_room(application: bottle.Bottle, site: Site, room: ControlRoom) -> None:
    """Adds `/cr` and what is below it, and its name to the bar of every page."""
    login = LoginRoutes(site, room)
    guarded = Guarded(application, room, login.log_in_first)
    login.add(application, guarded)
    RoomPage(site, room).add(guarded)
    ExeRoute(room).add(guarded)
    LogPage(site, room).add(guarded)
    ActivityPages(site, room).add(guarded)
    AlarmPages(site, room).add(guarded)
    sections: Any = site.templates.globals["sections"]
    site.templates.globals["sections"] = (*sections, (SECTION, "/cr/"))
