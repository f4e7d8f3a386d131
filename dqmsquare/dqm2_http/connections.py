"""How requests reaches DQM²: urllib3's connections, which here name their socket to the deadline of the request that
they serve, and an adapter with one TLS context instead of files that are read at each connection.
"""

import ssl
from contextvars import ContextVar
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from dqmsquare.dqm2_http.watchdog import Deadline

current_deadline: ContextVar[Deadline | None] = ContextVar("current_deadline", default=None)


class _WatchedConnection(HTTPConnection):
    _is_used = False

    def connect(self) -> None:
        self._is_used = False
        super().connect()
        self._name_socket()

    def request(self, *args: Any, **kwargs: Any) -> None:
        if self.sock is not None:
            self._name_socket()
        super().request(*args, **kwargs)
        self._is_used = True

    def _name_socket(self) -> None:
        deadline = current_deadline.get()
        if deadline is not None:
            deadline.watch(self.sock, used_before=self._is_used)


class _WatchedTLSConnection(_WatchedConnection, HTTPSConnection):
    def request(self, *args: Any, **kwargs: Any) -> None:
        try:
            super().request(*args, **kwargs)
        except ssl.SSLEOFError as error:
            # With TLS 1.3 a server may refuse our certificate while we already send. urllib3 goes on to read after
            # a broken pipe, and so finds the server's reason.
            raise BrokenPipeError from error


class _Pool(HTTPConnectionPool):
    ConnectionCls = _WatchedConnection


class _TLSPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTLSConnection


class WatchedAdapter(HTTPAdapter):
    """Connections under deadlines; `tls` decides alone what is verified and which certificate is shown."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        self._tls = tls
        super().__init__()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TLSPool}

    def build_connection_pool_key_attributes(
        self, request: Any, verify: Any, cert: Any = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        host_params, _ = super().build_connection_pool_key_attributes(request, verify, cert)
        return host_params, {"ssl_context": self._tls} if host_params["scheme"] == "https" else {}

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Does nothing: the base class would name files to every connection beside the context."""
