"""Volumes that are full, read-only, too small or hang: the lines go to standard output, and work goes on."""

import logging
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from dqmsquare import logs
from dqmsquare.simulator import Simulator
from tests.faults.wire import HOST, raw_disk
from tests.postgres import TestPlace
from tests.programs import ROOT, mirror_on, wait_for
from tests.unit.server.server_fakes import settings


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield logging.getLogger("dqmsquare.x")
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def hanging_file(tmp_path: Path) -> Iterator[Path]:
    """A log file whose volume takes 64 KiB and then no more, as a CephFS that went away: writing to it hangs."""
    path = tmp_path / "server.log"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield path
    os.close(reader)
    for thread in threading.enumerate():
        if thread.name == "log":
            thread.join(5)


def test_f41_a_volume_that_hangs_holds_up_neither_work_nor_standard_output(
    hanging_file: Path, logger: logging.Logger, capfd: pytest.CaptureFixture[str]
):
    stop = logs.start_logging(settings(LOG_DIR=str(hanging_file.parent)), "server")
    slowest = 0.0
    for number in range(15_000):
        begun = time.perf_counter()
        logger.info("line %d", number)
        slowest = max(slowest, time.perf_counter() - begun)
        if number % 5_000 == 4_999:
            time.sleep(0.3)  # standard output keeps up
    begun = time.perf_counter()
    stop()
    assert time.perf_counter() - begun < 4 * logs._LAST_LINES_SECONDS, "told to stop, it stops"
    assert slowest < 1.0
    lines = capfd.readouterr().out.splitlines()
    assert [line.rpartition(": ")[2] for line in lines] == [f"line {number}" for number in range(15_000)]


def test_f41_a_volume_that_hangs_at_the_start_does_not_hold_it_up(
    tmp_path: Path, logger: logging.Logger, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    os.mkfifo(tmp_path / "server.log")  # nobody reads: opening it waits
    monkeypatch.setattr(logs, "_OPEN_SECONDS", 0.2)
    begun = time.perf_counter()
    stop = logs.start_logging(settings(LOG_DIR=str(tmp_path)), "server")
    logger.info("hello")
    stop()
    assert time.perf_counter() - begun < 2
    output = capfd.readouterr().out
    assert "no log file" in output
    assert "does not answer" in output
    assert "hello" in output
    os.close(os.open(tmp_path / "server.log", os.O_RDONLY | os.O_NONBLOCK))  # lets the thread go


def test_f41_lines_that_a_hanging_volume_did_not_take_are_counted_when_it_is_back(
    hanging_file: Path, logger: logging.Logger, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(logs, "_QUEUED_MAX", 100)
    stop = logs.start_logging(settings(LOG_DIR=str(hanging_file.parent)), "server")
    for _ in range(60):
        for _ in range(50):
            logger.info("x" * 100)
        time.sleep(0.001)
    back = os.open(hanging_file, os.O_RDONLY)  # blocking, since the writer is there
    taken = b""

    def is_told() -> bool:
        nonlocal taken
        taken += os.read(back, 65_536)
        logger.info("after")
        return b"lines were dropped" in taken

    wait_for(is_told, "the dropped lines are counted")
    stop()
    os.close(back)
    capfd.readouterr()


def run_script(script: str, folder: Path, before: Callable[[], None] | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], "FOLDER": str(folder), "PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=15,
        check=False,
    )


HANGS = """
import logging, os
from dqmsquare.config import parse_config
from dqmsquare.logs import start_logging
os.mkfifo(os.path.join(os.environ["FOLDER"], "server.log"))
reader = os.open(os.path.join(os.environ["FOLDER"], "server.log"), os.O_RDONLY | os.O_NONBLOCK)
start_logging(parse_config({"LOG_DIR": os.environ["FOLDER"]}, role="server", as_root=False), "server")
for number in range(3000):
    logging.getLogger("x").info("line %d of many", number)
"""


def test_f41_a_process_ends_while_its_volume_hangs(tmp_path: Path):
    ended = run_script(HANGS, tmp_path)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.split()[-3] for line in ended.stdout.splitlines()] == [str(number) for number in range(3000)]


FILLS_UP = """
import logging, os
from dqmsquare.config import parse_config
from dqmsquare.logs import start_logging
stop = start_logging(parse_config({"LOG_DIR": os.environ["FOLDER"]}, role="server", as_root=False), "server")
for number in range(500):
    logging.getLogger("x").info("line %d of many", number)
stop()
"""


def test_f41_a_volume_that_fills_up_costs_the_files_lines_only(tmp_path: Path):
    """A limit of the file's size stands for the volume: its writes fail in the middle of a line."""
    ended = run_script(FILLS_UP, tmp_path, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000)))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert [line.split()[-3] for line in ended.stdout.splitlines()] == [str(number) for number in range(500)]
    assert 9_000 < (tmp_path / "server.log").stat().st_size <= 10_000


def test_f41_a_grabber_goes_on_without_any_folder_that_can_be_written(place: TestPlace, tmp_path: Path):
    (tmp_path / "log").mkdir()
    (tmp_path / "log" / "grabber_production.log").symlink_to("/dev/full")
    (tmp_path / "tmp").write_text("a file in place of the folder: as a volume that is read-only")
    with Simulator(production_hosts=[HOST]) as simulator, mirror_on(place, simulator, tmp_path) as mirror:
        process = mirror.start("grabber.py", "production", GRABBER_DEBUG="1")
        for number in range(3):
            simulator.upload(HOST, raw_disk(number, number))
            wait_for(partial(place.rows, f"SELECT 1 FROM mirror.host_disks WHERE used_bytes = {number}"), "stored")
        assert process.poll() is None
        process.terminate()
        assert process.wait(10) == 0
        output = mirror.output()
    assert "grabbing production (1 hosts)" in output
    assert "stopped" in output
    assert "Traceback" not in output
