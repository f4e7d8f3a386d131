"""Who CMSWEB's front-end says somebody is: verified by its signature over the headers cms-authn* and cms-authz*.

An identity narrows who may use an account, and names people in the audit; it grants nothing. The signature covers
neither time nor address, so these headers are never logged and never shown: whoever has a set of them has it for ever.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dqmsquare.control_room_accounts import Account
from dqmsquare.errors import CommandRefused

_SIGNED = ("HTTP_CMS_AUTHN", "HTTP_CMS_AUTHZ")
_SIGNATURE = "cms-authn-hmac"
_HEX = re.compile(r"[0-9a-f]{40}", re.ASCII)
_STRONG = frozenset({"x509cert", "x509proxy", "oauth"})  # what a person did, not an address or another's cookie
_WEAK = frozenset({"x509limitedproxy", "hostip", "aucookie"})
_NO_LOGIN = frozenset({"", "<nil>"})  # the Go front-end prints nil where it knows none


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A verified identity. `is_strong`: good for changing things; `dn_hash` stands for the DN in the audit."""

    login: str
    dn: str
    is_strong: bool

    @property
    def dn_hash(self) -> str | None:
        """A few characters that tell one DN from another."""
        return hashlib.sha256(self.dn.encode()).hexdigest()[:16] if self.dn else None

    def may_use(self, account: Account) -> bool:
        """Whether the account is tied to nobody, or to this login or DN."""
        return not account.identities or not account.identities.isdisjoint({self.login, self.dn} - {""})


class FrontEnd:
    """Verifies identities with the front-end's keys, which are read again when their files change."""

    def __init__(self, key_files: Sequence[Path]) -> None:
        self._files = tuple(key_files)
        self._seen: tuple[object, ...] = ()
        self._keys: tuple[bytes, ...] = ()

    def identify(self, environ: Mapping[str, Any]) -> Identity:
        """Who asks. Raises CommandRefused (403) for nobody, for a signature that is not right, and without a login."""
        headers = signed_headers(environ)
        signature = headers.pop(_SIGNATURE, b"").decode("ascii", "replace")
        # The status is not signed: it can only take something away.
        is_anonymous = str(environ.get("HTTP_CMS_AUTH_STATUS", "")).lower() != "ok"
        if is_anonymous or not _HEX.fullmatch(signature) or not self._is_signed(headers, signature):
            raise CommandRefused("CMSWEB's front-end does not say who you are.", status=403)
        method = _text(headers, "cms-authn-method").lower()
        login = _text(headers, "cms-authn-login")
        if method not in _STRONG | _WEAK or login in _NO_LOGIN:
            raise CommandRefused("The Control Room wants a certificate or a token, and a CERN login.", status=403)
        return Identity(login=login, dn=_text(headers, "cms-authn-dn"), is_strong=method in _STRONG)

    def _is_signed(self, headers: Mapping[str, bytes], signature: str) -> bool:
        fits = [hmac.compare_digest(sign(key, headers), signature) for key in self._current_keys()]
        return any(fits)

    def _current_keys(self) -> tuple[bytes, ...]:
        seen = tuple(_stamp(path) for path in self._files)
        if seen != self._seen:
            # An empty key would let anybody sign. White space belongs to a key: it is made of random bytes.
            self._keys = tuple(filter(None, map(_read, self._files)))
            self._seen = seen
        return self._keys


def sign(key: bytes, headers: Mapping[str, bytes]) -> str:
    """The front-end's signature: HMAC-SHA1 over names and values, whose lengths (in bytes) come first."""
    pairs = [(name.encode("ascii"), headers[name]) for name in sorted(headers)]
    lengths = b"".join(b"h%xv%x" % (len(name), len(value)) for name, value in pairs)
    text = b"".join(name + value for name, value in pairs)
    return hmac.new(key, lengths + b"#" + text, hashlib.sha1).hexdigest()


def signed_headers(environ: Mapping[str, Any]) -> dict[str, bytes]:
    """The headers that the signature covers, by lower-case name. WSGI's strings are bytes read as Latin-1."""
    return {
        key[5:].lower().replace("_", "-"): str(value).encode("latin-1", "replace")
        for key, value in environ.items()
        if key.startswith(_SIGNED)
    }


def _text(headers: Mapping[str, bytes], name: str) -> str:
    return headers.get(name, b"").decode("utf-8", "replace").strip()


def _stamp(path: Path) -> object:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
