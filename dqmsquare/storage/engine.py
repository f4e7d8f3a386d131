"""Connections to one cluster's database, and the border where a driver's errors become the mirror's."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy import URL, Connection, Engine, create_engine
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from dqmsquare.config import Config
from dqmsquare.errors import StoreRefused, StoreUnavailable
from dqmsquare.storage.failpoints import install, read_failpoint

_CONNECT_SECONDS = 5
_POOL_WAIT_SECONDS = 2.0
_SERVER_STATEMENT_MS = 5_000
_WRITER_STATEMENT_MS = 60_000  # a first start summarises and compares whole histories
_NO_TRANSACTION = "AUTOCOMMIT"
_DATA_ERROR_CLASSES = ("22", "23")  # SQLSTATE classes: data exception, integrity constraint violation


class Database:
    """One cluster's database as one role. Engines are made per process, never before a fork.

    `engine` is for transactions; `reader` has a connection for each question, without one.
    """

    def __init__(self, engine: Engine, cluster: str, reader: Engine | None = None) -> None:
        self.engine = engine
        self.cluster = cluster
        self._reader = reader or engine.execution_options(isolation_level=_NO_TRANSACTION)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection whose statements each see the newest rows. Raises StoreUnavailable."""
        with translated_errors(), self._reader.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction, committed at the end. Raises StoreUnavailable or StoreRefused."""
        with translated_errors(), self.engine.begin() as connection:
            yield connection

    def direct(self) -> Connection:
        """A connection of one's own outside the pool's bookkeeping, for locks and LISTEN; the caller closes it."""
        with translated_errors():
            connection = self.engine.connect()
            connection.detach()
            return connection

    def close(self) -> None:
        """Closes what the pool holds."""
        self.engine.dispose()


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turns SQLAlchemy's and psycopg2's errors into StoreUnavailable or StoreRefused."""
    try:
        yield
    except DBAPIError as error:
        state = getattr(error.orig, "pgcode", None) or ""
        words = f"{type(error.orig).__name__} {state}".strip()
        if state.startswith(_DATA_ERROR_CLASSES):
            raise StoreRefused(f"PostgreSQL refuses the data ({words})") from error
        raise StoreUnavailable(f"PostgreSQL cannot be used ({words})") from error
    except (SQLAlchemyError, psycopg2.Error) as error:
        raise StoreUnavailable(f"PostgreSQL cannot be used ({type(error).__name__})") from error


def owner_database(config: Config, cluster: str, host: str, *, name: str) -> Database:
    """The database as the role that owns it; no pool, since each of its users keeps a connection of its own."""
    url = _url(config, cluster, host, username=config.postgres_username, password=config.postgres_password)
    options = _session_options(_WRITER_STATEMENT_MS)
    arguments = {**_connect_arguments(name, options), "target_session_attrs": "read-write"}
    engine = create_engine(url, poolclass=NullPool, connect_args=arguments)
    if config.development and config.failpoint:
        install(engine, read_failpoint(config.failpoint))
    return Database(engine, cluster)


def server_database(config: Config, cluster: str, host: str, *, pool_size: int) -> Database:
    """The database as the server's role, which may read everything and write hardly anything."""
    url = _url(
        config, cluster, host, username=config.postgres_server_username, password=config.postgres_server_password
    )
    reader = create_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=_POOL_WAIT_SECONDS,
        pool_pre_ping=True,
        isolation_level=_NO_TRANSACTION,  # it hardly writes; to set this for each answer takes a tenth of its time
        connect_args=_connect_arguments("dqmsquare server", _session_options(_SERVER_STATEMENT_MS)),
    )
    return Database(reader.execution_options(isolation_level="READ COMMITTED"), cluster, reader)


def _url(config: Config, cluster: str, host: str, *, username: str, password: str) -> URL:
    return URL.create(
        "postgresql+psycopg2",
        username=username,
        password=password or None,
        host=host,
        port=config.postgres_port,
        database=config.database_name(cluster),
    )


def _session_options(statement_ms: int) -> str:
    return (
        f"-c timezone=UTC -c statement_timeout={statement_ms} -c lock_timeout=10000 "
        "-c idle_in_transaction_session_timeout=60000"
    )


def _connect_arguments(name: str, options: str) -> dict[str, object]:
    return {
        "application_name": name,
        "connect_timeout": _CONNECT_SECONDS,
        "options": options,
        "keepalives": 1,
        "keepalives_idle": 10,
        "keepalives_interval": 5,
        "keepalives_count": 3,
        "tcp_user_timeout": 20_000,
    }
