import csv
import io
from datetime import UTC, datetime, timedelta

from dqmsquare.server.control_room import views
from dqmsquare.server.control_room.activity_pages import as_csv
from dqmsquare.storage.control_room_audit import ActionRow
from dqmsquare.storage.rows import HostRow, PlaybackRow, RunRow
from tests.unit.server.server_fakes import blank

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
NAMES = {"id1": "dqmfu-c2b01-45-01"}


def action(**changed) -> ActionRow:
    values = {
        "action_id": "0" * 16, "account": "expert", "login": None, "dn_hash": None, "address": "127.0.0.1",
        "command": "restart_hltd", "host_id": "id1", "cluster": "playback", "parameters": {"host": "id1"},
        "audit_id": 1, "at": NOW, "result": "done", "detail": "Ok", "seconds": 1.0,
    }  # fmt: skip
    return ActionRow(**{**values, **changed})


def told(**changed) -> tuple[str, str]:
    line = views.action_line(action(**changed), NAMES)
    return line.label, line.object


def test_an_action_is_told_in_words_with_the_machines_full_name():
    assert told() == ("restart hltd", "dqmfu-c2b01-45-01 · playback")
    switched = {"host": "id1", "client": "pixel_dqm_sourceclient-live_cfg.py", "state": "1"}
    assert told(command="change_dqm_client", parameters=switched) == (
        "switch client", "pixel on · dqmfu-c2b01-45-01 · playback"
    )  # fmt: skip
    started = {"number_of_ls": "300", "run_key": "pp_run", "run_number": "run381594"}
    assert told(command="start_playback_run", parameters=started)[1].startswith("run381594 · pp_run · 300 · ")


def test_a_try_that_was_none_is_told_as_it_was():
    assert told(command="exec", host_id=None, cluster=None, parameters={"x": ";id"}) == ("exec", "x=;id")
    assert told(command="", host_id="id2", parameters={}) == ("nothing", f"{views.UNNAMED} · playback")


def test_a_spreadsheet_takes_nothing_for_a_formula():
    line = views.action_line(action(detail="=HYPERLINK(1)", parameters={"host": "id1", "x": "\n"}), NAMES)
    rows = list(csv.reader(io.StringIO(as_csv([line]))))
    assert len(rows) == 2
    assert rows[1][rows[0].index("detail")] == "'=HYPERLINK(1)"


def test_a_machine_nobody_has_told_of_is_unknown_and_not_down():
    hosts = [blank(HostRow, host_id="a", is_up=True), blank(HostRow, host_id="b", is_up=False, message="no route")]
    lines = views.machine_lines(["x", "y", "z"], "playback", {"x": "a", "y": "b", "z": "c"}, hosts, [])
    assert [(line.name, line.status, line.message) for line in lines] == [
        ("x", "up", ""), ("y", "down", "no route"), ("z", "unknown", ""),
    ]  # fmt: skip


def test_a_machine_is_busy_while_a_command_on_it_has_no_end():
    sent = views.action_line(action(result="sent", seconds=None), NAMES)
    [line] = views.machine_lines(["dqmfu-c2b01-45-01"], "playback", {"dqmfu-c2b01-45-01": "id1"}, [], [sent])
    assert line.busy == sent


def test_data_taking_is_said_only_of_a_run_that_is_heard_of():
    run = blank(RunRow, run=398220, n_open=3, last_lumi=214, last_reported_at=NOW - timedelta(seconds=20))
    assert views.data_taking(run, NOW, 900) == "run 398220, 214 lumisections"
    assert views.data_taking(run, NOW + timedelta(hours=1), 900) == ""
    assert views.data_taking(blank(RunRow, run=1, n_open=0, last_reported_at=NOW), NOW, 900) == ""
    assert views.data_taking(None, NOW, 900) == ""


def test_what_plays_now():
    row = blank(PlaybackRow, run=500015, state="running", lumi=37, source_run=256936, n_lumis=1500)
    assert views.playing(row) == "replay of run 256936, lumisection 37 of 1500"
    assert views.playing(blank(PlaybackRow, run=1, state="eor")) == "a replay · at its end"
