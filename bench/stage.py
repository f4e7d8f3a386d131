"""What is measured, started: the mirror's server, today's way and a static file."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from granian.constants import HTTPModes, Interfaces
from granian.server import Server

from bench import todays_way_server
from dqmsquare.documents import read_document
from dqmsquare.identity import PublicIds
from dqmsquare.scrub import Scrubber
from dqmsquare.simulator.documents import files_document
from dqmsquare.storage.host_record import HostRecord
from tests.integration.server_process import ROOT, ServerProcess, free_port, running_server, wait_until
from tests.postgres import KEY, TestPlace

N_CORES = os.cpu_count() or 1
_BUILDER = "dqmrubu-c2a06-01-01"
_NGINX = """
{user} worker_processes {n}; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  server {{ listen 127.0.0.1:{port}; root {folder}/files; }}
}}
"""


@contextmanager
def mirror_server(place: TestPlace, folder: Path, **settings: str) -> Iterator[ServerProcess]:
    """`python server.py` with a process per core, so that nobody has more of the machine than another."""
    folder.mkdir(parents=True, exist_ok=True)
    with running_server(place, folder, **{"SERVER_WORKERS": str(N_CORES), **settings}) as server:
        yield server


@contextmanager
def todays_server(place: TestPlace, folder: Path) -> Iterator[str]:
    """Today's way; yields the address of its API."""
    port = free_port()
    command = [sys.executable, "-m", "bench.todays_way_server", str(port)]
    with _ended(command, folder, port, BENCH_DATABASE=todays_way_server.url(place)):
        yield f"http://127.0.0.1:{port}/api"


@contextmanager
def static_file(n_bytes: int, folder: Path) -> Iterator[str]:
    """A file of so many bytes from nginx, or from Granian where there is no nginx; yields its address."""
    port = free_port()
    with_nginx = shutil.which("nginx") is not None
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    (files / "file").write_bytes(os.urandom(n_bytes))
    if with_nginx:
        settings = folder / "nginx.conf"
        user = "user root;" if os.geteuid() == 0 else ""  # else it gives up root, and may not read the folder
        settings.write_text(_NGINX.format(user=user, n=N_CORES, folder=folder, port=port))
        command = ["nginx", "-c", str(settings), "-g", "daemon off;"]
    else:
        command = [sys.executable, "-m", "bench.stage", str(port), str(files)]
    with _ended(command, folder, port):
        yield f"http://127.0.0.1:{port}/file"


def static_server() -> str:
    """Who gives the static file."""
    return "nginx" if shutil.which("nginx") else "Granian"


@contextmanager
def _ended(command: list[str], folder: Path, port: int, **environ: str) -> Iterator[None]:
    """A process that listens on `port`, until the block ends."""
    with (folder / f"output-{port}").open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environ, stdout=output, stderr=output)
    try:
        wait_until(lambda: process.poll() is not None or _listens(port), 20)
        assert process.poll() is None, (folder / f"output-{port}").read_text()
        yield
    finally:
        process.terminate()
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def deliver(place: TestPlace, run: int, n_lumis: int) -> dict[str, Any]:
    """Stores what a BU delivered for a run, all streams of the simulator; returns them as DQM² has them."""
    raw = files_document(
        _BUILDER, run, started_at=time.time() - (n_lumis + 4) * 23.4, reported_at=time.time(), n_lumis=n_lumis
    )
    raw |= {"_rev": 1, "timestamp": time.time()}
    ids = PublicIds(KEY, "production")
    document = read_document(raw, received_at=datetime.now(UTC), ids=ids, scrubber=Scrubber(()))
    record = HostRecord(place.owner(), ids.host(_BUILDER), takeover_seconds=10)
    assert record.hold()
    record.store([document])
    record.release()
    streams: dict[str, Any] = raw["extra"]["streams"]
    return streams


def _serve_files(port: int, files: Path) -> None:
    server = Server(
        target="bench",
        address="127.0.0.1",
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,
        workers=N_CORES,
        static_path_mount=[files],
        static_path_route=["/"],
    )
    server.serve(target_loader=lambda *_: lambda *_: [], wrap_loader=False)


if __name__ == "__main__":
    _serve_files(int(sys.argv[1]), Path(sys.argv[2]))
