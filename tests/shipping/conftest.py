"""What is shipped is tried as it is installed: in a clean root, by a user without rights, against a DQM² over TLS."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from dqmsquare.simulator import Simulator, Tls
from tests.certs.authority import Authority
from tests.postgres import TestPlace
from tests.shipping.clean_root import Image, build_image, can_make_roots
from tests.shipping.programs import Surroundings
from tests.shipping.try_image import fetch_wheels

ROOT = Path(__file__).resolve().parents[2]
HOSTS = ("bu-c2f11-09-01", "fu-c2f11-11-01")
SECRET = "cookie$ecret-with-'quotes'-and-blanks".replace("blanks", "a%20")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("shipping")


def needs(program: str, package: str) -> str:
    """The path of a program that a Debian package brings; skips where it is not here."""
    found = shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{program} is not here; Debian: apt-get install {package}")
    return found


@pytest.fixture(scope="session")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of requirements.txt, fetched with their hashes."""
    return fetch_wheels(tmp_path_factory.mktemp("fetched") / "wheels")


@pytest.fixture(scope="session")
def clean_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where roots are made; every user may look into it, as into a machine's /."""
    if not can_make_roots():
        pytest.skip("a clean root is made by root, with Debian's python3-venv")
    folder = tmp_path_factory.mktemp("roots")
    for parent in (folder, *list(folder.parents)[:2]):
        parent.chmod(0o755)
    return folder


@pytest.fixture(scope="session")
def image(clean_folder: Path, wheels: Path) -> Image:
    """What the Dockerfile's steps leave."""
    return build_image(ROOT, clean_folder / "image", wheels=wheels)


@pytest.fixture
def surroundings(place: TestPlace, tmp_path: Path) -> Iterator[Surroundings]:
    """Databases, a DQM² that wants certificate and cookie, and the settings that name them."""
    authority = Authority(tmp_path)
    at, robot = authority.issue("server", hosts=["127.0.0.1"]), authority.issue("robot")
    tls = Tls(at.certificate, at.key, authority.bundle)
    with Simulator(
        production_hosts=HOSTS, playback_hosts=HOSTS[:1], history_runs=2, tls=tls, secret=SECRET
    ) as simulator:
        made = Surroundings(place, simulator, authority, robot, SECRET, tmp_path)
        yield made
        made.stop()
