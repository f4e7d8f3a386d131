"""Lets people in and out: the password at login, the password again before something is changed, the end."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from dqmsquare.control_room_accounts import Account
from dqmsquare.errors import CommandRefused
from dqmsquare.server.control_room.accounts import Accounts
from dqmsquare.server.control_room.audit import Actor, Audit
from dqmsquare.server.control_room.relay import Result
from dqmsquare.server.control_room.sessions import Sessions
from dqmsquare.server.control_room.tries import Tries
from dqmsquare.server.control_room.visitor import Gate, Visitor

LOG_IN, LOG_OUT, LOG_OUT_EVERYWHERE, STEP_UP = "log in", "log out", "log out everywhere", "password"
DOOR_WORDS = (LOG_IN, LOG_OUT, LOG_OUT_EVERYWHERE, STEP_UP)  # in the audit, beside the commands
_NAME_MAX = 64
_WRONG = "Account or password is wrong."


class Door:
    """Checks passwords and opens and closes sessions."""

    def __init__(self, accounts: Accounts, sessions: Sessions, tries: Tries, gate: Gate, audit: Audit) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._tries = tries
        self._gate = gate
        self._audit = audit

    @property
    def has_accounts(self) -> bool:
        """Whether anybody could log in."""
        return len(self._accounts) > 0

    def log_in(self, environ: Mapping[str, Any], name: str, password: str, old_secret: str) -> str:
        """A new session's secret; the session that the browser had is over.

        Raises CommandRefused: 401 for a wrong password, 403 without an identity, 429 for a try that comes too soon.
        """
        identity = self._gate.identify(environ)
        actor = self._gate.actor(environ, identity, name[:_NAME_MAX])
        account = self._checked(actor, name, password)
        if account is None or (identity and not identity.may_use(account)):
            self._reject(actor, LOG_IN)
            raise CommandRefused(_WRONG, status=401)
        self._tries.succeed(name, _source(actor))
        if old_secret:
            self._sessions.close(old_secret)
        secret = self._sessions.open(
            account.name,
            self._accounts.stamp(account),
            login=actor.login,
            dn_hash=actor.dn_hash,
            address=actor.address,
        )
        self._audit.note(self._audit.entry(actor, LOG_IN, {}), Result.DONE)
        return secret

    def step_up(self, visitor: Visitor, password: str) -> None:
        """Notes that the password was given again. Raises CommandRefused as `log_in` does."""
        name = visitor.account.name
        if self._checked(visitor.actor, name, password) is None:
            self._reject(visitor.actor, STEP_UP)
            raise CommandRefused("The password is wrong.", status=401)
        self._tries.succeed(name, _source(visitor.actor))
        self._sessions.step_up(visitor.session)

    def log_out(self, visitor: Visitor, *, everywhere: bool) -> None:
        """Ends this session, or all of the account's."""
        if everywhere:
            self._sessions.close_all(visitor.account.name)
        self._sessions.close(visitor.secret)
        words = LOG_OUT_EVERYWHERE if everywhere else LOG_OUT
        self._audit.note(self._audit.entry(visitor.actor, words, {}), Result.DONE)

    def _checked(self, actor: Actor, name: str, password: str) -> Account | None:
        wait = self._tries.begin(name[:_NAME_MAX], _source(actor))
        if wait:
            raise CommandRefused(
                f"Too many wrong passwords: try again in {wait} s.", status=429, retry_after_seconds=wait
            )
        return self._accounts.check(name, password)

    def _reject(self, actor: Actor, command: str) -> None:
        # The name of no account is not kept: it may be a password in the wrong field.
        known = actor if self._accounts.find(actor.account) else replace(actor, account="")
        self._audit.note(self._audit.entry(known, command, {}), Result.REJECTED, "wrong account or password")


def _source(actor: Actor) -> str:
    """Who is slowed down: the person where the front-end knows one, else the address."""
    return actor.dn_hash or actor.login or actor.address
