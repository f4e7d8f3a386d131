import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dqmsquare.errors import CommandRefused
from dqmsquare.server.control_room import commands
from dqmsquare.server.control_room.commands import COMMANDS, Who
from dqmsquare.server.control_room.fields import read_fields
from dqmsquare.server.control_room.grammar import Known
from dqmsquare.server.control_room.relay import exe_path
from tests.unit.server.control_room.payloads import TEXTS

ROOT = Path(__file__).resolve().parents[4]
KNOWN = Known(
    {"dqmfu-c2b01-45-01": "playback", "dqmfu-c2b03-45-01": "production"},
    ("cosmic_run", "pp_run", "hi_run"),
    "dqmrubu-c2a06-03-01",
)
GOOD = {
    "host": "dqmfu-c2b01-45-01",
    "client": "beam_dqm_sourceclient-live_cfg.py",
    "state": "0",
    "run_number": "run398183",
    "run_key": "pp_run",
    "number_of_ls": "300",
    "kind": "playback",
    "cluster": "playback",
    "format": "1",
}
PARAMETERS = [(command.what, one.name) for command in COMMANDS.values() for one in command.parameters]
FREE = [(what, name) for what, name in PARAMETERS if name in {"client", "run_number", "number_of_ls"}]


def good(what: str) -> dict[str, str]:
    return {one.name: GOOD[one.name] for one in COMMANDS[what].parameters}


def may_stand(name: str, text: str) -> bool:
    also = {"state": {"0", "1"}, "number_of_ls": {"2"}}
    return text == GOOD[name] or text in also.get(name, set())


@pytest.mark.parametrize(("what", "name"), PARAMETERS)
def test_security_c1_nothing_but_what_may_stand_there_is_taken(what, name):
    taken = []
    for text in TEXTS:
        if may_stand(name, text):
            continue
        try:
            COMMANDS[what].read({**good(what), name: text}, KNOWN)
        except CommandRefused:
            continue
        taken.append(text)
    assert taken == []


@given(pair=st.sampled_from(PARAMETERS), text=st.text())
def test_whatever_is_written_is_refused_or_sent_as_plain_letters(pair, text):
    what, name = pair
    command = COMMANDS[what]
    try:
        values = command.read({**good(what), name: text}, KNOWN)
    except CommandRefused:
        return
    path = exe_path(command.sent(values, KNOWN))
    assert re.fullmatch(r"/cr/exe\?[A-Za-z0-9._=&-]+", path)


@given(
    pair=st.sampled_from(FREE),
    text=st.one_of(
        st.from_regex(r"[A-Za-z0-9-][A-Za-z0-9_./ -]{0,20}_cfg\.py\s?"),
        st.from_regex(r"\srun[0-9]{5,9}\s?"),
        st.from_regex(r"run\d{6,7}"),
        st.from_regex(r"[+-]?\d{1,6}"),
    ),
)
def test_what_looks_nearly_right_is_no_way_in_either(pair, text):
    what, name = pair
    command = COMMANDS[what]
    try:
        values = command.read({**good(what), name: text}, KNOWN)
    except CommandRefused:
        return
    assert values[name] == text
    assert re.fullmatch(r"[A-Za-z0-9._=&-]+", exe_path(command.sent(values, KNOWN)).partition("?")[2])


@st.composite
def queries(draw: st.DrawFn) -> bytes:
    """What a command takes, but for one value that is anything; or anything at all after the command."""
    what, name = draw(st.sampled_from(PARAMETERS))
    odd = {draw(st.just(name) | st.just("x")): draw(st.text() | st.sampled_from(TEXTS))}
    form = urlencode({"what": what, **good(what), **odd}).encode()
    return draw(st.just(form) | st.binary(max_size=50).map(lambda more: b"what=" + what.encode() + b"&" + more))


@given(query=queries())
def test_security_c2_no_query_whatever_makes_an_address_with_anything_else_in_it(query):
    fields = read_fields(query)
    command = COMMANDS.get(fields.values.get("what", ""))
    if command is None:
        return
    try:
        values = command.read({name: text for name, text in fields.checked().items() if name != "what"}, KNOWN)
    except CommandRefused:
        return
    assert re.fullmatch(r"/cr/exe\?[A-Za-z0-9._=&-]+", exe_path(command.sent(values, KNOWN)))


def test_the_addresses_are_ours():
    known = {what: exe_path(command.sent(command.read(good(what), KNOWN), KNOWN)) for what, command in COMMANDS.items()}
    relayed = {what: path for what, path in known.items() if COMMANDS[what].who in {Who.VIEWER, Who.OPERATOR}}
    assert relayed == {
        "get_dqm_machines": "/cr/exe?what=get_dqm_machines&kind=playback",
        "get_hltd_versions": "/cr/exe?what=get_hltd_versions&kind=playback",
        "get_fff_versions": "/cr/exe?what=get_fff_versions&kind=playback",
        "get_cmssw_info": "/cr/exe?what=get_cmssw_info&kind=playback",
        "get_simulator_config": "/cr/exe?what=get_simulator_config&host=dqmrubu-c2a06-03-01",
        "get_simulator_runs": "/cr/exe?what=get_simulator_runs&host=dqmrubu-c2a06-03-01",
        "get_simulator_run_keys": "/cr/exe?what=get_simulator_run_keys",
        "get_dqm_clients": "/cr/exe?what=get_dqm_clients&host=dqmfu-c2b01-45-01&playback=1",
        "get_hltd_logs": "/cr/exe?what=get_hltd_logs&host=dqmfu-c2b01-45-01",
        "get_fff_logs": "/cr/exe?what=get_fff_logs&host=dqmfu-c2b01-45-01",
        "change_dqm_client": "/cr/exe?what=change_dqm_client&host=dqmfu-c2b01-45-01"
        "&client=beam_dqm_sourceclient-live_cfg.py&state=0&playback=1",
        "restart_hltd": "/cr/exe?what=restart_hltd&host=dqmfu-c2b01-45-01",
        "restart_fff": "/cr/exe?what=restart_fff&host=dqmfu-c2b01-45-01",
        "start_playback_run": "/cr/exe?what=start_playback_run&run_number=run398183&run_key=pp_run&number_of_ls=300"
        "&host=dqmrubu-c2a06-03-01",
    }


def test_a_machine_of_production_is_never_treated_as_one_of_the_playback():
    command = COMMANDS["change_dqm_client"]
    values = command.read({**good("change_dqm_client"), "host": "dqmfu-c2b03-45-01"}, KNOWN)
    assert command.sent(values, KNOWN)["playback"] == "0"


@pytest.mark.parametrize(("what", "name"), [pair for pair in PARAMETERS if pair[1] not in {"kind", "format"}])
def test_no_default_of_dqm2_is_ever_used(what, name):
    given_fields = good(what)
    del given_fields[name]
    with pytest.raises(CommandRefused, match=f"{name} is missing"):
        COMMANDS[what].read(given_fields, KNOWN)


@pytest.mark.parametrize("name", ["playback", "cluster", "what", "host[]", "Host", "x", ""])
def test_a_parameter_that_a_command_does_not_take_is_refused(name):
    with pytest.raises(CommandRefused, match="and nothing else"):
        COMMANDS["restart_hltd"].read({"host": GOOD["host"], name: "1"}, KNOWN)


def test_who_may_do_what():
    assert {what: (str(command.who), command.changes) for what, command in COMMANDS.items()} == {
        "get_cluster_status": ("the grabber alone", False),
        "get_dqm_machines": ("viewer", False),
        "get_hltd_versions": ("viewer", False),
        "get_fff_versions": ("viewer", False),
        "get_cmssw_info": ("viewer", False),
        "get_simulator_config": ("viewer", False),
        "get_simulator_runs": ("viewer", False),
        "get_simulator_run_keys": ("viewer", False),
        "get_dqm_clients": ("viewer", False),
        "get_hltd_logs": ("viewer", False),
        "get_fff_logs": ("viewer", False),
        "change_dqm_client": ("operator", True),
        "restart_hltd": ("operator", True),
        "restart_fff": ("operator", True),
        "start_playback_run": ("operator", True),
        "copy_production_runs": ("nobody: DQM² has no such command", False),
        "get_production_runs": ("nobody: DQM² has no such command", False),
    }


def test_the_documentation_has_the_table():
    assert commands.as_table() in (ROOT / "docs" / "control_room.md").read_text(encoding="utf-8")
