"""What stands before every route of the Control Room: who asks, and for a POST whether our own page sent it.

A route that is added through `Guarded` cannot forget it; there is no other way to add one but the login's.
"""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import bottle

from dqmsquare.errors import CommandRefused
from dqmsquare.server.control_room.fields import FORM, Fields, read_fields
from dqmsquare.server.control_room.origin import CSRF_FIELD, CSRF_HEADER, check_origin, check_token
from dqmsquare.server.control_room.relay import Result
from dqmsquare.server.control_room.replies import problem_of
from dqmsquare.server.control_room.room import ControlRoom
from dqmsquare.server.control_room.visitor import Visitor

LogInFirst = Callable[[str], bottle.HTTPResponse]
COMMAND, LOG_OUT = "command", "log out"  # scopes of tokens


class Guarded:
    """Adds routes. `log_in_first` answers a page's address for somebody who is not logged in."""

    def __init__(self, application: bottle.Bottle, room: ControlRoom, log_in_first: LogInFirst) -> None:
        self._application = application
        self._room = room
        self._log_in_first = log_in_first

    def page(self, rule: str, handler: Callable[..., Any]) -> None:
        """A page; `handler` is called with the visitor and what the rule names."""
        self._application.get(rule, callback=functools.partial(self._get, handler, is_page=True, is_used=True))

    def get(self, rule: str, handler: Callable[..., Any], *, is_used: bool = True) -> None:
        """Something that a page or a program asks for. `is_used` False: by itself, without its reader's doing."""
        self._application.get(rule, callback=functools.partial(self._get, handler, is_page=False, is_used=is_used))

    def post(self, rule: str, handler: Callable[..., Any], scope: str) -> None:
        """Something that changes something; `handler` is called with the visitor and the form's fields."""
        self._application.post(rule, callback=functools.partial(self._post, handler, scope))

    def _get(self, handler: Callable[..., Any], *, is_page: bool, is_used: bool, **named: str) -> Any:
        try:
            visitor = self._room.gate.find(bottle.request.environ, is_used=is_used)
            if visitor is None and is_page:
                return self._log_in_first(bottle.request.path)
            return handler(_logged_in(visitor), **named)
        except CommandRefused as refused:
            raise problem_of(refused) from None

    def _post(self, handler: Callable[..., Any], scope: str, **named: str) -> Any:
        environ = bottle.request.environ
        try:
            visitor = _logged_in(self._room.gate.find(environ, is_used=True))
            form = read_form()
            try:
                check_origin(environ, self._room.config)
                check_token(environ.get(CSRF_HEADER) or form.values.get(CSRF_FIELD, ""), visitor.secret, scope)
            except CommandRefused as refused:
                entry = self._room.audit.entry(visitor.actor, scope, {})
                self._room.audit.note(entry, Result.REJECTED, str(refused))
                raise
            return handler(visitor, _without_token(form), **named)
        except CommandRefused as refused:
            raise problem_of(refused) from None


def read_form() -> Fields:
    """The fields of the request's body. Raises CommandRefused (415) where it is no form."""
    body = bottle.request.body.read()
    if body and bottle.request.content_type.partition(";")[0].strip().lower() != FORM:
        raise CommandRefused(f"A form is sent as {FORM}.", status=415)
    return read_fields(body)


def query_bytes(environ: Mapping[str, Any]) -> bytes:
    """The query as it was sent."""
    return str(environ.get("QUERY_STRING", "")).encode("latin-1", "replace")


def _logged_in(visitor: Visitor | None) -> Visitor:
    if visitor is None:
        raise CommandRefused("Log in first.", status=401)
    return visitor


def _without_token(form: Fields) -> Fields:
    return Fields({name: value for name, value in form.values.items() if name != CSRF_FIELD}, form.problem)
