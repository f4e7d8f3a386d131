"""What a feed's connections may do: numbers that hold, memory that stays, one sick host beside healthy ones."""

import multiprocessing
import resource
import time
import zlib
from functools import partial
from typing import Any

from dqmsquare.config import parse_config
from dqmsquare.dqm2_http import Dqm2Session
from dqmsquare.errors import UpstreamMalformed, UpstreamUnreachable
from dqmsquare.grabber import upstream
from dqmsquare.grabber.pace import Outage, Pace
from dqmsquare.grabber.upstream import HostFeed
from dqmsquare.simulator import Simulator
from tests.faults.wire import Wire, raw_disk
from tests.integration.dqm2_peer import answering, endless, peer
from tests.integration.test_monitoring import ask, value
from tests.postgres import TestPlace
from tests.programs import free_port, mirror_on, wait_for

MEBIBYTE = 2**20
HOSTS = ("fu-c2f11-11-01", "fu-c2f11-11-02", "fu-c2f11-11-03", "fu-c2f11-11-04")


def test_f2_f3_f4_f7_the_limits_are_those_that_were_promised():
    config = parse_config({}, role="database", as_root=False)
    assert config.upstream_deadline_seconds == 30
    assert (config.listing_deadline_seconds, config.listing_pause_seconds) == (300, 30)
    assert (config.backoff_max_seconds, config.auth_retry_seconds) == (10, 60)
    assert upstream.DOCUMENTS_MAX_BYTES == 64 * MEBIBYTE
    assert upstream.MESSAGE_MAX_BYTES == 2 * MEBIBYTE


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_f1_a_host_that_alone_cannot_be_reached_is_logged_by_itself_and_costs_the_others_nothing(caplog: Any):
    caplog.set_level("INFO")
    clock = Clock()
    config = parse_config({}, role="database", as_root=False)
    outage = Outage(3.0, clock)
    sick, well = (Pace(f"host fu..0{n}", 1.0, config, outage, clock) for n in (1, 2))
    n_well = 0
    for _ in range(1200):  # two minutes
        clock.now += 0.1
        if well.seconds_left() == 0 and well.may_start():
            n_well += 1
            well.succeeded()
        if sick.seconds_left() == 0 and sick.may_start():
            sick.failed(UpstreamUnreachable("the connection was refused"))
    assert caplog.messages == ["host fu..01 fails: the connection was refused"]
    assert n_well >= 118
    sick.succeeded()
    assert caplog.messages[1].startswith("host fu..01 is back after ")


def _growth_of_documents(url: str, told: Any) -> None:
    """Runs in a process of its own, whose memory nothing else has raised before."""
    config = parse_config({"CMSWEB_FRONTEND_PROXY_URL": url}, role="grabber", as_root=False)
    feed = HostFeed(Dqm2Session(config), config, "fu-1", "hostid")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    try:
        found = feed.documents(["a"]).unreadable["a"]
    except UpstreamMalformed as error:
        found = error.kind
    told.put((found, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))


def growth(url: str) -> tuple[str, float]:
    """The kind of error and the growth of resident memory in MiB."""
    context = multiprocessing.get_context("spawn")
    told = context.SimpleQueue()
    process = context.Process(target=_growth_of_documents, args=(url, told))
    process.start()
    found = told.get()
    process.join()
    return found


def test_f4_two_gibibytes_in_a_small_archive_stay_small_in_memory():
    squeezer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = squeezer.compress(b'{"messages": [') + squeezer.flush(zlib.Z_FULL_FLUSH)
    bomb = start + 2048 * (squeezer.compress(b" " * MEBIBYTE) + squeezer.flush(zlib.Z_FULL_FLUSH))
    assert len(bomb) < 3 * MEBIBYTE
    with peer(answering(bomb, headers="Content-Encoding: gzip\r\n")) as server:
        kind, mebibytes = growth(server.url)
    assert (kind, mebibytes < 150) == ("too-large", True), mebibytes


def test_f4_an_answer_without_end_stays_small_in_memory():
    with peer(endless(b'{"messages": ["' + b"x" * MEBIBYTE)) as server:
        kind, mebibytes = growth(server.url)
    assert (kind, mebibytes < 150) == ("too-large", True), mebibytes


def test_f4_an_answer_that_is_too_large_is_counted(wire: Wire):
    wire.upload(1)
    wire.settle()
    wire.simulator.faults.set("stream-forever", event="sync_request", times=1)
    wire.cycle()
    assert wire.counted("protocol_errors_total", kind="too-large") == 1
    wire.upload(2)
    wire.settle()


def test_f1_f5_f7_sick_hosts_are_told_apart_and_delay_nobody(place: TestPlace, tmp_path):
    """One breaks off, one shows an error page, one a login, and one is well: a process, its lines and its metrics."""
    page = f"<html><title>502 Bad Gateway: {HOSTS[1]}.cms /home/bobby/x {'x' * 5000}</title>" + "secret-body " * 9000
    with (
        Simulator(production_hosts=HOSTS, playback_hosts=[]) as simulator,
        mirror_on(place, simulator, tmp_path, GRABBER_SLEEP_TIME_INFO="0.5") as mirror,
    ):
        port = free_port()
        mirror.start("grabber.py", "production", MONITORING_PORT=str(port))
        polled = "SELECT count(*) FROM mirror.cursors WHERE polled_at IS NOT NULL"
        wait_for(lambda: place.rows(polled) == [(4,)], "all are polled")
        simulator.faults.set("break", path="/redirect", host=HOSTS[0])
        simulator.faults.set("body:" + page, path="/redirect", host=HOSTS[1])
        simulator.faults.set("html", path="/redirect", host=HOSTS[2])
        simulator.requests.clear()
        slowest = 0.0
        for number in range(8):
            simulator.upload(HOSTS[3], raw_disk(number, number, HOSTS[3]))
            begun = time.monotonic()
            wait_for(partial(place.rows, f"SELECT 1 FROM mirror.host_disks WHERE used_bytes = {number}"), "stored")
            slowest = max(slowest, time.monotonic() - begun) if number else 0.0
            time.sleep(0.4)
        assert slowest < 5
        states = place.rows(
            "SELECT c.state, count(*) FROM mirror.cursors c JOIN mirror.hosts h USING (host_id) GROUP BY 1 ORDER BY 1"
        )
        assert states == [("auth", 1), ("backoff", 2), ("live", 1)]
        text = ask(port, "/metrics")[1]
        kinds = {
            kind
            for kind in ("refused", "unavailable", "unreachable")
            if value(text, "dqm_grabber_protocol_errors_total", kind=kind)
        }
        assert kinds == {"refused", "unavailable", "unreachable"}
        assert value(text, "dqm_grabber_backoff_seconds") is not None
        assert (ask(port, "/healthz")[0], ask(port, "/readyz")[0]) == (200, 200), "a sick host is no sick grabber"
        # A login page is not asked for again at once: every minute.
        assert simulator.requests.count(path="/redirect", host=HOSTS[2]) <= 2
        assert simulator.requests.count(path="/redirect", host=HOSTS[0]) <= 8
        warnings = [line for line in mirror.output().splitlines() if " WARNING " in line]
    assert len(warnings) == 3, warnings
    assert all(len(line) < 400 for line in warnings)
    assert "502 Bad Gateway" in "".join(warnings)
    assert not [part for part in ("c2f11", "bobby", "secret-body") if part in "".join(warnings)]
