"""Log files, heartbeats and the monitoring port: what the processes write and answer beside their work."""

import logging
import multiprocessing
import time
import urllib.error
import urllib.request

import pytest

from dqmsquare import logs
from dqmsquare.monitoring import Heartbeats, MonitoringServer, own_metrics, prepare_folder
from dqmsquare.server import serve
from tests.unit.server.server_fakes import settings


def test_f41_a_folder_that_cannot_be_written_ends_the_process_with_a_sentence(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as ended:
        serve.prepare_monitoring(tmp_path / "file")
    assert ended.value.code == 1
    assert "name another folder" in capsys.readouterr().err


@pytest.fixture
def heartbeats(tmp_path):
    return Heartbeats(prepare_folder(tmp_path, "heartbeats"))


def test_without_a_heartbeat_nothing_is_alive(heartbeats):
    assert (heartbeats.all_alive(), heartbeats.all_ready()) == (False, False)


class _Clock:
    def __init__(self, seconds: float) -> None:
        self.seconds = seconds

    def __call__(self) -> float:
        return self.seconds


def test_a_process_is_alive_for_thirty_seconds_after_its_beat(heartbeats, tmp_path):
    heartbeats.beat(is_ready=True)
    now = time.monotonic()
    later = [Heartbeats(tmp_path / "heartbeats", _Clock(now + age)).all_alive() for age in (0, 29, 31)]
    assert later == [True, True, False]


def test_ready_is_what_each_process_says(heartbeats):
    heartbeats.beat(is_ready=True)
    assert heartbeats.all_ready()
    heartbeats.beat(is_ready=False)
    assert (heartbeats.all_alive(), heartbeats.all_ready()) == (True, False)


def test_the_heartbeat_of_a_process_that_was_replaced_counts_for_nothing(heartbeats, tmp_path):
    ended = multiprocessing.get_context("fork").Process(target=heartbeats.beat, kwargs={"is_ready": False})
    ended.start()
    ended.join()
    assert not heartbeats.all_alive()
    heartbeats.beat(is_ready=True)
    assert heartbeats.all_ready()


def test_a_start_takes_nothing_of_the_last_one_for_alive(heartbeats, tmp_path):
    heartbeats.beat(is_ready=True)
    prepare_folder(tmp_path, "heartbeats")
    assert not heartbeats.all_alive()


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_monitoring_port_answers_with_what_it_is_told():
    told = {"alive": True, "ready": False}
    server = MonitoringServer(
        0, "127.0.0.1", is_alive=lambda: told["alive"], is_ready=lambda: told["ready"], metrics=own_metrics
    )
    server.start()
    try:
        answers = {path: get(server.port, path)[0] for path in ("/healthz", "/readyz", "/metrics", "/metrics?x=1", "/")}
        assert answers == {"/healthz": 200, "/readyz": 503, "/metrics": 200, "/metrics?x=1": 200, "/": 404}
        assert b"# HELP" in get(server.port, "/metrics")[1]
        told.update(alive=False)
        assert get(server.port, "/healthz") == (503, b"no\n")
    finally:
        server.stop()


@pytest.fixture
def logging_restored():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def written(path, words, seconds=5.0):
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at:
        if path.exists() and words in path.read_text():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.usefixtures("logging_restored")
def test_lines_go_to_the_file_and_to_standard_output(tmp_path, capfd):
    stop = logs.start_logging(settings(LOG_DIR=str(tmp_path / "log")), "server")
    logging.getLogger("dqmsquare.x").info("hello\nthere")
    assert written(tmp_path / "log" / "server.log", "INFO dqmsquare.x: hello\\nthere\n")
    stop()
    assert "INFO dqmsquare.x: hello\\nthere\n" in capfd.readouterr().out


@pytest.mark.usefixtures("logging_restored")
def test_f41_a_folder_that_cannot_be_written_leaves_standard_output(tmp_path, capfd):
    (tmp_path / "file").write_text("")
    stop = logs.start_logging(settings(LOG_DIR=str(tmp_path / "file" / "log")), "server")
    logging.getLogger("dqmsquare.x").info("hello")
    stop()
    output = capfd.readouterr().out
    assert "no log file" in output
    assert "hello" in output


@pytest.mark.usefixtures("logging_restored")
def test_f41_a_full_disk_does_not_stop_the_lines_on_standard_output(tmp_path, capfd, monkeypatch):
    (tmp_path / "server.log").symlink_to("/dev/full")
    stop = logs.start_logging(settings(LOG_DIR=str(tmp_path)), "server")
    for number in range(3):
        logging.getLogger("dqmsquare.x").info("line %d", number)
    stop()
    output = capfd.readouterr()
    assert [f"line {number}" in output.out for number in range(3)] == [True, True, True]
    assert "Traceback" not in output.err


def test_of_several_processes_one_turns_the_file_over_and_none_loses_a_line(tmp_path):
    """Each has its own handler on the same file, as forked workers have."""
    path = tmp_path / "server.log"
    handlers = [logs._File(path) for _ in range(2)]
    for number, handler in enumerate(handlers):
        handler.emit(logging.makeLogRecord({"msg": f"before {number}"}))
    for number, handler in enumerate(handlers):
        handler.rolloverAt = int(time.time()) - 1  # midnight has passed
        handler.emit(logging.makeLogRecord({"msg": f"after {number}"}))
    for handler in handlers:
        handler.close()
    old = [each for each in tmp_path.iterdir() if each.name not in {"server.log", "server.log.lock"}]
    assert [each.read_text() for each in old] == ["before 0\nbefore 1\n"]
    assert path.read_text() == "after 0\nafter 1\n"
