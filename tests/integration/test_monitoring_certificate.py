"""The hourly look at the certificate."""

import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from dqmsquare.config import Config, parse_config
from dqmsquare.grabber.certificate_check import CertificateCheck
from tests.certs.authority import Authority

NOW = datetime.now(UTC)


def config_with(folder: Path, days: int) -> Config:
    pair = Authority(folder).issue("robot", valid_until=NOW + timedelta(days=days, hours=1))
    environ = {
        "CMSWEB_FRONTEND_PROXY_URL": "https://127.0.0.1:1",
        "SERVER_GRID_CERT_PATH": str(pair.certificate),
        "SERVER_GRID_KEY_PATH": str(pair.key),
    }
    return parse_config(environ, role="grabber", as_root=False)


@pytest.mark.parametrize(
    ("days", "said"),
    [(30, []), (20, ["the grid certificate expires in 20 days: renew it"])],
)
def test_f42_what_is_soon_is_said(days: int, said: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    check = CertificateCheck(config_with(tmp_path, days), lambda: 0.0, lambda: NOW)

    with caplog.at_level(logging.WARNING):
        check()

    assert [record.getMessage() for record in caplog.records] == said


def test_f42_it_looks_once_an_hour(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = [0.0]
    check = CertificateCheck(config_with(tmp_path, 5), lambda: clock[0], lambda: NOW)

    for clock[0] in (0.0, 1.0, 3599.0, 3601.0, 3602.0):
        check()

    assert len(caplog.records) == 2


def test_f42_an_expired_one_is_said_to_be(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    CertificateCheck(config_with(tmp_path, 5), lambda: 0.0, lambda: NOW + timedelta(days=9))()

    assert "expired on" in caplog.records[0].getMessage()
