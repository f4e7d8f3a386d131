import json

import pytest

from dqmsquare.simulator.control_room import ControlRoom
from dqmsquare.simulator.exchange import Answer
from dqmsquare.simulator.plan import Cluster

CLIENT = "beam_dqm_sourceclient-live_cfg.py"


@pytest.fixture
def room() -> ControlRoom:
    clusters = {
        "production": Cluster("production", ("fu-1", "fu-2")),
        "playback": Cluster("playback", ("gate",)),
        "lookarea": Cluster("lookarea", ()),
    }
    return ControlRoom(clusters, "gate", dict)


def text(answer: Answer) -> str:
    return b"".join(answer.pieces).decode()


def ask(room: ControlRoom, **query: str) -> tuple[int, str]:
    answer = room.answer(query)
    return int(answer.status), text(answer)


def test_machines_are_told_with_their_domain_by_cluster_or_by_a_part_of_its_name(room):
    everything = {"production_c2a06": ["fu-1.cms", "fu-2.cms"], "playback_c2a06": ["gate.cms"], "lookarea_c2a06": []}
    assert json.loads(ask(room, what="get_dqm_machines")[1]) == everything
    assert json.loads(ask(room, what="get_dqm_machines", kind="play")[1]) == ["gate.cms"]
    assert json.loads(ask(room, what="get_dqm_machines", kind="x")[1]) == []


@pytest.mark.parametrize("what", ["restart_hltd", "restart_fff"])
def test_a_restart_ends_in_a_500_before_it_does_anything(room, what):
    assert ask(room, what=what, host="fu-1")[0] == 500
    assert room.machines.shell == []
    room.is_mended = True
    assert ask(room, what=what, host="fu-1") == (200, "Ok")


def test_a_start_of_a_playback_run_writes_its_configuration_and_ends_in_a_500(room):
    assert ask(room, what="start_playback_run", run_number="run1", run_key="hi_run", number_of_ls="3")[0] == 500
    assert (room.machines.playback["source"], room.machines.playback["number_of_ls"]) == (
        "/fff/BU0/playback_files/run1", 3,
    )  # fmt: skip
    room.is_mended = True
    started = ask(room, what="start_playback_run", run_number="run2", run_key="", number_of_ls="0")
    assert started == (200, "start_playback_run Ok")
    assert (room.machines.playback["run_key"], room.machines.playback["number_of_ls"]) == ("hi_run", 3)


def test_a_missing_state_switches_a_client_on(room):
    room.machines.machines["fu-1"].active.discard(CLIENT)
    assert ask(room, what="change_dqm_client", host="fu-1", client=CLIENT) == (200, "Ok")
    assert CLIENT in room.machines.machines["fu-1"].active
    assert "File exists" in ask(room, what="change_dqm_client", host="fu-1", client=CLIENT, state="x")[1]
    assert ask(room, what="change_dqm_client", host="fu-1", client=CLIENT, state="0") == (200, "Ok")
    assert CLIENT not in room.machines.machines["fu-1"].active


def test_what_it_is_sent_goes_into_its_shell_as_it_is(room):
    ask(room, what="change_dqm_client", host="-oProxyCommand=x", client="a;id", state="0")
    assert room.machines.shell == ['ssh -oProxyCommand=x "-name a;id -delete"']


def test_an_error_of_ssh_is_answered_as_if_it_were_what_was_asked_for(room):
    [[client, is_on]] = json.loads(ask(room, what="get_dqm_clients", host="nowhere")[1])
    assert ("Could not resolve" in client, is_on) == (True, True)
    assert "Could not resolve" in json.loads(ask(room, what="get_fff_logs", host="nowhere")[1])[0]


@pytest.mark.parametrize("what", ["", "exec", "copy_production_runs", "get_production_runs"])
def test_a_command_that_it_does_not_have_is_a_500(room, what):
    assert ask(room, what=what)[0] == 500
