"""The terminal's client as people use it: a program of its own, against a mirror that runs."""

import json
import subprocess
import sys
import time

import pytest

from dqmsquare.simulator import Simulator
from dqmsquare.simulator.documents import job_document
from tests.programs import ROOT, Mirror, mirror_on, wait_for

HOST = "fu-c2f11-11-01"
RUN = 398220
PIXEL, BEAM = "pixel_dqm_sourceclient-live", "beam_dqm_sourceclient-live"


class Terminal:
    """Runs the client; what it prints is what a person, or a pipe, gets."""

    def __init__(self, mirror: Mirror) -> None:
        self.environ = {"PATH": mirror.environ["PATH"], "DQM_MIRROR_URL": mirror.url(""), "COLUMNS": "160", "TZ": "UTC"}

    def start(self, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dqmsquare.client", *arguments]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, cwd=ROOT, env=self.environ, stdout=pipe, stderr=pipe, text=True)

    def run(self, *arguments: str) -> tuple[int, str, str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    def lines(self, *arguments: str) -> list[list[str]]:
        status, out, err = self.run(*arguments)
        assert (status, err) == (0, ""), err
        return [line.split() for line in out.splitlines() if line.strip()]

    def json(self, *arguments: str) -> list:
        status, out, err = self.run(*arguments, "--json")
        assert (status, err) == (0, ""), err
        return [json.loads(line) for line in out.splitlines()]


@pytest.fixture
def mirror(place, tmp_path):
    with Simulator(production_hosts=(HOST,)) as simulator, mirror_on(place, simulator, tmp_path) as mirror:
        mirror.simulator = simulator
        for run in range(RUN - 4, RUN + 1):
            put(mirror, BEAM, run, exit_code=0 if run < RUN else None)
        put(mirror, PIXEL, RUN - 2, exit_code=-11)
        mirror.start("grabber.py", "production")
        mirror.start_server()
        wait_for(lambda: mirror.json("/api?what=get_info") == [RUN - 4, RUN], "the runs are there")
        yield mirror


def put(mirror: Mirror, tag: str, run: int, *, exit_code: int | None, lumi: int = 40) -> None:
    pid = 4000 + run % 100
    document = job_document(HOST, run, tag, pid, lumi=lumi, reported_at=time.time(), exit_code=exit_code)
    mirror.simulator.upload(HOST, document)


def test_the_mirror_can_be_read_in_a_terminal(mirror, tmp_path):
    terminal = Terminal(mirror)
    assert [line[0] for line in terminal.lines("runs")[2:]] == [str(RUN - back) for back in range(5)]
    assert [run["run"] for run in terminal.json("runs", "--bad", "--last", "20")] == [RUN - 2]
    assert [run["run"] for run in terminal.json("runs", "--last", "2")] == [RUN, RUN - 1]

    [run] = terminal.json("run", str(RUN - 2))
    crashed = next(job for job in run["jobs"] if job["client"] == "pixel")
    shown = terminal.run("run", str(RUN - 2))[1]
    assert "crashed · -11 SIGSEGV" in shown
    assert crashed["job_id"] in shown

    status, log, _ = terminal.run("job", crashed["job_id"], "--log")
    assert (status, log) == (0, mirror.get(f"/jobs/{crashed['job_id']}/log.txt")[1])
    assert "-- process exit: -11 --" in log
    [facts] = terminal.json("job", crashed["job_id"])
    assert facts["exit_code"] == -11

    written = terminal.json("logs", str(RUN - 2), "--out", str(tmp_path / "logs"))
    assert [one["client"] for one in written] == ["pixel"]  # who finishes well leaves no log at DQM²
    files = {path.name: path.read_text() for path in (tmp_path / "logs").iterdir()}
    assert files[f"{RUN - 2}-pixel-{crashed['job_id']}.log"] == log

    assert [host["label"] for host in terminal.json("hosts")] == ["fu..01"]
    assert [one["name"] for one in terminal.json("statistics")]
    clients = terminal.json("statistics", "clients", "--from", str(RUN - 4))
    assert {row["client"] for row in clients} == {"beam", "pixel"}


def test_a_log_is_followed_while_its_job_lives(mirror):
    [run] = Terminal(mirror).json("run")
    [job] = run["jobs"]
    following = Terminal(mirror).start("job", job["job_id"], "--log", "--follow")
    try:
        assert following.stdout is not None
        assert following.stdout.readline() != ""
        time.sleep(1.0)
        put(mirror, BEAM, RUN, exit_code=-11, lumi=42)
        out, _ = following.communicate(timeout=20)
        assert following.returncode == 0
        assert out.rstrip().endswith("-- process exit: -11 --")
    finally:
        following.kill()


def test_what_goes_wrong_is_a_sentence_and_a_status(mirror):
    terminal = Terminal(mirror)
    assert terminal.run("run", "5") == (1, "", "There is no such run.\n")
    assert terminal.run("job", "nonsense") == (1, "", "There is no such job.\n")
    status, out, err = terminal.run("runs", "--url", "http://127.0.0.1:9")
    assert (status, out) == (69, "")
    assert "cannot be reached" in err
    assert "Traceback" not in err
    cut = subprocess.run(
        f"{sys.executable} -m dqmsquare.client runs --json | head -1",
        shell=True,
        check=True,
        cwd=ROOT,
        env=terminal.environ,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (len(cut.stdout.splitlines()), cut.stderr) == (1, "")
