"""The tables' version: making them, checking them, and the server's role with the few rights it has."""

import secrets
from pathlib import Path

from sqlalchemy import Connection, func, insert, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from dqmsquare.config import Config
from dqmsquare.errors import KeyMismatch, SchemaMismatch
from dqmsquare.identity import key_fingerprint
from dqmsquare.storage import locks
from dqmsquare.storage.control_room_tables import CONTROL_ROOM_RIGHTS
from dqmsquare.storage.engine import Database, translated_errors
from dqmsquare.storage.tables import SCHEMA, identity

_NO_RIGHT = ("42501", "42704")  # SQLSTATE: insufficient_privilege, undefined_object (the role it could not make)
_MIGRATIONS = Path(__file__).parent / "migrations"
_SERVER_RIGHTS = (  # of the server's role, and no more
    f"USAGE ON SCHEMA {SCHEMA}",
    f"SELECT ON ALL TABLES IN SCHEMA {SCHEMA}",
    f"INSERT ON {SCHEMA}.changes, {SCHEMA}.alarms, {SCHEMA}.webhook_outbox",
    f"USAGE ON SEQUENCE {SCHEMA}.changes_change_id_seq",
    f"UPDATE (n_tries, not_before, sent_at) ON {SCHEMA}.webhook_outbox",
    *CONTROL_ROOM_RIGHTS,
)


def upgrade_schema(database: Database, config: Config, key: bytes) -> list[str]:
    """Brings the tables to this program's version; safe to run twice and from several processes at once.

    Returns the statements that the owner's role had no right to run (they make the server's role), to be shown.
    Raises KeyMismatch where the tables were made with another PUBLIC_ID_KEY, SchemaMismatch where a newer program did.
    """
    with translated_errors(), database.direct() as connection:
        connection.execute(select(func.pg_advisory_lock(locks.UPGRADE)))
        connection.commit()
        connection.execute(CreateSchema(SCHEMA, if_not_exists=True))
        found, wanted = _version(connection), _newest_version()
        if found is not None and found > wanted:
            raise _mismatch(database.cluster, found, wanted)
        if found != wanted:
            _migrate(connection)
        _name_database(connection, database.cluster, key)
        connection.commit()
        refused = _grant(connection, config)
        connection.commit()  # before the next one may grant the same
        connection.execute(select(func.pg_advisory_unlock(locks.UPGRADE)))
        connection.commit()
    return refused


def check_schema(database: Database, key: bytes) -> None:
    """Raises SchemaMismatch or KeyMismatch unless tables and key are this program's."""
    with database.reading() as connection:
        found, wanted = _version(connection), _newest_version()
        if found != wanted:
            raise _mismatch(database.cluster, found, wanted)
        _check_identity(connection, database.cluster, key)


def _mismatch(cluster: str, found: str | None, wanted: str) -> SchemaMismatch:
    is_newer = found is not None and found > wanted
    advice = "use the program that made them, or a backup" if is_newer else "run `python db.py upgrade`"
    return SchemaMismatch(
        f"the {cluster} database has tables of version {found or 'none'}, this program wants {wanted}: {advice}"
    )


def _version(connection: Connection) -> str | None:
    """The number of the newest migration that was run; None where there are no tables yet."""
    if connection.execute(select(func.to_regclass("mirror.schema_version"))).scalar() is None:
        return None
    return connection.execute(text("SELECT version_num FROM mirror.schema_version")).scalar()


def _newest_version() -> str:
    return max(path.name for path in (_MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def _migrate(connection: Connection) -> None:
    # Alembic takes 9 MB of memory, and nearly always there is nothing to migrate.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config as AlembicConfig  # noqa: PLC0415

    config = AlembicConfig()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _name_database(connection: Connection, cluster: str, key: bytes) -> None:
    if connection.execute(select(identity.c.database_id)).first() is None:
        row = {"database_id": secrets.token_hex(4), "cluster": cluster, "key_fingerprint": key_fingerprint(key)}
        connection.execute(insert(identity).values(row))
    _check_identity(connection, cluster, key)


def _check_identity(connection: Connection, cluster: str, key: bytes) -> None:
    row = connection.execute(select(identity)).one()
    if row.cluster != cluster:
        raise SchemaMismatch(
            f"this database belongs to the {row.cluster} cluster, not to {cluster}: mend POSTGRES_*_DB_NAME"
        )
    if row.key_fingerprint != key_fingerprint(key):
        raise KeyMismatch(
            f"PUBLIC_ID_KEY is not the one the {cluster} database was made with: "
            "use the key that was backed up with it, or no row can be matched"
        )


def _grant(connection: Connection, config: Config) -> list[str]:
    """Makes the server's role and gives it its rights; what may not be done here is returned instead."""
    role = connection.dialect.identifier_preparer.quote(config.postgres_server_username)
    exists = text("SELECT 1 FROM pg_roles WHERE rolname = :name")
    statements = []
    if connection.execute(exists, {"name": config.postgres_server_username}).first() is None:
        statements.append(f"CREATE ROLE {role} LOGIN")
    statements += [f"GRANT {right} TO {role}" for right in _SERVER_RIGHTS]
    refused = [statement for statement in statements if not _run(connection, statement)]
    password = config.postgres_server_password
    if password and not refused and not _set_password(connection, role, password):
        refused.append(f"ALTER ROLE {role} PASSWORD '…'")
    return refused


def _run(connection: Connection, statement: str) -> bool:
    try:
        with connection.begin_nested():
            connection.exec_driver_sql(statement)
    except DBAPIError as error:
        if getattr(error.orig, "pgcode", None) in _NO_RIGHT:
            return False
        raise
    return True


def _set_password(connection: Connection, role: str, password: str) -> bool:
    # A password cannot be bound in ALTER ROLE; quote_literal makes it a literal.
    literal = connection.execute(select(func.quote_literal(password))).scalar_one()
    return _run(connection, f"ALTER ROLE {role} PASSWORD {literal}".replace("%", "%%"))
