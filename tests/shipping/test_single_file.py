"""One file for machines without Python, the RPM with it, and the certificate for a browser."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from dqmsquare import __version__
from dqmsquare.simulator.documents import job_document
from tests.certs.authority import Authority
from tests.first_mirror_tables import FirstMirror
from tests.postgres import TestPlace
from tests.shipping.clean_root import CleanRoot
from tests.shipping.conftest import ROOT, needs
from tests.shipping.programs import Surroundings, said
from tests.shipping.test_systemd import Systemd, check_installed_units

SECRET_FILES = {
    "alert_webhook_url", "dqm_cr_usernames", "dqm_fff_secret", "postgres_password", "postgres_server_password",
    "public_id_key",
}  # fmt: skip


def deploy(what: str, dist: Path) -> str:
    ended = said(ROOT / "dqmsquare_deploy.sh", what, DIST=str(dist), WORK=str(dist / "work"))
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the single file; it takes half a minute, so all tests share it."""
    folder = tmp_path_factory.mktemp("dist")
    deploy("build", folder)
    return folder


@pytest.fixture(scope="session")
def rpm(dist: Path) -> Path:
    """The RPM with that file in it."""
    needs("rpmbuild", "rpm")
    return Path(deploy("rpm", dist).splitlines()[-1])


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_the_single_file_takes_the_programs_by_name(dist: Path) -> None:
    program = dist / "dqmsquare_mirror"

    assert "--check" in said(program, "server", "--help").stdout
    assert "--full-check" in said(program, "grabber", "--help").stdout
    assert "upgrade" in said(program, "db", "--help").stdout
    assert (said(program).returncode, said(program, "demo").returncode) == (1, 1)


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_the_single_file_imports_the_first_mirror_and_draws_a_report(
    dist: Path, place: TestPlace, tmp_path: Path
) -> None:
    """Both need what a single file easily lacks: processes that start it again, and the data of libraries."""
    program, settings = dist / "dqmsquare_mirror", [f"{name}={value}" for name, value in place.environ.items()]
    first_mirror = FirstMirror(place.server.host, place.config.database_name("production"))
    first_mirror.make_tables()
    first_mirror.write(
        job_document("fu-c2f11-11-01", 358_000 + n, "csc_dqm_sourceclient-live", n, lumi=9, reported_at=1.66e9)
        | {"_rev": n}
        for n in range(1, 21)
    )

    imported = said("env", *settings, program, "db", "import-first-mirror", "--cluster", "production")
    assert imported.returncode == 0, imported.stderr
    assert place.rows("SELECT count(*) FROM mirror.jobs WHERE has_log") == [(20,)]

    report = tmp_path / "report"
    drawn = said("env", *settings, program, "report", "--from", "358001", "--to", "358020", "--out", report)
    assert drawn.returncode == 0, drawn.stderr
    assert len(list(report.glob("*.png"))) > 3
    assert "csc" in (report / "index.html").read_text()


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_the_rpm_holds_units_settings_and_empty_files_for_secrets(rpm: Path) -> None:
    def listed(query: str) -> list[str]:
        return said("rpm", "-qp", query, rpm).stdout.splitlines()

    assert rpm.name == f"dqmsquare_mirror-{__version__}-1.x86_64.rpm"
    settings = {f"/etc/dqmsquare/{name}" for name in {*SECRET_FILES, "dqmsquare.env"}}
    assert set(listed("-l")) == settings | {
        "/etc/dqmsquare",
        "/opt/dqmsquare_mirror",
        "/opt/dqmsquare_mirror/LICENSE",
        "/opt/dqmsquare_mirror/dqmsquare_mirror",
        "/opt/dqmsquare_mirror/services",
        "/opt/dqmsquare_mirror/services/dqmsquare_mirror_wrapper.sh",
        "/usr/lib/systemd/system/dqmsquare_mirror@.service",
    }
    assert set(listed("-c")) == settings, "an update must not replace what somebody wrote"
    lines = (line.split() for line in listed("--queryformat=[%{FILEMODES:perms} %{FILENAMES}\n]"))
    modes = {name: mode for mode, name in lines}
    assert {name: modes[f"/etc/dqmsquare/{name}"] for name in SECRET_FILES} == dict.fromkeys(SECRET_FILES, "-rw-------")
    assert "systemd >= 250" in listed("-R")


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_what_the_rpm_unpacks_starts_by_its_units(rpm: Path, clean_folder: Path, surroundings: Surroundings) -> None:
    root = CleanRoot(clean_folder / "rpm")
    # Without scripts, for which the folder has no shell, and without asking whether this Debian has a systemd.
    unpack = ("--root", root.upper, "--dbpath", "/var/lib/rpm", "--nodeps", "--noscripts")
    assert said("rpm", "--install", *unpack, rpm).returncode == 0
    (root.upper / "etc" / "systemd" / "system").mkdir(parents=True)
    name = "dqmsquare_mirror@.service"
    shutil.copy(root.upper / "usr/lib/systemd/system" / name, root.upper / "etc/systemd/system" / name)
    for owner in ("production", "playback"):
        surroundings.place.rows("DROP SCHEMA mirror CASCADE", owner)
    upgrade = root.command(
        "/opt/dqmsquare_mirror/dqmsquare_mirror",
        "db",
        "upgrade",
        environ={**surroundings.settings, **surroundings.secrets, "HOME": "/tmp"},
        mounts={**surroundings.mounts, "/tmp": None, "/cinder": None},
    )
    ended = said(*upgrade)
    assert "The tables are ready." in ended.stdout, ended.stderr

    systemd = Systemd(root, surroundings)
    try:
        check_installed_units(systemd)
    finally:
        surroundings.stop()
        systemd.close()


def test_a_wrong_word_is_answered_with_what_there_is() -> None:
    ended = said(ROOT / "dqmsquare_deploy.sh", "help")

    assert ended.returncode == 2
    assert re.search(r"build .*\n +rpm ", ended.stderr), ended.stderr


def test_the_version_stands_in_one_place() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", __version__)
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_a_pem_pair_becomes_a_browsers_database(tmp_path: Path) -> None:
    certutil = needs("certutil", "libnss3-tools")
    pair, renewed = Authority(tmp_path).issue("robot"), Authority(tmp_path, "again").issue("renewed")
    folder = tmp_path / "nss"

    def convert(certificate: Path, key: Path) -> subprocess.CompletedProcess:
        return said(ROOT / "dqmsquare_cert.sh", certificate, key, folder)

    def listed(option: str) -> str:
        # Without a password's file: the database must open without one.
        return said(certutil, option, "-d", f"sql:{folder}").stdout

    assert convert(pair.certificate, pair.key).returncode == 0
    assert "u,u,u" in listed("-L")
    first = listed("-K")
    assert first.count("dqmsquare") == 1
    assert convert(renewed.certificate, renewed.key).returncode == 0
    assert listed("-K").count("dqmsquare") == 1
    assert listed("-K") != first
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in folder.iterdir())
    refused = convert(pair.certificate, renewed.key)
    assert refused.returncode != 0


def test_an_encrypted_key_is_refused_without_a_question(tmp_path: Path) -> None:
    needs("certutil", "libnss3-tools")
    pair = Authority(tmp_path).issue("robot", passphrase=b"secret")

    ended = said(ROOT / "dqmsquare_cert.sh", pair.certificate, pair.key, tmp_path / "nss")

    assert ended.returncode != 0
