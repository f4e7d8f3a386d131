"""From a form's fields to DQM² and the audit: what goes through, what does not, and what is known of it afterwards."""

import threading
import time
from urllib.parse import quote_plus

import pytest

from dqmsquare.server.control_room.commands import COMMANDS, Who
from dqmsquare.simulator import GATEWAY
from tests.integration.control_room_stage import (
    CLIENT,
    PLAYBACK_FU,
    PRODUCTION_FU,
    Stage,
    control_room_stage,
    json_of,
)
from tests.unit.server.control_room.payloads import TEXTS
from tests.unit.server.control_room.test_commands import GOOD, may_stand

OPEN = [command for command in COMMANDS.values() if command.who in {Who.VIEWER, Who.OPERATOR}]

QUERIES = (
    "what=exec", "what=", "what=get_dqm_machines&what=restart_hltd", "what=get_fff_logs&host=a&host=b",
    f"what=get_fff_logs&host={PLAYBACK_FU}&host={PLAYBACK_FU}", "what=get_fff_logs&host[]=a", "x=1",
    f"what=get_fff_logs&host={PLAYBACK_FU}&playback=1", "what=get_dqm_machines&kind=playback&x=1",
    "what=get_fff_logs&host=%ff", "what=get_fff_logs&host", "what=get_fff_logs;host=a", "what=get_dqm_machines%00",
    f"what=get_fff_logs&host={PLAYBACK_FU}%0a", f"what=get_fff_logs&host={PLAYBACK_FU}%2e", "%77hat=restart_hltd%20",
)  # fmt: skip


@pytest.fixture
def stage(place, tmp_path):
    with control_room_stage(place, tmp_path) as stage:
        yield stage


def form(**fields: str) -> str:
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in fields.items())


def good(what: str) -> dict[str, str]:
    return {one.name: GOOD[one.name] for one in COMMANDS[what].parameters}


def test_security_c1_no_payload_in_any_parameter_of_any_command_reaches_dqm2(stage: Stage):
    client = stage.logged_in()
    expected = []
    for command in OPEN:
        for name in [one.name for one in command.parameters] or ["x"]:
            for text in TEXTS:
                if name in GOOD and may_stand(name, text):
                    continue
                body = form(what=command.what, **{**good(command.what), name: text}, token=client.token)
                assert client.post("/cr/exe", body).status == 400, (command.what, name, text)
                expected.append((command.what, "whole", "rejected"))
    assert len(expected) > 1_000
    assert stage.commands_in_audit() == expected
    assert stage.simulator.requests.n_connections == 0


def test_a_query_that_is_not_exactly_so_is_refused_and_noted_once(stage: Stage):
    client = stage.logged_in()
    for query in QUERIES:
        n_noted = len(stage.commands_in_audit())
        assert client.ask(query).status == 400, query
        [(_, stage_word, result)] = stage.commands_in_audit()[n_noted:]
        assert (stage_word, result) == ("whole", "rejected"), query
    assert stage.simulator.requests.n_connections == 0


def test_asking_for_nothing_is_no_try_at_anything(stage: Stage):
    assert stage.logged_in().ask("").status == 400
    assert stage.commands_in_audit() == []


def test_security_f4_what_was_rejected_is_kept_scrubbed_and_clipped(stage: Stage):
    client = stage.logged_in()
    client.act(what="restart_hltd", host=f"{PRODUCTION_FU};cat /nfshome0/somebody/secret")
    client.act(what="restart_hltd", host="x" * 10_000)
    client.act(what="restart_hltd", host=PRODUCTION_FU, password="canary-password")
    kept = [parameters for (parameters,) in stage.audit("parameters", "command = 'restart_hltd'")]
    assert kept[0] == {"host": "dqmfu-c2b03-..;cat [path]"}
    assert len(kept[1]["host"]) == 200
    assert kept[2]["password"] == "[removed]"
    everything = str(stage.place.rows("SELECT * FROM mirror.audit")) + str(
        stage.place.rows("SELECT * FROM mirror.control_room_lists")
    )
    assert not any(host in everything for host in (PRODUCTION_FU, "somebody", "canary"))


@pytest.mark.parametrize("method", ["get", "post"])
def test_what_only_reads_is_answered_to_viewers_by_get_and_post(stage: Stage, method):
    client = stage.logged_in("reader", stepped_up=False)

    def ask(**fields: str):
        return client.ask(form(**fields)) if method == "get" else client.act(**fields)

    machines = json_of(ask(what="get_dqm_machines"))
    assert machines["playback"] == list(stage.simulator.clusters["playback"].hosts)
    assert json_of(ask(what="get_dqm_machines", kind="production")) == machines["production"]
    assert ask(what="get_hltd_versions", format="1").text.splitlines()[0] == "dqmfu-c2b01-45-01 hltd-2.9.1-0.x86_64"
    assert json_of(ask(what="get_simulator_config"))["source"] == "run256936"
    assert json_of(ask(what="get_simulator_runs")) == ["run398183", "run381594", "run358788", "run256936"]
    assert json_of(ask(what="get_simulator_run_keys")) == ["cosmic_run", "pp_run", "hi_run"]
    assert [CLIENT, True] in json_of(ask(what="get_dqm_clients", host=PLAYBACK_FU))
    assert ask(what="get_cmssw_info").text.startswith("Playback:\nCMSSW_")
    logs = ask(what="get_hltd_logs", host=PLAYBACK_FU)
    assert len(json_of(logs)) == 2
    assert "canary" not in logs.text
    assert logs.header("Content-Type") == "text/plain; charset=utf-8"
    assert stage.commands_in_audit() == []


def test_run_keys_are_answered_here(stage: Stage):
    stage.logged_in().ask("what=get_simulator_run_keys")
    assert stage.n_asked == 0


@pytest.mark.parametrize("what", ["copy_production_runs", "get_production_runs"])
def test_what_the_first_mirror_pretended_is_told_as_it_is(stage: Stage, what):
    client = stage.logged_in()
    for answer in (client.ask(f"what={what}"), client.act(what=what, run_number="run398183", number_of_ls="3")):
        assert (answer.status, answer.text) == (404, "DQM² has no such command")
    assert stage.n_asked == 0


def test_the_grabbers_command_is_the_grabbers(stage: Stage):
    assert stage.logged_in().ask("what=get_cluster_status&cluster=playback").status == 403
    assert stage.n_asked == 0


def test_a_client_is_switched_off_and_on(stage: Stage):
    client = stage.logged_in()
    active = stage.simulator.control_room.machines.machines[PLAYBACK_FU].active
    client.ask(form(what="get_dqm_clients", host=PLAYBACK_FU))
    off = client.act(what="change_dqm_client", host=PLAYBACK_FU, client=CLIENT, state="0")
    assert (off.status, off.text, off.header("Dqm-Result")) == (200, "Ok", "done")
    assert CLIENT not in active
    assert client.act(what="change_dqm_client", host=PLAYBACK_FU, client=CLIENT, state="1").status == 200
    assert CLIENT in active
    again = client.act(what="change_dqm_client", host=PLAYBACK_FU, client=CLIENT, state="1")
    assert (again.status, again.header("Dqm-Result")) == (502, "unknown")
    assert "File exists" in again.text
    assert stage.commands_in_audit() == [
        ("change_dqm_client", "begun", None), ("change_dqm_client", "ended", "done"),
        ("change_dqm_client", "begun", None), ("change_dqm_client", "ended", "done"),
        ("change_dqm_client", "begun", None), ("change_dqm_client", "ended", "unknown"),
    ]  # fmt: skip


def test_a_client_must_be_on_the_list_that_dqm2_gave_within_the_minute(stage: Stage):
    client = stage.logged_in()
    change = {"what": "change_dqm_client", "host": PLAYBACK_FU, "client": CLIENT, "state": "0"}
    never = client.act(**change)
    assert (never.status, "older than a minute" in never.text) == (400, True)
    client.ask(form(what="get_dqm_clients", host=PLAYBACK_FU))
    n_asked = stage.n_asked
    assert client.act(**{**change, "client": "nobody_cfg.py"}).text.startswith(
        "nobody_cfg.py is not among the clients of"
    )
    assert client.act(**{**change, "host": PRODUCTION_FU}).status == 400  # that machine's list was not asked for
    stage.clock.advance(seconds=61)
    assert client.act(**change).status == 400
    assert stage.n_asked == n_asked


def test_a_playback_run_must_be_on_the_list_and_its_numbers_are_written_by_us(stage: Stage):
    client = stage.logged_in()
    stage.simulator.control_room.is_mended = True
    start = {"what": "start_playback_run", "run_number": "run398183", "run_key": "hi_run", "number_of_ls": "30"}
    assert client.act(**start).status == 400
    client.ask("what=get_simulator_runs")
    assert client.act(**{**start, "run_number": "run999999"}).status == 400
    answer = client.act(**start)
    assert (answer.status, answer.text) == (200, "start_playback_run Ok")
    playback = stage.simulator.control_room.machines.playback
    assert (playback["source"].rpartition("/")[2], playback["run_key"], playback["number_of_ls"]) == (
        "run398183", "hi_run", 30,
    )  # fmt: skip
    [(host_id, parameters)] = stage.audit("host_id, parameters", "command = 'start_playback_run' AND stage = 'begun'")
    assert host_id == stage.room.host_id(GATEWAY)
    assert parameters == {"run_number": "run398183", "run_key": "hi_run", "number_of_ls": "30"}


def test_f51_dqm2s_defects_read_as_unknown_and_are_not_tried_again(stage: Stage):
    client = stage.logged_in()
    client.ask("what=get_simulator_runs")
    n_asked = stage.n_asked
    for fields in (
        {"what": "restart_hltd", "host": PLAYBACK_FU},
        {"what": "restart_fff", "host": PRODUCTION_FU},
        {"what": "start_playback_run", "run_number": "run398183", "run_key": "pp_run", "number_of_ls": "30"},
    ):
        answer = client.act(**fields)
        assert (answer.status, answer.header("Dqm-Result")) == (502, "unknown")
        assert answer.text.startswith("unknown effect: DQM² answered 500")
    assert stage.n_asked == n_asked + 3
    assert [result for _, stage_word, result in stage.commands_in_audit() if stage_word == "ended"] == ["unknown"] * 3


def test_a_restart_that_dqm2_can_do_is_done(stage: Stage):
    stage.simulator.control_room.is_mended = True
    client = stage.logged_in()
    assert client.act(what="restart_fff", host=PRODUCTION_FU).status == 200
    assert stage.simulator.control_room.machines.machines[PRODUCTION_FU].n_restarts == {"hltd": 0, "fff": 1}
    [row] = stage.audit("account, address, command, cluster, host_id", "stage = 'ended'")
    assert row == ("expert", "127.0.0.1", "restart_fff", "production", stage.room.host_id(PRODUCTION_FU))


@pytest.mark.parametrize(
    ("fault", "result"),
    [
        ("status:503", "unknown"),
        ("html", "failed"),
        ("redirect", "failed"),
        ("break", "unknown"),
        ("status:404", "failed"),
    ],
)
def test_what_the_way_to_dqm2_does_is_told(stage: Stage, fault, result):
    client = stage.logged_in()
    stage.simulator.control_room.is_mended = True
    stage.simulator.faults.set(fault, path="/cr/exe")
    answer = client.act(what="restart_fff", host=PLAYBACK_FU)
    assert (answer.status, answer.header("Dqm-Result")) == (502, result)
    assert "<html" not in answer.text.lower()
    assert stage.n_asked == 1


def test_where_dqm2_cannot_be_reached_nothing_was_sent(stage: Stage):
    client = stage.logged_in()
    stage.simulator.stop()
    answer = client.act(what="restart_fff", host=PLAYBACK_FU)
    assert (answer.status, answer.header("Dqm-Result")) == (502, "failed")
    assert answer.text.startswith("not sent; no answer of DQM²: ")


def test_an_answer_that_is_too_long_or_too_late_is_cut(place, tmp_path):
    with control_room_stage(place, tmp_path, DQM_CR_DEADLINE_SECONDS="1") as stage:
        client = stage.logged_in()
        stage.simulator.faults.set("stream-forever", path="/cr/exe", times=1)
        assert "longer than 2097152 bytes" in client.ask(form(what="get_fff_logs", host=PLAYBACK_FU)).text
        stage.simulator.faults.set("hang", path="/cr/exe", times=1)
        begun = time.monotonic()
        answer = client.act(what="restart_fff", host=PLAYBACK_FU)
        assert (answer.status, answer.header("Dqm-Result")) == (502, "unknown")
        assert time.monotonic() - begun < 5


def test_one_command_at_a_time_on_a_machine_whichever_replica_is_asked(stage: Stage):
    stage.simulator.control_room.is_mended = True
    stage.simulator.faults.set("hang:1.5", path="/cr/exe", times=1)
    first = stage.logged_in()
    other_application, _ = stage.replica()
    second = stage.client(other_application)
    second.cookies, second.token = dict(first.cookies), first.token
    answers = []
    thread = threading.Thread(target=lambda: answers.append(first.act(what="restart_hltd", host=PLAYBACK_FU)))
    thread.start()
    while not stage.commands_in_audit():
        time.sleep(0.02)
    busy = second.act(what="restart_fff", host=PLAYBACK_FU)
    elsewhere = second.act(what="restart_fff", host=PRODUCTION_FU)
    thread.join()
    assert (busy.status, "has not ended yet" in busy.text) == (409, True)
    assert elsewhere.status == 200
    assert answers[0].status == 200
    assert second.act(what="restart_fff", host=PLAYBACK_FU).status == 200
    assert ("restart_fff", "whole", "rejected") in stage.commands_in_audit()


def test_an_action_without_an_end_keeps_its_machine_until_it_reads_as_unknown(place, tmp_path):
    with control_room_stage(place, tmp_path, DQM_CR_DEADLINE_SECONDS="1") as stage:  # unknown after 16 s
        stage.simulator.control_room.is_mended = True
        client = stage.logged_in()
        actor_row = (
            "INSERT INTO mirror.audit (action_id, stage, at, account, address, command, host_id, cluster, parameters, "
            "detail) VALUES ('{id}', 'begun', now() - interval '{age} seconds', 'expert', '::1', 'restart_hltd', "
            f"'{stage.room.host_id(PLAYBACK_FU)}', 'playback', '{{{{}}}}', '')"
        )
        place.rows(actor_row.format(id="a" * 16, age=5))
        assert client.act(what="restart_hltd", host=PLAYBACK_FU).status == 409
        assert "sent…" in client.get("/cr/latest").text
        assert client.get("/cr/machines").soup.select_one("[data-busy]")["data-machine"] == PLAYBACK_FU
        place.rows("ALTER TABLE mirror.audit DISABLE TRIGGER ALL")
        place.rows("UPDATE mirror.audit SET at = at - interval '15 seconds' WHERE stage = 'begun'")
        place.rows("ALTER TABLE mirror.audit ENABLE TRIGGER ALL")
        assert "no answer was noted" in client.get("/cr/latest").text
        assert client.act(what="restart_hltd", host=PLAYBACK_FU).status == 200


def test_viewers_and_a_read_only_room_change_nothing(stage: Stage, place, tmp_path):
    reader = stage.logged_in("reader")
    assert reader.act(what="restart_hltd", host=PLAYBACK_FU).status == 403
    with control_room_stage(place, tmp_path, CONTROL_ROOM="read-only") as closed:
        assert closed.logged_in().act(what="restart_hltd", host=PLAYBACK_FU).status == 403
        assert closed.n_asked == 0
        page = closed.logged_in().get("/cr/").soup
        assert page.select("[data-command], [data-start]") == []
        assert "read-only" in page.select_one(".room-note").text
    assert stage.n_asked == 0


def test_without_a_control_room_there_is_no_address_of_it(place, tmp_path):
    with control_room_stage(place, tmp_path, CONTROL_ROOM="off") as stage:
        client = stage.client()
        for path in ("/cr", "/cr/", "/cr/login/", "/cr/logout/", "/cr/exe?what=get_dqm_machines", "/cr/activity/"):
            assert client.get(path).status == 404
        assert "Control Room" not in client.get("/help").text


def test_without_the_audit_nothing_is_sent(stage: Stage):
    client = stage.logged_in()
    stage.place.rows(f"REVOKE INSERT ON mirror.audit FROM {stage.config.postgres_server_username}")
    try:
        answer = client.act(what="restart_hltd", host=PLAYBACK_FU)
    finally:
        stage.place.rows(f"GRANT INSERT ON mirror.audit TO {stage.config.postgres_server_username}")
    assert (answer.status, stage.n_asked) == (503, 0)
