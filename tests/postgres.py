"""PostgreSQL for tests: the embedded 18 and, where Debian's is installed, a 15; each test has databases of its own."""

import itertools
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
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


class PrivateServer:
    """Debian's PostgreSQL on a folder of its own, which can be stopped and started; as root under another user."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._as_other: list[str] = []
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            user = pwd.getpwnam("postgres")
            os.chown(folder, user.pw_uid, user.pw_gid)
            self._as_other = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        self._run("initdb", "-U", "postgres", "-A", "trust", "-E", "UTF8")

    @property
    def server(self) -> Server:
        return Server(15, str(self._folder))

    def start(self) -> None:
        options = f"-c listen_addresses='' -c unix_socket_directories={self._folder}"
        self._run("pg_ctl", "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self, mode: str = "immediate") -> None:
        self._run("pg_ctl", "-w", "-m", mode, "stop")

    def _run(self, program: str, *arguments: str) -> None:
        command = [*self._as_other, str(DEBIAN_15 / program), "-D", str(self._folder / "data"), *arguments]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, cwd=self._folder)


@contextmanager
def _private_server() -> Iterator[PrivateServer]:
    if not (DEBIAN_15 / "initdb").exists():
        pytest.skip("PostgreSQL 15 is not here; Debian 12: apt-get install postgresql-15")
    folder = Path(tempfile.mkdtemp(prefix="mirror-pg15-"))
    private = PrivateServer(folder)
    private.start()
    try:
        yield private
    finally:
        with suppress(subprocess.CalledProcessError):  # a test may have stopped it
            private.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_18() -> Server:
    """The embedded one; in /tmp, since a socket's path is short and root's tests open every folder above it."""
    folder = Path(tempfile.mkdtemp(prefix="mirror-pg18-"))
    return Server(18, start_embedded_postgres(folder / "data"))


@pytest.fixture(scope="session")
def postgres_15() -> Iterator[Server]:
    """Debian's 15, for what depends on the version."""
    with _private_server() as private:
        yield private.server


@pytest.fixture
def private_postgres() -> Iterator[PrivateServer]:
    """A server of the test's own, to be stopped and started."""
    with _private_server() as private:
        yield private


@pytest.fixture(scope="module")
def breakable_postgres() -> Iterator[tuple[PrivateServer, dict[str, str]]]:
    """A server of a module's own, to be broken and mended, and the databases to copy."""
    with _private_server() as private:
        yield private, _make_templates(private.server)


@contextmanager
def breakable_place(folder: Path) -> Iterator[tuple[PrivateServer, TestPlace]]:
    """Databases on a server of their own that may be stopped hard, also outside of a test."""
    with (
        _private_server() as private,
        copied_databases(private.server, _make_templates(private.server), folder) as copied,
    ):
        yield private, copied


@pytest.fixture
def private_place(private_postgres: PrivateServer, tmp_path: Path) -> Iterator[TestPlace]:
    """Databases on it."""
    with copied_databases(private_postgres.server, _make_templates(private_postgres.server), tmp_path) as copied:
        yield copied


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
def copied_databases(server: Server, templates: dict[str, str], tmp_path: Path) -> Iterator[TestPlace]:
    """Fresh databases for as long as the block lasts."""
    number = next(_numbers)
    names = {cluster: f"test_{number}_{cluster}" for cluster in CLUSTERS}
    for cluster, name in names.items():
        server.execute(f"CREATE DATABASE {name} TEMPLATE {templates[cluster]}")
    folders = {"LOG_DIR": str(tmp_path / "log"), "TMP_DIR": str(tmp_path / "tmp")}
    environ = _settings(server, names, **folders)
    try:
        yield TestPlace(server, parse_config(environ, role="database", as_root=False), environ)
    finally:
        with suppress(psycopg2.OperationalError):  # a test may have stopped the server
            for name in names.values():
                server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def place(postgres_18: Server, templates_18: dict[str, str], tmp_path: Path) -> Iterator[TestPlace]:
    """Fresh databases on the embedded PostgreSQL."""
    with copied_databases(postgres_18, templates_18, tmp_path) as copied:
        yield copied


@pytest.fixture(params=[18, 15])
def any_place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestPlace]:
    """Fresh databases on each version in turn: for what depends on SQL."""
    server = request.getfixturevalue(f"postgres_{request.param}")
    templates = request.getfixturevalue(f"templates_{request.param}")
    with copied_databases(server, templates, tmp_path) as copied:
        yield copied


@contextmanager
def fresh_place(folder: Path) -> Iterator[TestPlace]:
    """Databases outside of a test, on an embedded PostgreSQL of their own below `folder`."""
    server = Server(18, start_embedded_postgres(folder / "postgres"))
    with copied_databases(server, _make_templates(server), folder) as copied:
        yield copied
