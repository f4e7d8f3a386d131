"""Logging in and out, and the password once more."""

import re
import secrets
from collections.abc import Mapping
from typing import Any

import bottle

from dqmsquare.errors import CommandRefused
from dqmsquare.server.control_room.cookies import (
    LOGIN_COOKIE,
    SESSION_COOKIE,
    clear_cookie,
    read_cookie,
    set_cookie,
)
from dqmsquare.server.control_room.fields import Fields
from dqmsquare.server.control_room.guarded import COMMAND, LOG_OUT, Guarded, read_form
from dqmsquare.server.control_room.origin import CSRF_FIELD, check_origin, check_token, make_token
from dqmsquare.server.control_room.replies import HTML, TEXT, problem_of, redirect, respond
from dqmsquare.server.control_room.room import ControlRoom
from dqmsquare.server.control_room.views import page_frame
from dqmsquare.server.control_room.visitor import Visitor
from dqmsquare.server.frames import render
from dqmsquare.server.site import Site

_LOG_IN = "log in"  # the token's scope
_HOME = "/cr/"
_NOBODY = "Nobody can log in: the settings name no account (DQM_CR_USERNAMES)."
_OWN_PAGE = re.compile(r"/cr/[A-Za-z0-9._=&?/%+-]*", re.ASCII)


class LoginRoutes:
    """The routes that are there for somebody who is not logged in, and those that end it."""

    def __init__(self, site: Site, room: ControlRoom) -> None:
        self._site = site
        self._room = room
        self._path = f"{site.config.server_url_prefix}/cr"

    def add(self, application: bottle.Bottle, guarded: Guarded) -> None:
        """Adds the routes, with and without the slash at the end."""
        for end in ("", "/"):
            application.get(f"/cr/login{end}", callback=self._form_page)
            application.post(f"/cr/login{end}", callback=self._log_in)
            guarded.page(f"/cr/logout{end}", self._logout_page)
            guarded.post(f"/cr/logout{end}", self._log_out, LOG_OUT)
            guarded.post(f"/cr/step-up{end}", self._step_up, COMMAND)

    def log_in_first(self, path: str) -> bottle.HTTPResponse:
        """The form, in the place of a page that only people see who are logged in."""
        query = bottle.request.query_string
        return self._form(401, next_path=f"{path}?{query}" if query else path)

    def _form_page(self) -> bottle.HTTPResponse:
        try:
            if self._room.gate.find(bottle.request.environ, is_used=True):
                return redirect(self._site.url(_HOME))
        except CommandRefused as refused:
            raise problem_of(refused) from None
        return self._form(200, next_path=_HOME)

    def _form(self, status: int, *, next_path: str, words: str = "", name: str = "") -> bottle.HTTPResponse:
        kept = read_cookie(bottle.request.get_header("Cookie", ""), LOGIN_COOKIE)
        value = kept or secrets.token_urlsafe(16)
        body = render(
            self._site,
            "control_room/login.html",
            now=self._room.clock(),
            frame=page_frame(self._site, _HOME),
            visitor=None,
            token=self._login_token(value),
            next_path=_own_page(next_path),
            words=words or ("" if self._room.door.has_accounts else _NOBODY),
            name=name,
        )
        answer = respond(body, HTML, status)
        if not kept:
            answer.add_header("Set-Cookie", set_cookie(LOGIN_COOKIE, value, self._path))
        return answer

    def _log_in(self) -> bottle.HTTPResponse:
        environ = bottle.request.environ
        try:
            given = read_form().checked()
            check_origin(environ, self._room.config)
            self._check_login_token(environ, given)
            old = read_cookie(str(environ.get("HTTP_COOKIE", "")), SESSION_COOKIE)
        except CommandRefused as refused:
            raise problem_of(refused) from None
        name, next_path = given.get("username", ""), given.get("next", "")
        try:
            secret = self._room.door.log_in(environ, name, given.get("password", ""), old)
        except CommandRefused as refused:
            if refused.status not in {401, 429}:
                raise problem_of(refused) from None
            answer = self._form(refused.status, next_path=next_path, words=str(refused), name=name)
            if refused.retry_after_seconds:
                answer.set_header("Retry-After", str(refused.retry_after_seconds))
            return answer
        answer = redirect(self._site.config.server_url_prefix + _own_page(next_path))
        answer.add_header("Set-Cookie", set_cookie(SESSION_COOKIE, secret, self._path))
        answer.add_header("Set-Cookie", clear_cookie(LOGIN_COOKIE, self._path))
        return answer

    def _logout_page(self, visitor: Visitor) -> bottle.HTTPResponse:
        body = render(
            self._site,
            "control_room/logout.html",
            now=self._room.clock(),
            frame=page_frame(self._site, "/cr/logout/"),
            visitor=visitor,
            token=make_token(visitor.secret, LOG_OUT),
        )
        return respond(body, HTML)

    def _log_out(self, visitor: Visitor, form: Fields) -> bottle.HTTPResponse:
        self._room.door.log_out(visitor, everywhere=form.checked().get("everywhere") == "1")
        answer = redirect(self._site.url("/cr/login/"))
        answer.add_header("Set-Cookie", clear_cookie(SESSION_COOKIE, self._path))
        return answer

    def _step_up(self, visitor: Visitor, form: Fields) -> bottle.HTTPResponse:
        self._room.door.step_up(visitor, form.checked().get("password", ""))
        return respond("ok", TEXT)

    def _login_token(self, value: str) -> str:
        return make_token(f"{self._room.login_key}|{value}", _LOG_IN)

    def _check_login_token(self, environ: Mapping[str, Any], given: Mapping[str, str]) -> None:
        value = read_cookie(str(environ.get("HTTP_COOKIE", "")), LOGIN_COOKIE)
        if not value:
            raise CommandRefused("Your browser keeps no cookie of this page: load it again.", status=403)
        check_token(given.get(CSRF_FIELD, ""), f"{self._room.login_key}|{value}", _LOG_IN)


def _own_page(path: str) -> str:
    """A page of the Control Room to go on to; its first one where `path` is anything else.

    >>> _own_page("/cr/activity/?account=expert"), _own_page("//evil"), _own_page("/cr/../x")
    ('/cr/activity/?account=expert', '/cr/', '/cr/')
    """
    return path if _OWN_PAGE.fullmatch(path) and ".." not in path else _HOME
