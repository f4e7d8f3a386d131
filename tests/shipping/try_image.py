"""Tries the image without a Docker engine: `make image-try`, as root.

The Dockerfile's steps run in a clean root: by default this machine's /usr and nothing else of it; with --debootstrap a
Debian made for the purpose (two minutes; it is kept in tmp/). Then server and grabbers start in it, read-only and without
rights, against a simulated DQM² and an embedded PostgreSQL.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from dqmsquare.config import CLUSTERS, parse_config
from dqmsquare.simulator import Simulator
from dqmsquare.storage.opening import find_place, upgrade
from tests.programs import wait_for
from tests.shipping.clean_root import UNPRIVILEGED, Image, build_image, can_make_roots
from tests.shipping.programs import free_port, get, jobs_of_newest_run

ROOT = Path(__file__).resolve().parents[2]
DEBIAN = ROOT / "tmp" / "debian-bookworm"
PREFIX = "dqm/dqm-square"


def debootstrapped() -> Path:
    """A Debian 12 with Python and nothing else, from where this machine's apt gets its packages."""
    if not (DEBIAN / "usr" / "bin" / "python3").exists():
        words = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]
        mirror = subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()[0]
        options = ["--variant=minbase", "--include=python3-venv,ca-certificates"]
        subprocess.run(["debootstrap", *options, "bookworm", DEBIAN, mirror], check=True, stdout=subprocess.DEVNULL)
    return DEBIAN


def fetch_wheels(folder: Path) -> Path:
    """The packages of requirements.txt, fetched with their hashes."""
    folder.mkdir()
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "-qq",
        "--require-hashes",
        "--no-deps",
        "--only-binary",
        ":all:",
    ]
    subprocess.run([*command, "-r", ROOT / "requirements.txt", "-d", folder], check=True)
    return folder


def run_in(image: Image, folder: Path, simulator: Simulator) -> None:
    """Starts all that the image can start, and looks whether a page shows jobs."""
    environ = {"ENV": "development", "EMBEDDED_POSTGRES_DIR": str(folder / "postgres")}
    config = parse_config(environ, role="database", as_root=True)
    place = find_place(config)
    upgrade(config, place)
    volume = folder / "volume"
    volume.mkdir()
    os.chown(volume, UNPRIVILEGED, UNPRIVILEGED)
    page, monitoring = free_port(), [free_port() for _ in range(3)]
    hosts = {f"FFF_{name.upper()}_MACHINES": ";".join(simulator.clusters[name].hosts) for name in CLUSTERS}
    settings = {
        # Development, since the simulator is asked by http; everything else as in service.
        "POSTGRES_HOST": "/run/postgresql",
        "PUBLIC_ID_KEY": place.key.decode(),
        "CMSWEB_FRONTEND_PROXY_URL": simulator.url,
        "SERVER_URL_PREFIX": PREFIX,
        "SERVER_PORT": str(page),
        "LOG_DIR": "/cinder/dqmsquare/log",
        "TMP_DIR": "/cinder/dqmsquare/tmp",
        **hosts,
    }
    socket = ".s.PGSQL.5432"
    mounts = {f"/run/postgresql/{socket}": Path(place.host, socket), "/cinder/dqmsquare": volume, "/tmp": None}
    roles = (image.command, [*image.command[:1], "grabber", "production"], [*image.command[:1], "grabber", "playback"])
    output = (folder / "output").open("w+")
    processes = [
        subprocess.Popen(
            image.root.command(
                *role,
                workdir=image.workdir,
                environ={**image.environ, **settings, "MONITORING_PORT": str(port)},
                mounts=mounts,
                user=UNPRIVILEGED,
            ),
            stdout=output,
            stderr=output,
        )
        for role, port in zip(roles, monitoring, strict=True)
    ]
    try:
        wait_for(lambda: jobs_of_newest_run(page, f"/{PREFIX}"), "a page shows jobs", 60)
        wait_for(lambda: all(get(port, "/readyz")[0] == 200 for port in monitoring), "all are ready")
        print(f"uid {UNPRIVILEGED}, read-only: {len(jobs_of_newest_run(page, f'/{PREFIX}'))} jobs are shown")
    except AssertionError:
        print((folder / "output").read_text())
        raise
    finally:
        for process in processes:
            process.terminate()
        statuses = [process.wait(20) for process in processes]
        output.close()
    print(f"told to end, they ended with {statuses}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--debootstrap", action="store_true", help="on a Debian made for the purpose")
    arguments = parser.parse_args()
    if not can_make_roots():
        print("a clean root is made by root, on a Debian with python3-venv", file=sys.stderr)
        return 1
    folder = Path(tempfile.mkdtemp(prefix="mirror-image-"))
    folder.chmod(0o755)
    try:
        base = debootstrapped() if arguments.debootstrap else None
        image = build_image(ROOT, folder / "image", wheels=fetch_wheels(folder / "wheels"), base=base)
        print("the Dockerfile's steps are done")
        with Simulator(history_runs=2) as simulator:
            run_in(image, folder, simulator)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
