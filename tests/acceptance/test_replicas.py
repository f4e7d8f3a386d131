"""Two servers and two grabbers on one PostgreSQL, behind a plain proxy: any one is killed, and nobody notices."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from dqmsquare.simulator import Simulator
from tests.postgres import TestPlace
from tests.programs import Mirror, free_port, mirror_on, wait_for

HOSTS = ("bu-c2f11-09-01", "fu-c2f11-11-01")
NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log; {user}
events {{ worker_connections 512; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  upstream mirror {{ {servers} }}
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://mirror;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_connect_timeout 5s;
    }}
  }}
}}
"""


@pytest.fixture
def proxied_ports(tmp_path: Path) -> Iterator[tuple[int, list[int]]]:
    """The proxy's port, and those of the two servers that it asks in turn."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        pytest.skip("nginx is not here; Debian: apt-get install nginx-light")
    folder, port, behind = tmp_path / "nginx", free_port(), [free_port(), free_port()]
    folder.mkdir()
    text = NGINX.format(
        folder=folder,
        port=port,
        servers="".join(f"server 127.0.0.1:{each} max_fails=0; " for each in behind),
        user="user root;" if os.geteuid() == 0 else "",
    )
    (folder / "nginx.conf").write_text(text)
    command = [program, "-e", f"{folder}/nginx.log", "-c", f"{folder}/nginx.conf"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield port, behind
    process.terminate()
    process.wait(10)


def ask(port: int, path: str) -> tuple[int, bytes]:
    """Status and body, by a connection of its own. Raises what breaks it."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
        connection.request("GET", path)
        with connection.getresponse() as answer:
            return answer.status, answer.read()


class Visitor(threading.Thread):
    """Somebody who asks again and again, each time by a connection of its own; keeps what was no good answer."""

    def __init__(self, port: int, path: str, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port, self._path = port, path
        self.n_answers = 0
        self.failures: list[str] = []
        self.slowest_seconds = 0.0
        self.stopping = stopping

    def run(self) -> None:
        while not self.stopping.wait(0.05):
            begun = time.monotonic()
            try:
                status, _ = ask(self._port, self._path)
                if status != 200:
                    self.failures.append(f"{status}")
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            self.n_answers += 1
            self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - begun)


class OpenPage(threading.Thread):
    """A page with its stream: as a browser does, it comes back with the last id it saw when the stream breaks."""

    def __init__(self, port: int, stopping: threading.Event) -> None:
        super().__init__(daemon=True)
        self._port = port
        self.ids: list[int] = []  # of the changes, in the order they came
        self.n_reloads = 0
        self.n_streams = 0
        self.stopping = stopping

    def run(self) -> None:
        last = ""
        while not self.stopping.is_set():
            try:
                last = self._read(last)
            except (OSError, http.client.HTTPException):
                self.stopping.wait(0.2)

    def _read(self, last: str) -> str:
        headers = {"Last-Event-ID": last} if last else {}
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=8)) as connection:
            connection.request("GET", "/api/v1/clusters/production/events", headers=headers)
            with connection.getresponse() as answer:
                self.n_streams += answer.status == 200
                return self._follow(answer, last)

    def _follow(self, answer: http.client.HTTPResponse, last: str) -> str:
        fields: dict[str, str] = {}
        with suppress(OSError, http.client.HTTPException):
            while (line := answer.readline()) and not self.stopping.is_set():
                name, _, value = line.decode().rstrip("\n").partition(": ")
                if name:
                    fields[name] = value
                    continue
                last = fields.get("id", last)
                if fields.get("event") == "change" and "id" in fields:
                    self.ids.append(int(last.rpartition("-")[2]))
                self.n_reloads += fields.get("event") == "reload"
                fields = {}
        return last


def kill(process: subprocess.Popen) -> None:
    """Everything that runs in a pod is gone at once: the process and those that it started."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    for pid in (process.pid, *map(int, children)):
        os.kill(pid, signal.SIGKILL)
    process.wait()


def newest_change(place: TestPlace) -> int:
    return place.rows("SELECT coalesce(max(change_id), 0) FROM mirror.changes WHERE run IS NOT NULL")[0][0]


def start_server(mirror: Mirror, port: int, number: int) -> subprocess.Popen:
    # Two machines share no folder of short-lived files.
    process = mirror.start("server.py", SERVER_PORT=str(port), TMP_DIR=str(mirror.folder / f"tmp{number}"))
    wait_for(lambda: answers(port), f"server {number} answers")
    return process


def answers(port: int) -> bool:
    try:
        status, body = ask(port, "/api?what=get_info&db=production")
    except (OSError, http.client.HTTPException):
        return False
    return status == 200 and json.loads(body) != [None, None]


def holders(place: TestPlace) -> list[int]:
    return [term for (term,) in place.rows("SELECT term FROM mirror.cursors ORDER BY host_id")]


@pytest.mark.slow
def test_any_one_of_them_is_killed_and_nobody_notices(
    place: TestPlace, tmp_path: Path, proxied_ports: tuple[int, list[int]]
) -> None:
    port, behind = proxied_ports
    with (
        Simulator(production_hosts=HOSTS, play=True, speed=4) as simulator,
        mirror_on(place, simulator, tmp_path) as mirror,
    ):
        grabbers = [mirror.start("grabber.py", "production")]
        wait_for(lambda: holders(place) == [1, 1], "the first grabber has the hosts")
        wait_for(lambda: place.rows("SELECT 1 FROM mirror.runs"), "there is a run")
        grabbers.append(mirror.start("grabber.py", "production"))
        servers = [start_server(mirror, each, number) for number, each in enumerate(behind)]
        stopping = threading.Event()
        paths = ("/", "/api?what=get_info&db=production", "/live/partial?db=production")
        visitors = [Visitor(port, path, stopping) for path in paths]
        pages = [OpenPage(port, stopping) for _ in range(4)]
        for thread in (*visitors, *pages):
            thread.start()
        wait_for(lambda: all(page.ids for page in pages), "the pages are told of changes")

        def goes_on(what: str, seconds: float = 15) -> None:
            stored, seen = newest_change(place), [len(page.ids) for page in pages]
            wait_for(lambda: newest_change(place) > stored, f"documents are stored after {what}", seconds)
            wait_for(
                lambda: all(len(page.ids) > before for page, before in zip(pages, seen, strict=True)),
                f"the pages are told after {what}",
                seconds,
            )

        for number, each in enumerate(behind):
            kill(servers[number])
            goes_on(f"server {number} was killed")
            servers[number] = start_server(mirror, each, number)
        before = holders(place)
        kill(grabbers[0])
        wait_for(lambda: all(now > then for now, then in zip(holders(place), before, strict=True)), "taken over", 15)
        goes_on("the grabber was killed")
        grabbers[0] = mirror.start("grabber.py", "production")
        time.sleep(2)
        standby_terms = holders(place)
        kill(grabbers[0])
        goes_on("the standby was killed")
        assert holders(place) == standby_terms

        stopping.set()
        for thread in (*visitors, *pages):
            thread.join(12)
        said = (tmp_path / "nginx" / "nginx.log").read_text()
        assert [visitor.failures for visitor in visitors] == [[], [], []], said[-2000:]
        assert min(visitor.n_answers for visitor in visitors) > 100
        assert max(visitor.slowest_seconds for visitor in visitors) < 5
        assert max(page.n_streams for page in pages) > 1, "a page's server was killed and it came back"
        for page in pages:
            # In order, none twice, none told to fetch everything anew.
            assert page.ids == sorted(set(page.ids))
            assert page.n_reloads == 0
