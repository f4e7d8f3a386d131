"""HTTP or TLS in front of a gateway: the standard library's threading server, made to stop at once."""

import contextlib
import logging
import select
import socket
import ssl
import struct
import sys
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from dqmsquare.simulator.exchange import Answer, Request, error_page
from dqmsquare.simulator.gateway import Gateway

log = logging.getLogger(__name__)
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER without waiting: TCP sends a reset
_HANDSHAKE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Tls:
    """The server's certificate and key, and the authority that must have signed a client's certificate."""

    cert: Path
    key: Path
    client_ca: Path | None = None

    def context(self) -> ssl.SSLContext:
        """A server's context; with `client_ca` a client without a certificate of it is refused."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.cert, self.key)
        if self.client_ca:
            context.load_verify_locations(self.client_ca)
            context.verify_mode = ssl.CERT_REQUIRED
        return context


class Server(ThreadingHTTPServer):
    """Serves one gateway under a prefix until `stop()`."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], gateway: Gateway, prefix: str = "", tls: Tls | None = None) -> None:
        super().__init__(address, _Handler)
        self.gateway = gateway
        self.prefix = prefix
        self.stopping = threading.Event()
        self._context = tls.context() if tls else None
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="simulator", daemon=True)

    @property
    def origin(self) -> str:
        """Scheme, address and port."""
        scheme = "https" if self._context else "http"
        return f"{scheme}://{self.server_address[0]!s}:{self.server_address[1]}"

    def start(self) -> None:
        """Begins to serve, in a thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends every connection and waits for the threads."""
        self.stopping.set()
        if self._thread.is_alive():  # otherwise shutdown() would wait for a loop that never ran
            self.shutdown()
            self._thread.join()
        with self._lock:
            still_open = dict(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in still_open.values():
            thread.join(timeout=5.0)
        self.server_close()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """One connection, in its own thread: the handshake too, so that a slow one holds nobody up."""
        with self._lock:
            self._open[request] = threading.current_thread()
        self.gateway.visits.note_connection()
        try:
            secured = None if self.stopping.is_set() else self._secured(request)
            if secured is not None:
                super().process_request_thread(secured, client_address)
        finally:
            with self._lock:
                self._open.pop(request, None)
            request.close()

    def _secured(self, connection: socket.socket) -> socket.socket | None:
        if self._context is None:
            return connection
        connection.settimeout(_HANDSHAKE_SECONDS)
        try:
            secured = self._context.wrap_socket(connection, server_side=True)
        except OSError as error:  # ssl.SSLError is one
            log.debug("handshake refused: %s", error)
            self.gateway.visits.note_refusal()
            return None
        secured.settimeout(None)
        with self._lock:
            self._open[secured] = threading.current_thread()
        return secured

    def shutdown_request(self, request: Any) -> None:
        """Ends one connection."""
        with self._lock:
            self._open.pop(request, None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  (the base class's)
        """A client that went away in the middle is nothing to write home about."""
        log.debug("connection of %s ended: %r", client_address, sys.exception())


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 64 * 1024  # a small answer leaves in one packet, head and body
    server_version = "dqm2-simulator"
    disable_nagle_algorithm = True
    server: Server

    def do_GET(self) -> None:
        self._exchange()

    def do_POST(self) -> None:
        self._exchange()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's name)
        log.debug(format, *args)

    def _exchange(self) -> None:
        parts = urlsplit(self.path)
        request = Request(
            method=self.command,
            path=self._inner_path(parts.path),
            query=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            peer=self.client_address[0],
        )
        try:
            answer = self.server.gateway.answer(request)
        except Exception:
            # Anything that went wrong in here is shown the way upstream's framework does.
            log.exception("request for %s failed", request.path)
            answer = error_page(500)
        self._send(answer)

    def _inner_path(self, path: str) -> str:
        prefix = self.server.prefix
        if path.startswith(("/__ctl", "/_upload", "/auth/")) or not prefix:
            return path
        return path.removeprefix(prefix) if path.startswith(f"{prefix}/") else "/not-here"

    def _send(self, answer: Answer) -> None:
        if self._waited_in_vain(answer.wait_seconds):
            self.close_connection = True
            return
        if answer.breaks_off:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            self.close_connection = True
            return
        chunked = answer.n_bytes is None and self.request_version != "HTTP/1.0"
        if answer.ends_early or (answer.n_bytes is None and not chunked):
            self.close_connection = True
        self._send_head(answer, chunked=chunked)
        self._send_pieces(answer, chunked=chunked)

    def _send_head(self, answer: Answer, *, chunked: bool) -> None:
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        # The front-end sets its own cookie at each answer; a client must not keep it.
        self.send_header("Set-Cookie", "cms-auth=canary-front-end-cookie; path=/; secure; httponly")
        for name, value in answer.headers:
            self.send_header(name, value)
        if chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif answer.n_bytes is not None:
            self.send_header("Content-Length", str(answer.n_bytes))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()

    def _send_pieces(self, answer: Answer, *, chunked: bool) -> None:
        for piece in answer.pieces:
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
            if answer.pause_seconds:
                self.wfile.flush()
                if self._waited_in_vain(answer.pause_seconds):
                    self.close_connection = True
                    return
        if chunked and not answer.ends_early:
            self.wfile.write(b"0\r\n\r\n")

    def _waited_in_vain(self, seconds: float) -> bool:
        """Waits; True if the client left meanwhile or the server stops."""
        poller = select.poll()
        poller.register(self.connection, select.POLLIN)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.server.stopping.is_set() or poller.poll(1000 * min(left, 0.1)):
                return True
        return False
