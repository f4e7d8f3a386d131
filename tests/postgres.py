"""PostgreSQL for tests: the embedded 18 and, where Debian's is installed, a 15; each test has databases of its own."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg2
import pytest

from dqmsquare.config import CLUSTERS, Config, parse_config
from dqmsquare.storage.embedded import start_embedded_postgres
from dqmsquare.storage.engine import Database, owner_database, server_database
from dqmsquare.storage.opening import Place
from dqmsquare.storage.schema import upgrade_schema

KEY = b"a-key-for-tests-only-of-32-bytes-or-more"
DEBIAN_15 = Path("/usr/lib/postgresql/15/bin")
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Server:
    """A PostgreSQL that runs; `host` is the folder of its socket."""

    version: int
    host: str

    def execute(self, statement: str, database: str = "postgres") -> list[tuple]:
        """Runs one statement as the superuser, outside a transaction."""
        connection = psycopg2.connect(host=self.host, user="postgres", dbname=database)
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


@dataclass(frozen=True)
class TestPlace:
    """Both databases of one test, upgraded, and the settings that name them."""

    __test__ = False

    server: Server
    config: Config
    environ: dict[str, str]

    @property
    def place(self) -> Place:
        return Place(self.server.host, KEY)

    def owner(self, cluster: str = "production") -> Database:
        return owner_database(self.config, cluster, self.server.host, name="test")

    def reader(self, cluster: str = "production") -> Database:
        return server_database(self.config, cluster, self.server.host, pool_size=4)

    def rows(self, statement: str, cluster: str = "production") -> list[tuple]:
        return self.server.execute(statement, self.config.database_name(cluster))


@pytest.fixture(scope="session")
def postgres_18() -> Server:
    """The embedded one; in /tmp, since a socket's path is short and root's tests open every folder above it."""
    folder = Path(tempfile.mkdtemp(prefix="mirror-pg18-"))
    return Server(18, start_embedded_postgres(folder / "data"))


@pytest.fixture(scope="session")
def postgres_15() -> Iterator[Server]:
    """Debian's, started by hand on a folder of its own."""
    if not (DEBIAN_15 / "initdb").exists():
        pytest.skip("PostgreSQL 15 is not here; Debian 12: apt-get install postgresql-15")
    folder = Path(tempfile.mkdtemp(prefix="mirror-pg15-"))
    with _started(DEBIAN_15, folder) as server:
        yield server


@contextmanager
def _started(binaries: Path, folder: Path) -> Iterator[Server]:
    as_other: list[str] = []
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
        as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    data = folder / "data"

    def run(program: str, *arguments: str) -> None:
        command = [*as_other, str(binaries / program), "-D", str(data), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=folder)

    run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8")
    options = f"-c listen_addresses='' -c unix_socket_directories={folder}"
    run("pg_ctl", "-w", "-l", str(folder / "log"), "-o", options, "start")
    try:
        yield Server(15, str(folder))
    finally:
        run("pg_ctl", "-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _settings(server: Server, names: dict[str, str], **more: str) -> dict[str, str]:
    return {
        "POSTGRES_HOST": server.host,
        "PUBLIC_ID_KEY": KEY.decode(),
        "POSTGRES_PRODUCTION_DB_NAME": names["production"],
        "POSTGRES_PLAYBACK_DB_NAME": names["playback"],
        "MONITORING_PORT": "0",
        **more,
    }


def _make_templates(server: Server) -> dict[str, str]:
    """Upgraded databases that each test's are copied from, which is faster than upgrading them again."""
    names = {cluster: f"template_{cluster}" for cluster in CLUSTERS}
    config = parse_config(_settings(server, names), role="database", as_root=False)
    for cluster, name in names.items():
        server.execute(f"CREATE DATABASE {name}")
        upgrade_schema(owner_database(config, cluster, server.host, name="test"), config, KEY)
    return names


@pytest.fixture(scope="session")
def templates_18(postgres_18: Server) -> dict[str, str]:
    return _make_templates(postgres_18)


@pytest.fixture(scope="session")
def templates_15(postgres_15: Server) -> dict[str, str]:
    return _make_templates(postgres_15)


@contextmanager
def _copied(server: Server, templates: dict[str, str], tmp_path: Path) -> Iterator[TestPlace]:
    number = next(_numbers)
    names = {cluster: f"test_{number}_{cluster}" for cluster in CLUSTERS}
    for cluster, name in names.items():
        server.execute(f"CREATE DATABASE {name} TEMPLATE {templates[cluster]}")
    folders = {"LOG_DIR": str(tmp_path / "log"), "TMP_DIR": str(tmp_path / "tmp")}
    environ = _settings(server, names, **folders)
    try:
        yield TestPlace(server, parse_config(environ, role="database", as_root=False), environ)
    finally:
        for name in names.values():
            server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def place(postgres_18: Server, templates_18: dict[str, str], tmp_path: Path) -> Iterator[TestPlace]:
    """Fresh databases on the embedded PostgreSQL."""
    with _copied(postgres_18, templates_18, tmp_path) as copied:
        yield copied


@pytest.fixture(params=[18, 15])
def any_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestPlace]:
    """Fresh databases on each version in turn: for what depends on SQL."""
    server = request.getfixturevalue(f"postgres_{request.param}")
    templates = request.getfixturevalue(f"templates_{request.param}")
    with _copied(server, templates, tmp_path) as copied:
        yield copied
