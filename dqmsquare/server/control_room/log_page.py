"""The log of a service on a machine, in the viewer that job logs have."""

from collections.abc import Sequence

import bottle

from dqmsquare.errors import CommandRefused, UpstreamError
from dqmsquare.server.control_room import views
from dqmsquare.server.control_room.guarded import Guarded
from dqmsquare.server.control_room.replies import HTML, TEXT, respond
from dqmsquare.server.control_room.room import ControlRoom
from dqmsquare.server.control_room.visitor import Visitor
from dqmsquare.server.frames import render
from dqmsquare.server.log_view import log_view
from dqmsquare.server.site import Site
from dqmsquare.storage.rows import LogRow

SERVICES = {"hltd": ("hltd", "anelastic"), "fff": ("fff_dqmtools",)}  # in the order of DQM²'s answer
_LINES_MAX = 5_000


class LogPage:
    """Routes of the logs."""

    def __init__(self, site: Site, room: ControlRoom) -> None:
        self._site = site
        self._room = room

    def add(self, guarded: Guarded) -> None:
        """Adds the routes."""
        guarded.page("/cr/logs/<host_id>/<service>", self._page)
        guarded.get("/cr/logs/<host_id>/<service>/text", self._text)

    def _page(self, visitor: Visitor, host_id: str, service: str) -> bottle.HTTPResponse:
        machine, files = self._named(host_id, service)
        words, parts = "", []
        try:
            parts = self._parts(machine, service)
        except UpstreamError as error:
            words = self._room.desk.words_of(error)
        chosen = _chosen(files)
        text = parts[chosen] if chosen < len(parts) else ""
        lines = text.split("\n")
        path = f"/cr/logs/{host_id}/{service}"
        body = render(
            self._site,
            "control_room/log.html",
            now=self._room.clock(),
            frame=views.page_frame(self._site, path),
            visitor=visitor,
            ends_at=self._room.sessions.ends_at(visitor.session),
            machine=machine,
            service=service,
            files=files,
            chosen=chosen,
            words=words,
            n_left_out=max(0, len(lines) - _LINES_MAX),
            log=log_view(_log_row("\n".join(lines[-_LINES_MAX:]))) if text else None,
            text_path=self._site.url(f"{path}/text", file=chosen),
            path=path,
        )
        return respond(body, HTML)

    def _text(self, _: Visitor, host_id: str, service: str) -> bottle.HTTPResponse:
        machine, files = self._named(host_id, service)
        try:
            parts = self._parts(machine, service)
        except UpstreamError as error:
            raise CommandRefused(self._room.desk.words_of(error), status=502) from None
        chosen = _chosen(files)
        return respond(parts[chosen] if chosen < len(parts) else "", TEXT)

    def _named(self, host_id: str, service: str) -> tuple[str, Sequence[str]]:
        machine = self._room.names.get(host_id, "")
        if machine not in self._room.known.clusters or service not in SERVICES:
            raise CommandRefused("There is no such log.", status=404)
        return machine, SERVICES[service]

    def _parts(self, machine: str, service: str) -> list[str]:
        answer = self._room.desk.ask(f"get_{service}_logs", host=machine)
        return [part for part in answer if isinstance(part, str)] if isinstance(answer, list) else []


def _chosen(files: Sequence[str]) -> int:
    """Which of the answer's files the address asks for."""
    number = bottle.request.query.get("file", "0")
    return int(number) if number in {str(i) for i in range(len(files))} else 0


def _log_row(text: str) -> LogRow:
    return LogRow(job_id="", run=0, tag="", head=text, tail="", gap=False, n_removed=0)
