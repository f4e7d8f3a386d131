"""Threads that die or hang, and what the monitoring port says of it."""

import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dqmsquare.grabber import crashes as crashes_module
from dqmsquare.grabber import supervisor
from dqmsquare.grabber.crashes import Crashes
from dqmsquare.simulator import GATEWAY, Simulator
from tests.faults.wire import HOST, IDS, Wire, raw_disk
from tests.integration.test_monitoring import ask, value
from tests.postgres import TestPlace
from tests.programs import ROOT, free_port, wait_for

OTHER = "fu-c2f11-11-02"


def test_f49_a_crash_waits_longer_each_time_and_five_in_ten_minutes_are_too_many():
    now = [0.0]
    crashes = Crashes(lambda: now[0])

    def at(seconds: float) -> tuple[float, bool]:
        now[0] = seconds
        return crashes.note(), crashes.too_many

    assert [at(seconds) for seconds in (0, 100, 200, 300, 599)] == [
        (1, False), (2, False), (4, False), (8, False), (16, True)
    ]  # fmt: skip
    assert at(620) == (16, True)
    assert at(5000) == (1, False)
    assert (crashes_module._MAX_CRASHES, crashes_module._WINDOW_SECONDS) == (5, 600.0)


# A grabber in which something raises what nobody expects, named by the place.
BROKEN = """
import os, sys
from dqmsquare.grabber import alarms, cluster_watch, crashes, keeper, replication

crashes._FIRST_WAIT_SECONDS = 0.1

def broken(*_, **__):
    raise ZeroDivisionError("nobody expected this")

where = os.environ["BREAK"]
if where == "host":
    cycle = replication.Replication.cycle
    sick = os.environ["SICK"]
    replication.Replication.cycle = lambda self: broken() if self._record.host_id == sick else cycle(self)
elif where == "status":
    cluster_watch.ClusterWatch._step = broken
elif where == "alarms":
    alarms.AlarmWatch.step = broken
else:
    keeper.stamp = broken
import grabber
sys.argv = ["grabber.py", "production"]
sys.exit(grabber.main())
"""


@contextmanager
def broken_grabber(place: TestPlace, simulator: Simulator, folder: Path, where: str) -> Iterator[Any]:
    """The process and its output; it is killed at the end if it still runs."""
    environ = {
        **place.environ,
        "PATH": os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "CMSWEB_FRONTEND_PROXY_URL": simulator.url,
        "SERVER_FFF_MACHINE": GATEWAY,
        "FFF_PRODUCTION_MACHINES": f"{HOST};{OTHER}",
        "BACKOFF_MAX_SECONDS": "1.5",
        "BREAK": where,
        "SICK": IDS.host(HOST),
    }
    output = folder / "output"
    with output.open("w") as file:
        process = subprocess.Popen([sys.executable, "-c", BROKEN], cwd=ROOT, env=environ, stdout=file, stderr=file)
    try:
        yield process, output
    finally:
        process.kill()
        process.wait()


def test_f49_a_worker_that_dies_is_started_again_and_after_five_times_the_process_gives_up(
    place: TestPlace, tmp_path: Path
):
    with (
        Simulator(production_hosts=[HOST, OTHER]) as simulator,
        broken_grabber(place, simulator, tmp_path, "host") as (process, output),
    ):
        simulator.upload(OTHER, raw_disk(1, 1, OTHER))
        wait_for(lambda: place.rows("SELECT 1 FROM mirror.host_disks WHERE used_bytes = 1"), "the other is grabbed")
        assert process.poll() is None
        simulator.upload(OTHER, raw_disk(2, 2, OTHER))
        wait_for(lambda: place.rows("SELECT 1 FROM mirror.host_disks WHERE used_bytes = 2"), "and goes on")
        assert process.wait(30) == 70
        text = output.read_text()
    at = [line[:24] for line in text.splitlines() if "unexpected error" in line]
    seconds = [float(stamp[17:23]) for stamp in at]
    gaps = [(after - before) % 60 for before, after in itertools.pairwise(seconds)]
    assert len(at) == 5
    assert min(gaps) > 0.7, "it was left alone in between"
    assert "giving up, to be started afresh: host fu..01" in text


@pytest.mark.parametrize("where", ["status", "alarms", "stamps"])
def test_f49_so_do_the_threads_beside_the_workers(place: TestPlace, tmp_path: Path, where: str):
    with (
        Simulator(production_hosts=[HOST, OTHER]) as simulator,
        broken_grabber(place, simulator, tmp_path, where) as (process, output),
    ):
        wait_for(lambda: output.read_text().count("unexpected error") >= 2, "it goes on after the first")
        assert process.poll() is None
        assert process.wait(30) == 70
        assert output.read_text().count("unexpected error") >= 5


def test_f49_an_error_while_a_failure_is_written_down_does_not_end_the_thread(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    wire.upload(1)
    wire.settle()

    def broken(_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(wire.worker._replication, "record_failure", broken)
    wire.simulator.faults.set("status:502", times=1)
    wire.cycle()  # does not raise
    wire.upload(2)
    wire.settle()


def test_f49_any_thread_without_a_sign_of_life_for_two_minutes_is_not_alive(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
):
    grabber, record = wire.grabber, wire.grabber._records[0]
    monkeypatch.setattr(threading.Thread, "ident", 1)  # as if they were started
    for thread in (wire.worker, grabber._keeper, grabber._watch, grabber._alarms.watch):
        thread.beat_at = time.monotonic() - 119
        assert grabber.is_alive()
        record.stored_at = thread.beat_at = time.monotonic() - 121
        assert not grabber.is_alive()
        thread.beat_at = time.monotonic()
    wire.worker.beat_at, record.stored_at = time.monotonic() - 500, time.monotonic()
    assert grabber.is_alive(), "a long answer that is stored batch by batch is a sign of life too"


def test_f49_the_monitoring_port_tells_a_worker_that_hangs(wire: Wire, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(supervisor, "_SILENT_SECONDS", 3.0)
    monitoring = supervisor._monitoring_server(
        replace(wire.config, monitoring_port=free_port()), [wire.grabber], wire.metrics
    )
    assert monitoring is not None
    go_on = threading.Event()
    cycle = wire.worker._replication.cycle
    wire.upload(1)
    wire.grabber.start()
    try:
        wait_for(lambda: ask(monitoring.port, "/readyz")[0] == 200, "it is ready")
        wait_for(lambda: value(ask(monitoring.port, "/metrics")[1], "dqm_grabber_up") == 1, "it polls")
        assert ask(monitoring.port, "/healthz") == (200, "ok\n")
        monkeypatch.setattr(wire.worker._replication, "cycle", lambda: go_on.wait(20) and cycle())
        wait_for(lambda: ask(monitoring.port, "/healthz") == (503, "no\n"), "it hangs", 8)
        assert ask(monitoring.port, "/readyz")[0] == 200, "its database is there all the same"
        go_on.set()
        wait_for(lambda: ask(monitoring.port, "/healthz")[0] == 200, "it lives again", 8)
    finally:
        go_on.set()
        supervisor._stop([wire.grabber])
        monitoring.stop()
