"""From settings to databases: starts the embedded PostgreSQL where it is used, and sees to tables and key."""

from dataclasses import dataclass

from sqlalchemy import URL, create_engine, text
from sqlalchemy.pool import NullPool

from dqmsquare.config import CLUSTERS, Config
from dqmsquare.errors import ConfigError
from dqmsquare.storage.embedded import embedded_key, start_embedded_postgres
from dqmsquare.storage.engine import owner_database, server_database, translated_errors
from dqmsquare.storage.schema import check_schema, upgrade_schema


@dataclass(frozen=True, slots=True)
class Place:
    """Where PostgreSQL is (`host`: a name or a socket's folder), and the secret that ids are made with."""

    host: str
    key: bytes


def open_place(config: Config, *, as_server: bool = False) -> Place:
    """PostgreSQL, started where it is the embedded one, with tables and key checked.

    The embedded database is upgraded on the way; another one is not, and is looked at with the server's role where
    `as_server` says so, which needs no password of the owner's. Raises SchemaMismatch, KeyMismatch or
    StoreUnavailable.
    """
    place = find_place(config)
    if config.embedded:
        upgrade(config, place)
    else:
        for cluster in CLUSTERS:
            _check(config, place, cluster, as_server=as_server)
    return place


def _check(config: Config, place: Place, cluster: str, *, as_server: bool) -> None:
    if as_server:
        database = server_database(config, cluster, place.host, pool_size=1)
    else:
        database = owner_database(config, cluster, place.host, name="dqmsquare check")
    try:
        check_schema(database, place.key)
    finally:
        database.close()


def find_place(config: Config) -> Place:
    """The same without a look at the tables."""
    if config.embedded:
        host = start_embedded_postgres(config.embedded_postgres_dir)
        return Place(host, config.public_id_key or embedded_key(config.embedded_postgres_dir))
    if config.public_id_key is None:
        raise ConfigError(["PUBLIC_ID_KEY is missing"])
    return Place(config.postgres_host, config.public_id_key)


def upgrade(config: Config, place: Place) -> list[str]:
    """Brings both databases to this program's version; returns statements that somebody with more rights must run."""
    refused: list[str] = []
    for cluster in CLUSTERS:
        if config.embedded:
            _create_database(config, place.host, config.database_name(cluster))
        database = owner_database(config, cluster, place.host, name="dqmsquare upgrade")
        refused += (f"{config.database_name(cluster)}: {line}" for line in upgrade_schema(database, config, place.key))
    return refused


def _create_database(config: Config, host: str, name: str) -> None:
    url = URL.create("postgresql+psycopg2", username=config.postgres_username, host=host, database="template1")
    engine = create_engine(url, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with translated_errors(), engine.connect() as connection:
        # Two processes may start at once; CREATE DATABASE knows no IF NOT EXISTS, so they take turns.
        connection.execute(text("SELECT pg_advisory_lock(:key)"), {"key": 0x64716D_0003})
        if connection.execute(text("SELECT 1 FROM pg_database WHERE datname = :name"), {"name": name}).first() is None:
            quoted = connection.dialect.identifier_preparer.quote(name)
            connection.exec_driver_sql(f"CREATE DATABASE {quoted} TEMPLATE template0 ENCODING 'UTF8'")
