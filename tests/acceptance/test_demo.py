"""`make demo` as a new user has it: an address within seconds, a run that moves on, an end by Ctrl-C, and its data again."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.programs import ROOT, free_port, wait_for


@pytest.fixture
def folder() -> Iterator[Path]:
    """In the system's temporary folder: a socket's path is short, and root's database opens every folder above it."""
    with tempfile.TemporaryDirectory(prefix="mirror-demo-", ignore_cleanup_errors=True) as name:
        yield Path(name)


@contextmanager
def _demo(folder: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "SERVER_PORT": str(port),
        "MONITORING_PORT": "0",
        "EMBEDDED_POSTGRES_DIR": str(folder / "postgres"),
        "LOG_DIR": str(folder / "log"),
        "TMP_DIR": str(folder / "tmp"),
    }
    output = (folder / "output").open("w")
    process = subprocess.Popen(
        [sys.executable, "-m", "dqmsquare.demo"], cwd=ROOT, env=environ, stdout=output, stderr=output
    )
    try:
        wait_for(lambda: "The mirror is at" in (folder / "output").read_text(), "the address is printed", 60)
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
            process.wait(30)
        output.close()


def _page(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
        return answer.read().decode()


def test_the_demo_shows_a_live_run_stops_on_ctrl_c_and_starts_again_with_its_data(folder: Path):
    port = free_port()
    with _demo(folder, port) as process:
        wait_for(lambda: "beam" in _page(port, "/"), "a run is shown")
        run = int(re.findall(r"Run (\d+)", _page(port, "/"))[0])
        before = _page(port, f"/api?what=get_run&run={run}")
        first = int(_page(port, "/api?what=get_info")[1:-1].split(",")[0])
        wait_for(lambda: _page(port, f"/api?what=get_run&run={run}") != before, "the run moves on")
        wait_for(lambda: "beam" in _page(port, "/?db=playback"), "the playback is shown")
        wait_for(lambda: int(_page(port, "/api?what=get_info")[1:-1].split(",")[0]) < first, "history is filled in", 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert "Stopping" in (folder / "output").read_text()
    with _demo(folder, port):
        assert int(_page(port, "/api?what=get_info")[1:-1].split(",")[0]) < first, "what was grabbed before is there"
