"""A webhook on the loopback that keeps what it is sent, and misbehaves when it is told to."""

import json
import re
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

SECRET_PATH = "/hooks/a-secret-key"


class Receiver:
    """`status` is what it answers; with `is_hanging` it takes a message and says nothing."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.status = 200
        self.is_hanging = threading.Event()
        self.messages: list[dict[str, str]] = []
        self.n_refused = 0
        self.ended = threading.Event()

    @property
    def keys(self) -> list[str]:
        """The key in each message, in the order in which they came."""
        return [re.findall(r"`([^`]+)`", message["text"])[-1] for message in self.messages]


@contextmanager
def receiving(tls: tuple[Path, Path] | None = None) -> Iterator[Receiver]:
    """A receiver that answers while the block lasts; `tls` is its certificate and key."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if receiver.is_hanging.is_set():
                receiver.ended.wait(20)
            elif receiver.status == 200 and self.path == SECRET_PATH:
                receiver.messages.append(json.loads(body))
            else:
                receiver.n_refused += 1
            self.send_response(receiver.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: object) -> None:
            """Who hangs up in the middle may be what is tested."""

    server = Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    scheme = "http" if tls is None else "https"
    receiver = Receiver(f"{scheme}://127.0.0.1:{server.server_port}{SECRET_PATH}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield receiver
    finally:
        receiver.ended.set()
        server.shutdown()
        server.server_close()
