"""The host that the world sees: its own documents, the way to the other hosts, the Control Room, the simulator's ends.

What is sent for a request is decided here; sockets are server.py's.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any

from dqmsquare.simulator import protocol
from dqmsquare.simulator.control_room import ControlRoom
from dqmsquare.simulator.exchange import HTML, Answer, Request, error_page, login_page, page, redirect, streamed, whole
from dqmsquare.simulator.faults import ANSWER_FAULTS, ROW_FAULTS, Fault, FaultBoard
from dqmsquare.simulator.store import Document, HostStore
from dqmsquare.simulator.visits import Visits

COOKIE = "selenium-secret-secret"
LOGIN_PATH = "/auth/login"
_PORT = "9215"
_LOOPBACK = ("127.", "::1", "::ffff:127.")
Control = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass(kw_only=True)
class Gateway:
    """Answers requests. `control` carries out what `/__ctl` is sent; `down_hosts` are dead behind the proxy."""

    name: str
    stores: Mapping[str, HostStore]
    control_room: ControlRoom
    control: Control
    down_hosts: Callable[[], Mapping[str, str]]
    secret: str = ""
    inner_timeout_seconds: float = 5.0
    dead_host_status: int = HTTPStatus.OK  # of the page that tells of a dead host
    faults: FaultBoard = field(default_factory=FaultBoard)
    visits: Visits = field(default_factory=Visits)

    def answer(self, request: Request) -> Answer:
        """The answer to a request, with the faults that are set for it."""
        own: dict[str, Callable[[Request], Answer]] = {
            "/__ctl": self._controlled,
            "/_upload": self._upload,
            LOGIN_PATH: _login,
        }
        path = request.path.rstrip("/") or "/"
        if path in own:
            if path == LOGIN_PATH:  # a client that follows redirects shows itself here
                self.visits.note(path, "", "")
            return own[path](request)
        host, event = self._asked_host(request), _event(request.body)
        self.visits.note(path, host, event)
        faults = self.faults.strike(path, host, event)
        answer = self._upstream(path, host, request, faults) if self._may_enter(request) else redirect(LOGIN_PATH)
        for fault in faults:
            if fault.name in ANSWER_FAULTS:
                answer = ANSWER_FAULTS[fault.name](answer, fault)
        return answer

    def _may_enter(self, request: Request) -> bool:
        return not self.secret or request.cookie(COOKIE) == self.secret

    def _asked_host(self, request: Request) -> str:
        if request.path.startswith("/redirect"):
            return _short(request.query.get("path", ""))
        return self.name if request.path.startswith("/sync_proxy") else ""

    def _upstream(self, path: str, host: str, request: Request, faults: list[Fault]) -> Answer:
        if (path, request.method) == ("/cr/exe", "GET"):
            return self.control_room.answer(request.query)
        if (path, request.method) == ("/sync_proxy", "POST"):
            return self._synchronize(host, request.body, faults)
        if (path, request.method) == ("/redirect", "POST"):
            return self._redirected(host, request, faults)
        return error_page(HTTPStatus.NOT_FOUND)

    def _redirected(self, host: str, request: Request, faults: list[Fault]) -> Answer:
        # Whatever the inner answer is, it comes out with status 200 and labelled as HTML (U9).
        if any(fault.name == "inner-timeout" for fault in faults):
            return replace(self._dead(host, "Read timed out."), wait_seconds=self.inner_timeout_seconds)
        if host in self.down_hosts() or host not in self.stores or request.query.get("port") != _PORT:
            return self._dead(host, "Max retries exceeded with url: /sync_proxy")
        return replace(self._synchronize(host, request.body, faults), status=HTTPStatus.OK, content_type=HTML)

    def _dead(self, host: str, why: str) -> Answer:
        text = f"HTTPConnectionPool(host='{host}', port={_PORT}): {why}"
        return page("Error: 500 Internal Server Error", text, self.dead_host_status)

    def _synchronize(self, host: str, body: bytes, faults: list[Fault]) -> Answer:
        try:
            messages = protocol.read_messages(body)
        except protocol.MalformedRequest:
            return error_page(HTTPStatus.INTERNAL_SERVER_ERROR)
        if any(fault.name == "newer" for fault in faults):
            self._update_asked(self.stores[host], messages)
        tamper = _tamper([fault for fault in faults if fault.name in ROW_FAULTS])
        return streamed(protocol.answer(self.stores[host], messages, tamper))

    @staticmethod
    def _update_asked(store: HostStore, messages: Sequence[protocol.Message]) -> None:
        for message in messages:
            if isinstance(message, protocol.DocumentsRequest):
                for document in store.documents(message.ids):
                    store.upload({key: value for key, value in document.items() if key != "_rev"})

    def _upload(self, request: Request) -> Answer:
        store = self.stores.get(_short(request.query.get("host", self.name)))
        if store is None:
            return error_page(HTTPStatus.NOT_FOUND)
        try:
            documents = json.loads(request.body)["docs"]
            revs = [store.upload(json.loads(doc) if isinstance(doc, str) else doc) for doc in documents]
        except (ValueError, TypeError, KeyError):
            return error_page(HTTPStatus.INTERNAL_SERVER_ERROR)
        return whole(json.dumps({"revs": revs}).encode())

    def _controlled(self, request: Request) -> Answer:
        if not request.peer.startswith(_LOOPBACK):
            return error_page(HTTPStatus.FORBIDDEN)
        try:
            command = json.loads(request.body) if request.method == "POST" else {"do": "status"}
            return whole(json.dumps(self.control(command)).encode())
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            return whole(json.dumps({"error": str(error)}).encode(), status=HTTPStatus.BAD_REQUEST)


def _login(_: Request) -> Answer:
    return login_page()


def _short(host: str) -> str:
    return host.strip().lower().removesuffix(".cms")


def _event(body: bytes) -> str:
    """The event that a request is about, the first if there are several; "" where there is none."""
    try:
        return str(json.loads(json.loads(body)["messages"][0])["event"])
    except (ValueError, TypeError, KeyError, IndexError, RecursionError):
        return ""


def _tamper(faults: list[Fault]) -> protocol.Tamper | None:
    if not faults:
        return None

    def tampered(rows: list[Document]) -> list[Document]:
        for fault in faults:
            rows = ROW_FAULTS[fault.name](rows, fault)
        return rows

    return tampered
