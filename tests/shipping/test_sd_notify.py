"""What systemd is told, and that nobody is told anything where there is no systemd."""

import logging
from pathlib import Path

import pytest

from dqmsquare import sd_notify
from tests.shipping.programs import NotifySocket, wait_for


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    socket = NotifySocket(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", str(socket.path))
    yield socket
    socket.close()


def test_it_is_told_in_its_own_words(systemd: NotifySocket) -> None:
    sd_notify.ready()
    sd_notify.alive()
    sd_notify.stopping()

    assert systemd.words() == ["READY=1", "WATCHDOG=1", "STOPPING=1"]


def test_a_process_that_hangs_falls_silent(systemd: NotifySocket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sd_notify, "_INTERVAL_SECONDS", 0.01)
    health = [True]
    end = sd_notify.keep_telling(lambda: health[0], ready_with_it=True)
    wait_for(lambda: systemd.words().count("WATCHDOG=1") > 2, "it is told that all is well")
    assert systemd.words()[:2] == ["READY=1", "WATCHDOG=1"]

    health[0] = False
    n_told = len(systemd.words())
    wait_for(lambda: len(systemd.words()) <= n_told + 2, "one that was under way may come")
    end()

    assert len(systemd.words()) <= n_told + 2


def test_without_systemd_nothing_happens(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)

    sd_notify.ready()

    assert caplog.records == []


def test_a_socket_that_is_gone_is_no_reason_to_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))

    with caplog.at_level(logging.WARNING):
        sd_notify.alive()

    assert [record.getMessage() for record in caplog.records] == [
        "systemd cannot be told WATCHDOG=1 (FileNotFoundError)"
    ]
