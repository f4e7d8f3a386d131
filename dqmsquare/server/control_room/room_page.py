"""The Control Room's page, and the parts of it that are fetched again: machines, activity, versions."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import bottle

from dqmsquare.config import CLUSTERS
from dqmsquare.errors import CommandRefused, StoreUnavailable, UpstreamError
from dqmsquare.server.control_room import views
from dqmsquare.server.control_room.commands import COMMANDS, Command, Who
from dqmsquare.server.control_room.door import DOOR_WORDS
from dqmsquare.server.control_room.guarded import COMMAND, Guarded
from dqmsquare.server.control_room.origin import make_token
from dqmsquare.server.control_room.replies import HTML, respond, respond_json
from dqmsquare.server.control_room.room import ControlRoom
from dqmsquare.server.control_room.visitor import Visitor
from dqmsquare.server.frames import render
from dqmsquare.server.site import Site
from dqmsquare.storage import host_queries, queries
from dqmsquare.storage.control_room_audit import ActionFilter, find_actions

_ACTIONS_SHOWN = 12
_UNFINISHED_MAX = 100
_INFORMATION = ("get_dqm_machines", "get_hltd_versions", "get_fff_versions", "get_cmssw_info", "get_simulator_config")
_VERSIONS_KEPT = timedelta(minutes=5)  # rpm is asked on each machine in turn, which takes DQM² half a minute


class RoomPage:
    """Routes of `/cr/`."""

    def __init__(self, site: Site, room: ControlRoom) -> None:
        self._site = site
        self._room = room
        self._versions = _Kept(room.clock, _VERSIONS_KEPT)

    def add(self, guarded: Guarded) -> None:
        """Adds the routes."""
        for rule in ("/cr", "/cr/"):
            guarded.page(rule, self._page)
        guarded.get("/cr/machines", self._machines, is_used=False)
        guarded.get("/cr/latest", self._latest, is_used=False)
        guarded.get("/cr/versions", lambda _: respond_json(self._versions.get(self._ask_versions)), is_used=False)

    def _page(self, visitor: Visitor) -> bottle.HTTPResponse:
        config = self._room.config
        values = {
            "frame": views.page_frame(self._site, "/cr/"),
            "token": make_token(visitor.secret, COMMAND),
            "run_keys": config.simulator_run_keys,
            "simulator_host": self._room.known.simulator_host,
            "simulator_cluster": self._room.known.clusters.get(self._room.known.simulator_host, "playback"),
            "information": [COMMANDS[what] for what in _INFORMATION],
            "step_up_minutes": round(config.dqm_cr_step_up_seconds / 60),
        }
        return self._rendered("room.html", visitor, **values, **self._machine_values(), **self._latest_values())

    def _machines(self, visitor: Visitor) -> bottle.HTTPResponse:
        return self._rendered("machines.html", visitor, **self._machine_values())

    def _latest(self, visitor: Visitor) -> bottle.HTTPResponse:
        return self._rendered("latest.html", visitor, **self._latest_values())

    def _rendered(self, template: str, visitor: Visitor, **values: object) -> bottle.HTTPResponse:
        room = self._room
        body = render(
            self._site,
            f"control_room/{template}",
            now=room.clock(),
            visitor=visitor,
            ends_at=room.sessions.ends_at(visitor.session),
            may_change=visitor.may_change and room.config.control_room == "on",
            is_read_only=room.config.control_room == "read-only",
            machine_commands=_machine_commands(),
            deadline_seconds=room.config.dqm_cr_deadline_seconds,
            **values,
        )
        return respond(body, HTML)

    def _machine_values(self) -> dict[str, Any]:
        room = self._room
        # Twice the time, since the database's clock may be another one.
        recent = room.clock() - 2 * timedelta(seconds=room.unknown_after_seconds)
        unfinished = self._actions(ActionFilter(result="sent", since=recent), _UNFINISHED_MAX)
        clusters = [self._cluster(name, unfinished) for name in reversed(CLUSTERS)]
        return {"clusters": clusters}

    def _cluster(self, name: str, unfinished: list[views.ActionLine]) -> dict[str, object]:
        """A cluster; without its database its machines are still there to be commanded."""
        room = self._room
        host_ids = {known: host_id for host_id, known in room.names.items()}
        try:
            with room.databases[name].reading() as connection:
                hosts = host_queries.hosts_of_cluster(connection)
                newest = queries.newest_run(connection)
                run = queries.run_summary(connection, newest) if newest else None
                playback = queries.playback_of_run(connection, newest) if newest else None
        except StoreUnavailable:
            hosts, run, playback = [], None, None
        machines = views.machine_lines(room.config.machines(name), name, host_ids, hosts, unfinished)
        taking = views.data_taking(run, room.clock(), room.config.stuck_after_seconds)
        return {"name": name, "machines": machines, "taking": taking, "playing": views.playing(playback)}

    def _latest_values(self) -> dict[str, Any]:
        return {"actions": self._actions(ActionFilter(without=DOOR_WORDS), _ACTIONS_SHOWN)}

    def _actions(self, wanted: ActionFilter, limit: int) -> list[views.ActionLine]:
        room = self._room
        with room.databases["production"].reading() as connection:
            rows = find_actions(connection, wanted, limit, unknown_after_seconds=room.unknown_after_seconds)
        return [views.action_line(row, room.names) for row in rows]

    def _ask_versions(self) -> dict[str, dict[str, str]]:
        """Version of each service by machine; DQM² that does not answer has none."""
        found: dict[str, dict[str, str]] = {}
        for what in ("get_hltd_versions", "get_fff_versions"):
            try:
                answer: Any = self._room.desk.ask(what)
            except (UpstreamError, CommandRefused):
                continue
            for hosts in answer.values():
                for name, version in hosts.items():
                    found.setdefault(name, {})[what.split("_")[1]] = version
        return found


class _Kept:
    """An answer that is asked for once and kept for a while, whoever asks meanwhile."""

    def __init__(self, clock: Callable[[], datetime], kept_for: timedelta) -> None:
        self._clock = clock
        self._kept_for = kept_for
        self._lock = threading.Lock()
        self._value: dict[str, dict[str, str]] = {}
        self._asked_at: datetime | None = None

    def get(self, ask: Callable[[], dict[str, dict[str, str]]]) -> dict[str, dict[str, str]]:
        with self._lock:
            kept_for = self._kept_for if self._value else self._kept_for / 10
            if self._asked_at is None or self._clock() - self._asked_at > kept_for:
                self._value, self._asked_at = ask(), self._clock()
            return self._value


def _machine_commands() -> list[Command]:
    """The changing commands that need nothing but a machine: each is a button."""
    return [
        command
        for command in COMMANDS.values()
        if command.who is Who.OPERATOR and [one.name for one in command.parameters] == ["host"]
    ]
