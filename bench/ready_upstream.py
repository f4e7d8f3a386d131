"""A DQM² whose answers are made beforehand, so that a measurement is not one of the simulator: `Ready` starts it.

Beyond the documents it was given it has copies of them under other ids, runs and revisions: as many as are wanted.
"""

import http.server
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from dqmsquare.simulator import Simulator
from dqmsquare.simulator.protocol import DocumentsRequest, answer, read_messages
from dqmsquare.simulator.store import HostStore, encode_inside
from tests.programs import ROOT, free_port, wait_for

HOST = "fu-c2f11-11-04"
FIRST_COPY_RUN = 400_000
JOBS_OF_A_RUN = 31
_OPENING = b'{"messages": ["' + encode_inside('{"event": "update_documents", "documents": [')
_CLOSING = encode_inside("]}") + b'"]}'


def documents_of_one_host(n_documents: int, seed: int = 1) -> list[dict[str, Any]]:
    """The last states of jobs of many runs, as the simulator makes them: every one another log and other series."""
    n_runs = n_documents // 25 + 2
    simulator = Simulator(production_hosts=(HOST,), playback_hosts=(), history_runs=n_runs, seed=seed)
    store = simulator.stores[HOST]
    ids = [i for i in store.newest_ids(len(store)) if i.startswith("dqm-source-state")][-n_documents:]
    return [document for start in range(0, len(ids), 100) for document in store.documents(ids[start : start + 100])]


class _Stock:
    """Documents ready to be sent, by id."""

    def __init__(self, documents: list[dict[str, Any]], n_headers: int) -> None:
        self.store = HostStore(HOST)
        self._texts = [json.dumps(document) for document in documents]
        self._documents = documents
        self._positions: dict[str, tuple[int, int]] = {}
        for number in range(n_headers):
            self._add(number)
        self._encoded: dict[int, bytes] = {}

    def _add(self, number: int) -> None:
        document = self._documents[number % len(self._documents)]
        copied_run = FIRST_COPY_RUN + number // JOBS_OF_A_RUN
        is_copy = number >= len(self._documents)
        run = copied_run if is_copy else document["run"]
        document_id = f"dqm-source-state-run{run}-host{HOST}-pid{number:06d}" if is_copy else document["_id"]
        about = {name: document[name] for name in ("hostname", "type", "tag", "timestamp")}
        self.store.add_lazily({"_id": document_id, "run": run} | about, self)
        self._positions[document_id] = number, run

    def make(self, document_id: str) -> dict[str, Any]:
        raise LookupError(f"{document_id} is sent as text, by `answer` below, and never made")

    def encoded(self, document_id: str) -> bytes:
        """A document as it stands inside a message."""
        number, run = self._positions[document_id]
        base = number % len(self._documents)
        document = self._documents[base]
        if base not in self._encoded:
            self._encoded[base] = encode_inside(self._texts[base])
        encoded = self._encoded[base]
        for field, value in (("_id", document_id), ("_rev", number + 1), ("run", run)):
            old, new = (encode_inside(f'"{field}": {json.dumps(v)}') for v in (document[field], value))
            encoded = encoded.replace(old, new, 1)
        return encoded


def _handler(stock: _Stock) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 64 * 1024

        def do_POST(self) -> None:
            (message,) = read_messages(self.rfile.read(int(self.headers["Content-Length"])))
            if isinstance(message, DocumentsRequest):
                body = [_OPENING, b", ".join(map(stock.encoded, message.ids)), _CLOSING]
                self._send(iter(body), sum(map(len, body)))
            else:
                self._send(answer(stock.store, [message]), None)

        def _send(self, pieces: Iterator[bytes], n_bytes: int | None) -> None:
            self.send_response(200)
            name, value = ("Transfer-Encoding", "chunked") if n_bytes is None else ("Content-Length", str(n_bytes))
            self.send_header(name, value)
            self.end_headers()
            try:
                for piece in pieces:
                    self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if n_bytes is None else piece)
                if n_bytes is None:
                    self.wfile.write(b"0\r\n\r\n")
            except OSError:  # the grabber has what it wanted
                self.close_connection = True

        def do_GET(self) -> None:
            body = b"{}"  # nobody's status
            self._send(iter([body]), len(body))

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base class's word)
            pass

    return Handler


class _Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """The grabber hangs up on what it has heard enough of."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


@contextmanager
def ready_upstream(folder: Path, documents: list[dict[str, Any]], n_headers: int | None = None) -> Iterator[str]:
    """Yields the address of one that has `n_headers` (default: as many as documents), in a process of its own."""
    stock, port = folder / "documents.json", free_port()
    stock.write_text(json.dumps(documents))
    command = [sys.executable, "-m", "bench.ready_upstream", str(port), str(stock), str(n_headers or len(documents))]
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        wait_for(lambda: process.stdout and process.stdout.readline().strip() == "ready", "upstream is ready", 120)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)
        process.stdout.close()


def _serve(port: int, path: Path, n_headers: int) -> None:
    stock = _Stock(json.loads(path.read_text()), n_headers)
    server = _Server(("127.0.0.1", port), _handler(stock))
    print("ready", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    _serve(int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
