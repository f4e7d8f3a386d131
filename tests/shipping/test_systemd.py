"""The units: what systemd thinks of them, and that exactly what they say starts, as hardened as can be played here."""

import configparser
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from dqmsquare.config import setting_fields
from tests.shipping.clean_root import CleanRoot
from tests.shipping.conftest import ROOT, needs
from tests.shipping.programs import NotifySocket, Surroundings, free_port, get, jobs_of_newest_run, said, wait_for

UNIT = ROOT / "services" / "dqmsquare_mirror@.service"
WRAPPER = "/opt/dqmsquare_mirror/services/dqmsquare_mirror_wrapper.sh"
INSTANCES = ("server", "grabber_production", "grabber_playback")
DYNAMIC_USER = 61184  # the first that systemd gives away
# prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN): what MemoryDenyWriteExecute= asks of the kernel.
DENY_WRITE_EXECUTE = (
    "import ctypes, os, sys; assert ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) == 0; os.execv(sys.argv[1], sys.argv[1:])"
)


@dataclass
class Unit:
    """A unit's lines; a key may stand several times."""

    text: str

    def all(self, key: str) -> list[str]:
        return re.findall(rf"^{key}=(.*)$", self.text, flags=re.MULTILINE)

    def one(self, key: str) -> str:
        [value] = self.all(key)
        return value


def unit() -> Unit:
    return Unit(UNIT.read_text())


def test_systemd_finds_nothing_wrong(tmp_path: Path) -> None:
    needs("systemd-analyze", "systemd")
    for folder in ("etc/systemd/system", Path(WRAPPER).parent.relative_to("/")):
        (tmp_path / folder).mkdir(parents=True)
    wrapper = tmp_path / WRAPPER.lstrip("/")
    wrapper.write_text("#!/bin/sh\n")
    wrapper.chmod(0o755)
    paths = []
    for instance in INSTANCES:
        path = tmp_path / "etc/systemd/system" / f"dqmsquare_mirror@{instance}.service"
        path.write_text(UNIT.read_text().replace("/opt/dqmsquare_mirror", f"{tmp_path}/opt/dqmsquare_mirror"))
        paths.append(path)

    ended = said("systemd-analyze", "verify", *paths)

    assert (ended.returncode, [line for line in ended.stderr.splitlines() if "dqmsquare" in line]) == (0, [])


def test_systemd_counts_little_that_a_broken_in_process_could_do() -> None:
    needs("systemd-analyze", "systemd")
    ended = said("systemd-analyze", "security", "--offline=true", "--threshold=25", "--no-pager", UNIT)

    assert ended.returncode == 0, ended.stdout


def test_every_secret_is_handed_over_as_a_credential() -> None:
    names = {line.split(":")[0].upper() for line in unit().all("LoadCredential")}

    assert names == {field.metadata["name"] for field in setting_fields() if field.metadata["secret"]} | {
        "ROBOTCERT.PEM",
        "ROBOTKEY.PEM",
    }


def test_it_is_started_again_unless_that_cannot_help() -> None:
    assert (unit().one("Restart"), unit().one("RestartPreventExitStatus")) == ("on-failure", "2 78")
    assert (unit().one("Type"), unit().one("StartLimitIntervalSec")) == ("notify", "0")
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.read_string(UNIT.read_text())
    assert parser.sections() == ["Unit", "Service", "Install"]


@pytest.mark.parametrize(
    ("instance", "words"),
    [
        ("robber", "dqmsquare_mirror@grabber_production and dqmsquare_mirror@grabber_playback instead"),
        ("robber_oldruns", "dqmsquare_mirror@grabber_production and"),
        ("parser", "dqmsquare_mirror@grabber_production and"),
        ("grabber", "one for each cluster now"),
        ("", "it is server, grabber_production or grabber_playback"),
    ],
)
def test_an_older_instance_is_told_what_it_is_called_now(instance: str, words: str) -> None:
    wrapper = ROOT / "services" / "dqmsquare_mirror_wrapper.sh"
    ended = said(wrapper, instance)

    assert (ended.returncode, words in ended.stderr) == (2, True), ended.stderr


@pytest.fixture(scope="session")
def installed(clean_folder: Path, wheels: Path) -> CleanRoot:
    """A machine on which somebody followed docs/operations.md."""
    [commands] = re.findall(
        r"^```sh systemd\n(.*?)^```", (ROOT / "docs" / "operations.md").read_text(), re.MULTILINE | re.DOTALL
    )
    root = CleanRoot(clean_folder / "systemd")
    (root.upper / "etc" / "systemd" / "system").mkdir(parents=True)
    environ = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/wheels", "PIP_ROOT_USER_ACTION": "ignore", "HOME": "/home"}
    environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
    root.run("/bin/sh", "-ec", commands, workdir="/src", environ=environ, mounts={"/src": ROOT, "/wheels": wheels})
    return root


class Systemd:
    """Starts an instance as the unit says: user, folders, credentials, socket, read-only system."""

    def __init__(self, root: CleanRoot, surroundings: Surroundings) -> None:
        self.root = root
        self.surroundings = surroundings
        self.unit = Unit((root.upper / "etc/systemd/system/dqmsquare_mirror@.service").read_text())
        self.sockets: list[NotifySocket] = []

    def start(self, instance: str, settings: dict[str, str]):
        folder = self.surroundings.writable(instance, DYNAMIC_USER)
        self.sockets.append(NotifySocket(folder / "notify"))
        credentials = self._credentials(folder)
        mounts = {
            "/run/systemd/notify": folder / "notify",
            f"/run/credentials/{instance}": credentials,
            f"/var/log/{self._named('LogsDirectory', instance)}": self.surroundings.writable(
                f"{instance}-log", DYNAMIC_USER
            ),
            f"/run/{self._named('RuntimeDirectory', instance)}": self.surroundings.writable(
                f"{instance}-run", DYNAMIC_USER
            ),
            "/tmp": None,
            **self.surroundings.mounts,
        }
        environ = dict(pair.split("=", 1) for line in self.unit.all("Environment") for pair in line.split())
        environ = {key: self._specified(value, instance) for key, value in environ.items()}
        file = self.root.upper / self.unit.one("EnvironmentFile").lstrip("/")
        # As in the file, and on top what somebody wrote into it.
        written = dict(re.findall(r"^([A-Z_]+)=(.*)$", file.read_text(), flags=re.MULTILINE))
        environ |= {**written, **settings}
        environ |= {"NOTIFY_SOCKET": "/run/systemd/notify", "CREDENTIALS_DIRECTORY": f"/run/credentials/{instance}"}
        assert self.unit.one("ProcSubset") == "pid"
        assert self.unit.one("MemoryDenyWriteExecute") == "yes"
        command = self.root.command(
            *self._specified(self.unit.one("ExecStart"), instance).split(),
            workdir=self.unit.one("WorkingDirectory"),
            environ=environ,
            mounts=mounts,
            user=DYNAMIC_USER,
            proc_options="hidepid=invisible,subset=pid",
            launcher=("/usr/bin/python3", "-c", DENY_WRITE_EXECUTE),
        )
        return self.surroundings.start(command), self.sockets[-1]

    def _credentials(self, folder: Path) -> Path:
        """What LoadCredential= makes of the files that it names: read by root, seen by this unit's user alone."""
        credentials = self.surroundings.writable(f"{folder.name}-credentials", DYNAMIC_USER)
        robots = self.surroundings.robot_folder(0)
        for line in self.unit.all("LoadCredential"):
            name, path = line.split(":")
            source = robots / name if path.startswith("/etc/robots/") else self.root.upper / path.lstrip("/")
            assert source.stat().st_mode & 0o077 == 0, f"{source} can be read by others"
            content = self.surroundings.secrets.get(name.upper(), "").encode() or source.read_bytes()
            (credentials / name).write_bytes(content)
            (credentials / name).chmod(0o400)
            os.chown(credentials / name, DYNAMIC_USER, DYNAMIC_USER)
        return credentials

    def _named(self, key: str, instance: str) -> str:
        return self._specified(self.unit.one(key), instance)

    def _specified(self, value: str, instance: str) -> str:
        return value.replace("%i", instance).replace("%L", "/var/log").replace("%t", "/run")

    def close(self) -> None:
        for each in self.sockets:
            each.close()


@pytest.fixture
def systemd(installed: CleanRoot, surroundings: Surroundings) -> Iterator[Systemd]:
    made = Systemd(installed, surroundings)
    yield made
    surroundings.stop()
    made.close()


def test_what_the_unit_says_starts_reports_and_answers(systemd: Systemd) -> None:
    check_installed_units(systemd)


def check_installed_units(systemd: Systemd) -> None:
    """Shared with the RPM's test: server and grabber by their units, a page, the watchdog, the end."""
    surroundings, page = systemd.surroundings, free_port()
    begun = time.monotonic()
    settings = {**surroundings.settings, "SERVER_PORT": str(page), "SERVER_URL_PREFIX": "dqm/dqm-square"}
    ports = {instance: free_port() for instance in ("server", "grabber_production")}
    started = {name: systemd.start(name, {**settings, "MONITORING_PORT": str(port)}) for name, port in ports.items()}
    try:
        wait_for(lambda: jobs_of_newest_run(page, "/dqm/dqm-square"), "jobs are shown", 60)
    except AssertionError as error:
        raise AssertionError(surroundings.output()) from error
    for name, (process, notified) in started.items():
        wait_for(partial(notified.is_told_twice, "WATCHDOG=1"), f"{name} says that it is alive")
        assert notified.words()[0] in {"READY=1", "WATCHDOG=1"}
        assert "READY=1" in notified.words()
        assert process.status("Uid").split() == [str(DYNAMIC_USER)] * 4
        shown = str(process.environ())
        assert not [secret for secret in surroundings.secrets.values() if secret in shown]
        assert get(ports[name], "/healthz")[0] == 200
        assert (surroundings.folder / f"{name}-log" / f"{name}.log").exists()
    assert time.monotonic() - begun < 60
    for process, notified in started.values():
        process.process.terminate()
        assert process.process.wait(15) == 0, process.output
        assert "STOPPING=1" in notified.words()


def test_a_secret_that_is_not_there_is_not_set(systemd: Systemd) -> None:
    process, _ = systemd.start("grabber_playback", {**systemd.surroundings.settings, "MONITORING_PORT": "0"})
    wait_for(lambda: "grabbing playback" in process.output, "it grabs", 40)

    shown = process.environ()

    assert shown["DQM_FFF_SECRET_FILE"] == "/run/credentials/grabber_playback/dqm_fff_secret"
    assert "DQM_CR_USERNAMES_FILE" not in shown
    assert shown["SERVER_GRID_KEY_PATH"] == "/run/credentials/grabber_playback/robotkey.pem"


def test_wrong_settings_end_it_with_the_status_that_is_not_tried_again(systemd: Systemd) -> None:
    settings = {**systemd.surroundings.settings, "POSTGRES_PORT": "many"}
    process, _ = systemd.start("server", settings)

    assert process.process.wait(20) == 2
    assert "POSTGRES_PORT" in process.output
