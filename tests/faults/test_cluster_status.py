"""Cluster status that is odd, and lists of hosts that are."""

import json
from typing import Any

import pytest

from dqmsquare.config import Config, parse_config
from dqmsquare.errors import ConfigError
from dqmsquare.simulator import Simulator
from dqmsquare.storage.host_queries import hosts_of_cluster
from tests.faults.wire import HOST, IDS, Wire, raw_disk
from tests.postgres import TestPlace
from tests.programs import mirror_on, wait_for

REFUSED = (
    "ConnectionError(MaxRetryError(\"HTTPConnectionPool(host='fu-c2f11-11-01.cms', port=9215): Max retries exceeded "
    "(Caused by NewConnectionError('<urllib3.connection.HTTPConnection object at {}>: Connection refused'))\"))"
)


def ask_for_status(wire: Wire, answer: Any) -> None:
    """One question for cluster status, with this answer."""
    wire.simulator.faults.set("body:" + json.dumps(answer), path="/cr/exe", times=1)
    watch = wire.grabber._watch
    watch._pace._due = 0.0
    watch._guarded_step()
    assert watch.lease.held


def statuses(wire: Wire) -> list[tuple[Any, ...]]:
    return wire.place.rows("SELECT host_id, is_up, message FROM mirror.host_statuses ORDER BY since, host_id")


ODD_STATUSES: list[tuple[Any, tuple[Any, ...]]] = [
    ({"up": True, "msg": None}, (True, None)),
    ({"up": "true", "msg": 5}, (None, None)),
    ({"up": False, "msg": "x" * 100_000}, (False, "x" * 500)),
    (
        {"up": False, "msg": "<html><script>alert(1)</script> fu-c2f11-11-01.cms /home/bobby/x"},
        (False, "<html><script>alert(1)</script> fu..01 [path]"),
    ),
    (None, (None, None)),
    ({"up": False, "msg": "nul \0 half \ud800"}, (False, "nul \ufffd half \ufffd")),
]


def test_f46_a_status_is_typed_scrubbed_and_clipped(wire: Wire):
    for told, expected in ODD_STATUSES:
        ask_for_status(wire, {f"{HOST}.cms": told})
        assert statuses(wire)[-1] == (IDS.host(HOST), *expected)


def test_f46_a_message_that_names_another_address_each_time_is_one_status(wire: Wire):
    for address in ("0x7f2a5c0dd0", "0x7f2a5c0e10", "0x55d0c0ffee"):
        ask_for_status(wire, {f"{HOST}.cms": {"up": False, "msg": REFUSED.format(address)}})
    [(_, is_up, message)] = statuses(wire)
    assert is_up is False
    assert "object at 0x…>: Connection refused" in message


def test_f46_hosts_come_and_go_and_the_history_stays_small(wire: Wire):
    both = {f"{HOST}.cms": {"up": True}, "fu-c2f11-11-02.cms": {"up": True}}
    for _ in range(20):
        ask_for_status(wire, both)
    ask_for_status(wire, {f"{HOST}.cms": {"up": True}})
    assert len(statuses(wire)) == 2
    aged = "SET since = since - interval '25 hours', seen_at = seen_at - interval '25 hours'"
    gone = IDS.host("fu-c2f11-11-02")
    wire.place.rows(f"UPDATE mirror.host_statuses {aged} WHERE host_id = '{gone}'")
    with wire.place.reader().reading() as connection:
        assert gone not in {host.host_id for host in hosts_of_cluster(connection)}


def test_f46_an_answer_of_another_shape_changes_no_status(wire: Wire):
    ask_for_status(wire, {f"{HOST}.cms": {"up": True}})
    before = statuses(wire)
    for shape in ("[]", "null", "unknown cluster", '{"x": ', "<html><title>Login</title>"):
        wire.simulator.faults.set("body:" + shape, path="/cr/exe", times=1)
        wire.grabber._watch._pace._due = 0.0
        wire.grabber._watch._guarded_step()
        assert statuses(wire) == before
        [(error,)] = wire.place.rows("SELECT error FROM mirror.status_checks")
        assert error == ("UpstreamRefused" if "Login" in shape else "UpstreamMalformed"), shape


# ---------------------------------------------------------------------------------------------------- lists of hosts


def problems(role: str, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        config(role, **environ)
    return caught.value.problems


def config(role: str, **environ: str) -> Config:
    return parse_config({"CMSWEB_FRONTEND_PROXY_URL": "http://127.0.0.1:1", **environ}, role=role, as_root=False)


def test_f45_the_list_of_the_cluster_that_is_grabbed_must_have_a_host_and_the_others_need_not():
    empty = {"FFF_PRODUCTION_MACHINES": ";"}
    assert problems("grabber_production", **empty) == (
        "FFF_PRODUCTION_MACHINES is empty: name the hosts of the production cluster, semicolons between",
    )
    assert problems("grabber", **empty)[0].startswith("FFF_PRODUCTION_MACHINES is empty")
    assert config("grabber_playback", **empty).machines("production") == ()
    assert config("server", **empty).machines("production") == ()


@pytest.mark.parametrize("typo", ["fu-1,fu-2", "fu_1", "fu-1.cms", "http://fu-1", "fu 1", "-fu"])
def test_f45_what_cannot_be_a_hosts_name_ends_the_start(typo: str):
    (problem,) = problems("grabber_production", FFF_PRODUCTION_MACHINES=typo)
    assert problem.startswith(f"FFF_PRODUCTION_MACHINES: {typo!r} may not stand there; it takes ")


def test_f45_a_host_that_nobody_knows_shows_as_never_seen_and_one_named_twice_is_one(place: TestPlace, tmp_path):
    named = f"{HOST};{HOST.upper()};fu-c2f11-11-99"
    with (
        Simulator(production_hosts=[HOST], playback_hosts=[]) as simulator,
        mirror_on(place, simulator, tmp_path, FFF_PRODUCTION_MACHINES=named) as mirror,
    ):
        simulator.upload(HOST, raw_disk(1, 1))
        mirror.start("grabber.py", "production")
        wait_for(lambda: place.rows("SELECT 1 FROM mirror.host_disks"), "the one that is there is grabbed")
        wait_for(
            lambda: len(place.rows("SELECT 1 FROM mirror.cursors WHERE state IS NOT NULL")) == 2, "both were asked"
        )
        mirror.start_server()
        page = mirror.get("/")[1]
        assert "grabbing production (2 hosts)" in mirror.output(), "a worker for each"
        assert place.rows("SELECT count(*) FROM mirror.hosts WHERE is_configured") == [(2,)]
        assert place.rows("SELECT count(*) FROM mirror.cursors WHERE polled_at IS NULL") == [(1,)]
        assert "never told" in page
        playback = mirror.get("/?db=playback")
        assert (playback[0], "No run" in playback[1] or "no run" in playback[1]) == (200, True)
