"""The holes of the first mirror, by their numbers, each with a test that it is gone."""

import re
import subprocess
import sys

import pytest

from dqmsquare.simulator import Simulator, Tls
from tests.certs.authority import Authority
from tests.integration.control_room_stage import PLAYBACK_FU, PRODUCTION_FU, Stage, control_room_stage
from tests.programs import ROOT


@pytest.fixture
def stage(place, tmp_path):
    with control_room_stage(place, tmp_path) as stage:
        yield stage


def test_h1_a_cookie_with_an_accounts_name_opens_nothing(stage: Stage):
    for name in ("dqmsquare-mirror-cr-account", "__Secure-dqmcr"):
        assert stage.client(cookies={name: "expert"}).get("/cr/").status == 401


def test_h2_what_somebody_writes_is_not_what_dqm2_is_asked(stage: Stage, monkeypatch):
    asked: list[dict[str, str]] = []
    room = stage.simulator.control_room
    answer = room.answer

    def noted(query):
        asked.append(dict(query))
        return answer(query)

    monkeypatch.setattr(room, "answer", noted)
    client = stage.logged_in()
    client.ask("format=1&kind=play%62ack&what=get_dqm_machines")
    client.ask(f"host={PLAYBACK_FU}&what=get_dqm_clients")
    client.ask(f"what=get_dqm_clients&host={PRODUCTION_FU}")
    client.ask("what=exec&x=$(id)")
    assert asked == [
        {"what": "get_dqm_machines", "kind": "playback"},
        {"what": "get_dqm_clients", "host": PLAYBACK_FU, "playback": "1"},
        {"what": "get_dqm_clients", "host": PRODUCTION_FU, "playback": "0"},
    ]


def test_h3_a_link_restarts_no_machine(stage: Stage):
    stage.simulator.control_room.is_mended = True
    assert stage.logged_in().ask(f"what=restart_hltd&host={PLAYBACK_FU}").status == 405
    assert stage.n_asked == 0


def test_h4_nothing_is_run_that_was_read():
    files = [*ROOT.glob("dqmsquare/**/*.py"), *ROOT.glob("static/js/**/*.js")]
    assert [path.name for path in files if re.search(r"(?<!\.)\b(eval|exec)\(|new Function", path.read_text())] == []


def test_h5_what_dqm2_says_is_text(stage: Stage):
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    stage.simulator.faults.set(f'body:["{hostile}"]', path="/cr/exe")
    client = stage.logged_in()
    page = client.get(f"/cr/logs/{stage.room.host_id(PLAYBACK_FU)}/fff")
    assert (page.status, hostile in page.text, page.soup.select("img")) == (200, False, [])
    answer = client.ask(f"what=get_fff_logs&host={PLAYBACK_FU}")
    assert answer.header("Content-Type") == "text/plain; charset=utf-8"
    assert answer.header("X-Content-Type-Options") == "nosniff"


def test_h6_whoever_answers_for_dqm2_must_prove_it(place, tmp_path):
    authority = Authority(tmp_path)
    server, robot = authority.issue("dqm2", hosts=["127.0.0.1"]), authority.issue("robot")
    with Simulator(tls=Tls(server.certificate, server.key)) as simulator:
        files = {"SERVER_GRID_CERT_PATH": str(robot.certificate), "SERVER_GRID_KEY_PATH": str(robot.key)}
        stage = Stage(place, simulator, tmp_path, files)
        answer = stage.logged_in().act(what="restart_hltd", host=PLAYBACK_FU)
        assert (answer.status, answer.header("Dqm-Result")) == (502, "failed")
        assert "certificate cannot be verified" in answer.text
        assert simulator.requests.count("/cr/exe") == 0


@pytest.mark.parametrize(
    "path", ["/tmp/x.txt", "/log/server.log", "/tmp/log/server.log", "/static/..%2f.env", "/static/%2e%2e/.env"]
)
def test_h7_no_file_of_the_server_is_served_by_its_path(stage: Stage, path):
    assert stage.client().get(path).status == 404


def test_h8_a_password_shows_nowhere_and_is_hashed_in_the_settings(stage: Stage):
    assert "enough" not in repr(stage.config)
    made = subprocess.run([sys.executable, "server.py", "hash-password"], cwd=ROOT, input="twelve characters\n",
                          capture_output=True, text=True, timeout=60, check=True)  # fmt: skip
    assert made.stdout.startswith("$argon2id$")


def test_h9_an_error_shows_no_more_than_a_sentence(stage: Stage):
    client = stage.logged_in()
    stage.simulator.faults.set("status:500", path="/cr/exe")
    answer = client.ask(f"what=get_fff_logs&host={PLAYBACK_FU}")
    assert (answer.status, answer.text) == (502, "DQM² answered 500")
    stage.simulator.stop()
    answer = client.ask(f"what=get_fff_logs&host={PLAYBACK_FU}")
    assert (answer.status, "127.0.0.1" in answer.text, "Error(" in answer.text) == (502, False, False)


def test_h10_a_page_takes_nothing_from_elsewhere(stage: Stage):
    client = stage.logged_in()
    for path in ("/cr/", "/cr/activity/", "/cr/alarms/"):
        page = client.get(path)
        taken = [one.get("src") or one.get("href") for one in page.soup.select("script, link, img")]
        assert all(address.startswith("/") and not address.startswith("//") for address in taken)
        assert "script-src 'self'" in (page.header("Content-Security-Policy") or "")
