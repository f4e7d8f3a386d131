"""Who is asking: the front-end's identity where it is wanted, and the session that the cookie opens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dqmsquare.control_room_accounts import Account
from dqmsquare.server.control_room.accounts import Accounts
from dqmsquare.server.control_room.addresses import client_address
from dqmsquare.server.control_room.audit import Actor
from dqmsquare.server.control_room.cookies import SESSION_COOKIE, read_cookie
from dqmsquare.server.control_room.frontend_identity import FrontEnd, Identity
from dqmsquare.server.control_room.sessions import Sessions
from dqmsquare.storage.control_room_sessions import SessionRow


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who is logged in. `secret` is the cookie's value; `may_change`: an operator, surely identified."""

    account: Account
    actor: Actor
    identity: Identity | None
    session: SessionRow
    secret: str = field(repr=False)

    @property
    def may_change(self) -> bool:
        """Whether this visitor may give commands that change something."""
        return self.account.may_change and (self.identity is None or self.identity.is_strong)


class Gate:
    """Finds out who is asking. `front_end` is None where passwords alone open the Control Room."""

    def __init__(
        self, accounts: Accounts, sessions: Sessions, front_end: FrontEnd | None, trusted_proxy_hops: int
    ) -> None:
        self._accounts = accounts
        self._sessions = sessions
        self._front_end = front_end
        self._hops = trusted_proxy_hops

    def identify(self, environ: Mapping[str, Any]) -> Identity | None:
        """The front-end's identity; None where none is wanted. Raises CommandRefused (403) where it is missing."""
        return self._front_end.identify(environ) if self._front_end else None

    def actor(self, environ: Mapping[str, Any], identity: Identity | None, account: str) -> Actor:
        """Whom the audit names."""
        address = client_address(environ, self._hops)
        if identity is None:
            return Actor(account=account, address=address)
        return Actor(account=account, address=address, login=identity.login, dn_hash=identity.dn_hash)

    def find(self, environ: Mapping[str, Any], *, is_used: bool) -> Visitor | None:
        """Who is logged in, if anybody is. `is_used`: whether this request counts against idleness.

        Raises CommandRefused (403) where the identity is missing, or StoreUnavailable.
        """
        identity = self.identify(environ)
        secret = read_cookie(str(environ.get("HTTP_COOKIE", "")), SESSION_COOKIE)
        session = self._sessions.find(secret, is_used=is_used)
        account = self._accounts.find(session.account) if session else None
        if session is None or account is None or session.secret_stamp != self._accounts.stamp(account):
            return None
        actor = self.actor(environ, identity, account.name)
        is_the_same = (actor.login, actor.dn_hash) == (session.login, session.dn_hash)
        if not is_the_same or (identity and not identity.may_use(account)):
            return None
        return Visitor(account, actor, identity, session, secret)
