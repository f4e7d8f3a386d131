"""Settings: what may stand in them, that all problems are told at once, and that no secret shows."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dqmsquare import config_values
from dqmsquare.config import Config, parse_config
from dqmsquare.errors import ConfigError

ROOT = Path(__file__).resolve().parents[2]
KEY = "k" * 32


def config(role: str = "server", /, **environ: str) -> Config:
    return parse_config(environ, role=role, as_root=False)


def problems(role: str = "server", /, **environ: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        config(role, **environ)
    return caught.value.problems


def test_without_settings_it_is_a_developers_machine() -> None:
    found = config()

    assert (found.development, found.embedded, found.server_bind, found.server_port) == (True, True, "127.0.0.1", 8887)
    assert (found.log_dir, found.tmp_dir) == (Path("log"), Path("tmp"))
    assert found.embedded_postgres_dir == Path("tmp/postgres")


def test_outside_development_the_defaults_are_those_of_cmsweb() -> None:
    found = config(ENV="testbed", POSTGRES_HOST="db", PUBLIC_ID_KEY=KEY)

    assert (found.server_bind, found.server_port) == ("0.0.0.0", 8084)
    assert (found.log_dir, found.tmp_dir) == (Path("/cinder/dqmsquare/log"), Path("/cinder/dqmsquare/tmp"))
    assert found.server_grid_cert_path == Path("/etc/robots/robotcert.pem")


def test_as_root_the_embedded_database_lies_where_its_parents_may_be_opened() -> None:
    found = parse_config({}, role="server", as_root=True)

    assert found.embedded_postgres_dir == Path("/var/lib/dqmsquare/postgres")


@pytest.mark.parametrize(
    ("role", "port"),
    [("server", 18084), ("grabber", 18085), ("grabber_production", 18085), ("grabber_playback", 18086)],
)
def test_processes_on_one_machine_are_watched_on_different_ports(role: str, port: int) -> None:
    found = config(role, CMSWEB_FRONTEND_PROXY_URL="http://127.0.0.1:9215")

    assert found.monitoring_port == port


def test_an_empty_line_means_the_default() -> None:
    assert config(POSTGRES_PORT="", SERVER_WORKERS="  ") == config()


@pytest.mark.parametrize("written", ["dqm/dqm-square", "/dqm/dqm-square", "dqm/dqm-square/", " /dqm/dqm-square/ "])
def test_the_prefix_may_be_written_with_and_without_slashes(written: str) -> None:
    assert config(SERVER_URL_PREFIX=written).server_url_prefix == "/dqm/dqm-square"


@pytest.mark.parametrize("written", ["", "/", " "])
def test_no_prefix_is_no_slash(written: str) -> None:
    assert config(SERVER_URL_PREFIX=written).server_url_prefix == ""


def test_f45_host_names_are_lower_case_and_once() -> None:
    found = config(
        FFF_PLAYBACK_MACHINES=" DQMFU-c2b01-45-01;;dqmfu-c2b01-45-01 ; fu-1", SERVER_FFF_MACHINE="DQMRUBU-1.cms"
    )

    assert found.fff_playback_machines == ("dqmfu-c2b01-45-01", "fu-1")
    assert found.server_fff_machine == "dqmrubu-1.cms"
    assert found.machines("playback") == found.fff_playback_machines


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("AUDIT_RETENTION_DAYS", "0"),
        ("CMSWEB_FRONTEND_PROXY_URL", "ftp://cmsweb.cern.ch"),
        ("CMSWEB_FRONTEND_PROXY_URL", "http://[::1"),
        ("CMSWEB_FRONTEND_PROXY_URL", "https://cmsweb.cern.ch:port"),
        ("CMSWEB_FRONTEND_PROXY_URL", "https://cmsweb.cern.ch/a b"),
        ("CMSWEB_FRONTEND_PROXY_URL", "https://cmsweb.cern.ch/#there"),
        ("CMSWEB_FRONTEND_PROXY_URL", "https://cmsweb.cern.ch?what=exec"),
        ("CMSWEB_FRONTEND_PROXY_URL", "https://user@cmsweb.cern.ch"),
        ("CONTROL_ROOM", "maybe"),
        ("ENV", "prod"),
        ("FFF_PRODUCTION_MACHINES", "-oProxyCommand=x"),
        ("FFF_PRODUCTION_MACHINES", "fu-1,fu-2"),
        ("GRABBER_DEBUG", "2"),
        ("GRABBER_SLEEP_TIME_INFO", "0"),
        ("GRABBER_SLEEP_TIME_INFO", "1e3"),
        ("GRABBER_SLEEP_TIME_INFO", "nan"),
        ("POSTGRES_PLAYBACK_DB_NAME", "a b"),
        ("POSTGRES_PORT", "65536"),
        ("POSTGRES_PORT", "٥٤٣٢"),  # digits, but Arabic ones
        ("POSTGRES_USERNAME", 'me"; DROP ROLE'),
        ("SERVER_FFF_MACHINE", "dqmrubu-1;fu-2"),
        ("SERVER_FFF_MACHINE", "dqmrubu-1/.."),
        ("SERVER_FFF_MACHINE", "-dqmrubu"),
        ("SERVER_URL_PREFIX", "dqm//square"),
        ("SERVER_URL_PREFIX", "../dqm"),
        ("SIMULATOR_RUN_KEYS", "pp_run;$(id)"),
    ],
)
def test_what_may_not_stand_there_is_named_with_what_may(name: str, written: str) -> None:
    (problem,) = problems(**{name: written})

    assert problem.startswith(f"{name}: {written!r} may not stand there; it takes ")


def test_every_problem_is_told_at_once() -> None:
    found = problems(
        ENV="prod", POSTGRES_PORT="x", SERVER_FFF_MACHINE="a b", DQM_FFF_SECRET="s", DQM_FFF_SECRET_FILE="f"
    )

    assert [problem.split()[0] for problem in found] == [
        "ENV:",
        "POSTGRES_PORT:",
        "SERVER_FFF_MACHINE:",
        "DQM_FFF_SECRET",
    ]


def test_f42_f44_settings_that_do_not_fit_together_are_told_at_once() -> None:
    assert [problem.split(maxsplit=1)[0] for problem in problems("grabber", ENV="production", TLS_VERIFY="0")] == [
        "POSTGRES_HOST",
        "TLS_VERIFY=0",
        "DQM_FFF_SECRET",
        "SERVER_GRID_CERT_PATH:",
        "SERVER_GRID_KEY_PATH:",
    ]


@pytest.mark.parametrize(("secret", "is_refused"), [("", True), (" \n", True), ("changeme", True), ("a b\n", False)])
def test_f44_outside_development_the_cookies_secret_must_be_one(secret: str, is_refused: bool) -> None:
    found = problems("grabber", ENV="production", TLS_VERIFY="0", DQM_FFF_SECRET=secret)

    assert any(problem.startswith("DQM_FFF_SECRET is missing") for problem in found) == is_refused
    assert config("grabber", DQM_FFF_SECRET=secret, CMSWEB_FRONTEND_PROXY_URL="http://127.0.0.1:1").development


def test_a_server_elsewhere_needs_the_key_of_the_public_ids() -> None:
    assert problems(POSTGRES_HOST="db")[0].startswith("PUBLIC_ID_KEY is missing")
    assert problems(POSTGRES_HOST="db", PUBLIC_ID_KEY="k" * 31)[0].startswith("PUBLIC_ID_KEY is too short")
    assert config(POSTGRES_HOST="db", PUBLIC_ID_KEY=KEY).public_id_key == KEY.encode()


def test_a_password_keeps_its_spaces_and_loses_the_newline_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(" two words @:/ \r\n")

    assert config(POSTGRES_PASSWORD_FILE=str(file)).postgres_password == " two words @:/ "
    assert config(DQM_CR_USERNAMES="shift: a b ").dqm_cr_usernames == "shift: a b "


def test_f44_the_secret_of_the_cookie_has_no_white_space(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(" 01 23\n45\t\n")

    assert config(DQM_FFF_SECRET_FILE=str(file)).dqm_fff_secret == "012345"


def test_only_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "port"
    file.write_text("1")

    assert config(POSTGRES_PORT_FILE=str(file)).postgres_port == 5432


@pytest.mark.parametrize("path", ["missing", ".", "binary"])
def test_a_secrets_file_that_cannot_be_read_is_told_without_what_is_in_it(path: str, tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff\xfesecret")

    (problem,) = problems(POSTGRES_PASSWORD_FILE=str(tmp_path / path))

    assert problem.startswith("POSTGRES_PASSWORD_FILE cannot be read (")
    assert "secret\xff" not in problem


def test_no_secret_shows_in_the_settings_or_in_a_problem() -> None:
    canary = "canary-canary-canary-canary-canary"
    names = ("POSTGRES_PASSWORD", "POSTGRES_SERVER_PASSWORD", "PUBLIC_ID_KEY", "DQM_FFF_SECRET")
    webhook, account = f"https://chat.example.org/hooks/{canary}", f"shift:{canary}"

    shown = repr(config(ALERT_WEBHOOK_URL=webhook, DQM_CR_USERNAMES=account, **dict.fromkeys(names, canary)))
    told = problems(ALERT_WEBHOOK_URL=canary, DQM_CR_USERNAMES=canary)

    assert canary not in shown + str(told)


def test_a_user_without_a_home_is_told_to_name_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_home(_path: Any) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", no_home)

    with pytest.raises(config_values.Refused, match="no home directory"):
        config_values.path("~/usercert.pem")


def load(folder: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    code = "import dqmsquare_cfg; print(dqmsquare_cfg.load('server').server_port)"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_wrong_settings_end_the_process_with_status_2_and_a_line_for_each(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SERVER_PORT=high\nPOSTGRES_PORT=low\n")

    ended = load(tmp_path, ENV="prod")

    assert ended.returncode == 2
    assert [line.split(": ")[:2] for line in ended.stderr.splitlines()[:-1]] == [
        ["settings", "ENV"],
        ["settings", "POSTGRES_PORT"],
        ["settings", "SERVER_PORT"],
    ]
    assert ".env_sample_production" in ended.stderr.splitlines()[-1]


def test_a_variable_of_the_environment_wins_over_dotenv(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("SERVER_PORT=1111\n")

    assert load(tmp_path).stdout == "1111\n"
    assert load(tmp_path, SERVER_PORT="2222").stdout == "2222\n"
