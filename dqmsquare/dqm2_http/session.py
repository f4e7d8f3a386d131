"""A session to DQM²: certificate, cookie, deadline, caps. What is asked and what an answer means is its callers'."""

import contextlib
import http.cookiejar
import logging
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import requests
import urllib3

from dqmsquare.config import Config
from dqmsquare.dqm2_http.answers import Body, accepted
from dqmsquare.dqm2_http.certificate import tls_context, uses_tls
from dqmsquare.dqm2_http.connections import WatchedAdapter, current_deadline
from dqmsquare.dqm2_http.failures import translate
from dqmsquare.dqm2_http.watchdog import Deadline, Watchdog
from dqmsquare.errors import ConfigError, UpstreamRefused, UpstreamUnreachable

COOKIE_NAME = "selenium-secret-secret"
CONNECT_SECONDS = 10.0  # for TCP and again for TLS, to each address of the name; its lookup is the resolver's to bound

_PROCESS_WATCHDOG = Watchdog()

log = logging.getLogger(__name__)


class Dqm2Session:
    """Asks DQM², and nobody else: paths are below CMSWEB_FRONTEND_PROXY_URL, redirects and proxies are not followed.

    Connections are kept alive. Usable from several threads; each host's worker has its own all the same.
    """

    def __init__(self, config: Config, watchdog: Watchdog = _PROCESS_WATCHDOG) -> None:
        self._config = config
        self._watchdog = watchdog
        self._lock = threading.Lock()
        self._http: requests.Session | None = None
        self._files_seen: tuple[object, ...] = ()
        self._running: set[Deadline] = set()
        self._is_closed = False
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # its warnings and debug lines name hosts

    @contextlib.contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        deadline_seconds: float,
        params: Mapping[str, str] | None = None,
        json: object = None,
        pause_seconds: float | None = None,
        cap_bytes: int | None = None,
        repeatable: bool = False,
    ) -> Iterator[Body]:
        """An answer with status 200 that is no HTML page, to be read while it arrives.

        Leaving the block early drops the connection. The deadline counts from here to the last byte, with the time
        the caller takes between; `pause_seconds` is the longest wait for a byte, `cap_bytes` the most that may come,
        on the wire and decompressed. `repeatable`: asked once more if a kept-alive connection turns out dead.
        Raises UpstreamError's kinds, also while the body is read.
        """
        deadline = Deadline(deadline_seconds)
        with self._counted(deadline), self._watchdog.watching(deadline):
            request: dict[str, Any] = {
                "method": method,
                "url": self._config.cmsweb_frontend_proxy_url + path,
                "params": params,
                "json": json,
                "headers": self._headers(),
                "timeout": (
                    min(CONNECT_SECONDS, deadline_seconds),
                    min(pause_seconds or deadline_seconds, deadline_seconds),
                ),
            }
            response = self._send(request, deadline, repeatable=repeatable)
            try:
                yield accepted(response, Body(response, deadline, cap_bytes))
            finally:
                response.close()

    def fetch(self, method: str, path: str, *, deadline_seconds: float, cap_bytes: int, **more: Any) -> bytes:
        """The whole body of such an answer; takes what `stream` takes."""
        with self.stream(method, path, deadline_seconds=deadline_seconds, cap_bytes=cap_bytes, **more) as body:
            return b"".join(body)

    def close(self) -> None:
        """Cuts what is under way, from whichever thread; who waits there, and who asks later, gets UpstreamError."""
        with self._lock:
            self._is_closed = True
            for deadline in self._running:
                deadline.cut()
            if self._http is not None:
                self._http.close()

    @contextlib.contextmanager
    def _counted(self, deadline: Deadline) -> Iterator[None]:
        with self._lock:
            if self._is_closed:
                raise UpstreamUnreachable("the session is closed")
            self._running.add(deadline)
        try:
            yield
        finally:
            with self._lock:
                self._running.discard(deadline)

    def _send(self, request: dict[str, Any], deadline: Deadline, *, repeatable: bool) -> requests.Response:
        session = self._current()
        token = current_deadline.set(deadline)
        try:
            try:
                return session.request(**request, stream=True, allow_redirects=False)
            except requests.ConnectionError:
                # A server may close a kept-alive connection at the very moment it is asked again.
                if not repeatable or deadline.has_passed or not deadline.on_used_connection:
                    raise
                return session.request(**request, stream=True, allow_redirects=False)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise translate(error, deadline) from error
        finally:
            current_deadline.reset(token)

    def _headers(self) -> dict[str, str | bytes]:
        headers: dict[str, str | bytes] = {"Accept": "application/json", "Accept-Encoding": "gzip"}
        if self._config.dqm_fff_secret:
            headers["Cookie"] = f"{COOKIE_NAME}={self._config.dqm_fff_secret}".encode()
        return headers

    def _current(self) -> requests.Session:
        """The session of requests, made anew when certificate, key or authorities were replaced on disk."""
        with self._lock:
            files = self._files()
            if self._http is None:
                self._http = self._built()
            elif files != self._files_seen:
                self._replace()
            self._files_seen = files
            return self._http

    def _replace(self) -> None:
        try:
            fresh = self._built()
        except UpstreamRefused as error:
            # Perhaps only the first of the two files is there yet; the next change is tried again.
            log.warning("the replaced certificate is not used: %s", error)
            return
        if self._http is not None:
            self._http.close()
        self._http = fresh
        log.info("certificate read anew")

    def _built(self) -> requests.Session:
        session = _UnredirectedSession()
        session.trust_env = False  # neither HTTP_PROXY nor .netrc nor REQUESTS_CA_BUNDLE
        session.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
        try:
            tls = tls_context(self._config) if uses_tls(self._config) else None
        except ConfigError as error:
            raise UpstreamRefused("; ".join(error.problems)) from error
        for scheme in ("https://", "http://"):
            session.mount(scheme, WatchedAdapter(tls))
        return session

    def _files(self) -> tuple[object, ...]:
        if not uses_tls(self._config):
            return ()
        paths = (self._config.server_grid_cert_path, self._config.server_grid_key_path, self._config.ca_bundle)
        return tuple(_stamp(path) for path in paths if path is not None)


class _UnredirectedSession(requests.Session):
    def get_redirect_target(self, resp: requests.Response) -> None:
        """None, always. Otherwise requests reads the whole body of a redirect, even of one it is not to follow."""


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_ino, stat.st_size
