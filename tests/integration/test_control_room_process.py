"""The Control Room of a real server process: killed in the middle, started wrongly, and its tool."""

import os
import signal
import subprocess
import sys
import threading
from http.client import HTTPException
from pathlib import Path

from dqmsquare.simulator import Simulator
from tests.control_room_client import SETTINGS, Client
from tests.integration.control_room_stage import PLAYBACK_FU, PRODUCTION_FU
from tests.postgres import TestPlace
from tests.programs import ROOT, mirror_on, wait_for


def kill_all(server: subprocess.Popen[bytes]) -> None:
    """The server and its workers, at once."""
    workers = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for pid in (server.pid, *map(int, workers)):
        os.kill(pid, signal.SIGKILL)
    server.wait()


def test_f51_a_server_that_is_killed_while_dqm2_works_leaves_an_action_of_unknown_effect(place: TestPlace, tmp_path):
    with Simulator() as simulator, mirror_on(place, simulator, tmp_path, **SETTINGS) as mirror:
        simulator.control_room.is_mended = True
        server = mirror.start_server()
        client = Client(mirror.url(""))
        assert client.log_in().status == 303
        assert client.step_up().status == 200
        simulator.faults.set("hang", path="/cr/exe", times=1)
        broken: list[Exception] = []

        def restart() -> None:
            try:
                client.act(what="restart_hltd", host=PLAYBACK_FU)
            except (OSError, HTTPException) as error:
                broken.append(error)

        thread = threading.Thread(target=restart)
        thread.start()
        wait_for(lambda: simulator.requests.count("/cr/exe") == 1, "the command is at DQM²")
        kill_all(server)
        thread.join()
        assert len(broken) == 1
        mirror.start_server()
        assert client.get("/cr/latest").soup.select(".result")[0].text == "sent…"
        assert client.act(what="restart_fff", host=PLAYBACK_FU).status == 409
        assert client.act(what="restart_fff", host=PRODUCTION_FU).status == 200
        place.rows("ALTER TABLE mirror.audit DISABLE TRIGGER ALL")
        place.rows("UPDATE mirror.audit SET at = at - interval '90 seconds'")
        place.rows("ALTER TABLE mirror.audit ENABLE TRIGGER ALL")
        results = client.get("/cr/latest").soup.select(".result")
        assert "no answer was noted" in results[-1].text
        assert client.act(what="restart_fff", host=PLAYBACK_FU).status == 200
        assert simulator.requests.count("/cr/exe") == 3  # it was not sent again
        assert PLAYBACK_FU not in mirror.output()


def run_server(*arguments: str, typed: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "server.py", *arguments],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **settings},
        input=typed,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_security_a5_a_server_in_production_does_not_start_with_plain_passwords():
    settings = {"ENV": "production", "POSTGRES_HOST": "db", "PUBLIC_ID_KEY": "k" * 32}
    ended = run_server("--check", **settings, **SETTINGS)
    assert ended.returncode == 2
    assert "the password of expert, reader is not hashed" in ended.stderr
    assert "CMS_AUTH_REQUIRE is missing" in ended.stderr
    assert "enough" not in ended.stderr


def test_the_tool_prints_what_the_setting_takes():
    made = run_server("hash-password", typed="a long enough password\n")
    assert (made.returncode, made.stdout.startswith("$argon2id$v=19$")) == (0, True)
    refused = run_server("hash-password", typed="short\n")
    assert (refused.returncode, refused.stdout, refused.stderr) == (1, "", "A password has at least 12 characters.\n")
