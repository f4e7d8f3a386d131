"""Where a POST comes from: a token that only our pages know, and the headers by which a browser tells its origin."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from dqmsquare.config import Config
from dqmsquare.errors import CommandRefused

CSRF_HEADER = "HTTP_X_CSRF_TOKEN"
CSRF_FIELD = "token"


def make_token(secret: str, scope: str) -> str:
    """The token of a session (or of a login form) for one kind of request."""
    return hmac.new(secret.encode(), f"csrf|{scope}".encode(), hashlib.sha256).hexdigest()


def check_token(given: str, secret: str, scope: str) -> None:
    """Raises CommandRefused (403) unless it is the token of this very session and scope."""
    if not hmac.compare_digest(given.encode(), make_token(secret, scope).encode()):
        raise CommandRefused("This page has become too old: reload it and try again.", status=403)


def check_origin(environ: Mapping[str, Any], config: Config) -> None:
    """Raises CommandRefused (403) unless the browser says that one of our own pages sent the request."""
    site = environ.get("HTTP_SEC_FETCH_SITE")
    # A browser says null where it hides the origin, and that is nobody's.
    source = environ.get("HTTP_ORIGIN") or _origin_of(environ.get("HTTP_REFERER", ""))
    if source not in _own_origins(environ, config) or site not in {None, "same-origin"}:
        raise CommandRefused("This did not come from a page of the Control Room.", status=403)


def _own_origins(environ: Mapping[str, Any], config: Config) -> set[str]:
    if config.server_public_url:
        return {_origin_of(config.server_public_url)}
    if not config.development:
        return set()
    # On one's own machine the address is whatever it was reached by.
    host = environ.get("HTTP_HOST", "")
    return {f"http://{host}", f"https://{host}"} if host else set()


def _origin_of(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}".lower() if parts.scheme and parts.netloc else ""
