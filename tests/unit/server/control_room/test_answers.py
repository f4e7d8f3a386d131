import json

import pytest

from dqmsquare.errors import UpstreamMalformed
from dqmsquare.scrub import Scrubber
from dqmsquare.server.control_room.answers import as_text, cleaner, read_answer

CLEAN = cleaner(Scrubber(["dqmfu-c2b01-45-01", "dqmrubu-c2a06-03-01"]))


def read(what: str, answer: object):
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    return read_answer(what, body, CLEAN)


def test_machines_have_their_full_short_names_and_nothing_else_passes_for_one():
    answer = {"playback_c2a06": ["dqmfu-c2b01-45-01.cms", "<b>", 7, "-x", "dqmfu-c2b01-45-01.cms"], "lookarea_x": []}
    assert read("get_dqm_machines", answer) == {"playback": ["dqmfu-c2b01-45-01"], "lookarea": []}
    assert read("get_dqm_machines", ["dqmfu-c2b01-45-01.cms"]) == ["dqmfu-c2b01-45-01"]


def test_versions_are_scrubbed_lines_by_machine():
    answer = {
        "playback_c2a06": {"dqmfu-c2b01-45-01.cms": "hltd-2.9.1\n", "x y": "?", "fu-1.cms": "ssh: 10.176.60.1 down"}
    }
    assert read("get_hltd_versions", answer) == {
        "playback": {"dqmfu-c2b01-45-01": "hltd-2.9.1", "fu-1": "ssh: [address] down"}
    }


def test_an_error_of_dqm2s_shell_is_no_client():
    rows = [["beam_cfg.py", True], ["ssh: Could not resolve", True], ["x_cfg.py;id", False], ["b_cfg.py", 1], [1], "a"]
    assert read("get_dqm_clients", rows) == [["beam_cfg.py", True]]


def test_of_the_playbacks_configuration_what_people_know_is_kept():
    answer = b"""{"source": "/fff/BU0/playback_files/run256936/", "run_key": "pp_run", "number_of_ls": 1500,
        "lumi_timeout": NaN, "lumi_to_skip": [3], "run_unique_key": "4e94e771-add6-41be", "ramdisk": "/fff/BU0/ramdisk"}"""
    assert read("get_simulator_config", answer) == {
        "source": "run256936", "run_key": "pp_run", "number_of_ls": 1500, "lumi_to_skip": [3],
    }  # fmt: skip


def test_runs_are_folders_of_runs_newest_first():
    assert read("get_simulator_runs", ["run256936", "run398183", "", "run1;", "ls: error"]) == [
        "run398183",
        "run256936",
    ]


def test_logs_and_information_are_scrubbed_text_without_markup():
    [log] = read("get_fff_logs", ["root@dqmfu-c2b01-45-01.cms in /nfshome0/somebody/x\n<script>"])
    assert log == "[user]@dqmfu-c2b01-.. in [path]\n<script>"
    assert read("get_cmssw_info", b"\n<strong>Playback:</strong>\nCMSSW <img>") == "Playback:\nCMSSW <img>"


def test_what_cannot_be_cleaned_is_not_shown():
    many = " ".join(f"/home/user{i:04}/x" for i in range(100))
    assert "user0001" not in read("get_fff_logs", [many])[0]


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"null", b"7", b'"host argument not defined"', b"[" * 100_000, b"\xff"]
)
@pytest.mark.parametrize("what", ["get_dqm_machines", "get_hltd_versions", "get_dqm_clients", "get_simulator_config",
                                  "get_simulator_runs", "get_hltd_logs"])  # fmt: skip
def test_an_answer_of_another_shape_is_an_error_of_dqm2s(what, body):
    with pytest.raises(UpstreamMalformed):
        read(what, body)


def test_text_is_json_or_a_line_per_machine():
    versions = {"production": {"b": "2"}, "playback": {"a": "1"}}
    assert as_text(versions) == '{"production": {"b": "2"}, "playback": {"a": "1"}}'
    assert as_text(versions, printable=True) == "a 1\nb 2"
    assert as_text({"playback": ["a", "b"]}, printable=True) == "playback a, b"
    assert as_text(["a", "b"], printable=True) == "a\nb"
    assert as_text("words", printable=True) == "words"
